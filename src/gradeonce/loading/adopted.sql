-- Grades that somebody else made, as rows of ours. `t_NAME` is a text of the file, `v_NAME` what was read from it; null where
-- the file has no such column.

-- name: parsed
-- Purpose: every text, and what could be read from it. A view: as a table, both beside the file's own rows took 870 MB for
-- half a million grades.
CREATE OR REPLACE TEMP VIEW {parsed} AS
SELECT *, {values} FROM (SELECT {texts}, _file, _row FROM ({mapped})) AS texts

-- name: unread
-- Purpose: values that are there and cannot be read, the first ones of each column.
SELECT _file, _row, column_name, left(value_text, 80), reason
FROM ({problems}) AS problems ORDER BY _file, _row, column_name LIMIT 20

-- name: count_unread
SELECT count(*) FROM {parsed} WHERE {unread}

-- name: made
-- Purpose: the rows as they will stand. What a file does not say gets a value that is seen to be ours: `adopted` in texts,
-- rules version 0. Nulls in the key stay null.
SELECT {columns} FROM {parsed}

-- name: prediction_id
coalesce(v_prediction_id, 'adopted-' || md5(concat_ws('|', {key_texts})))

-- name: outcome
-- Purpose: without an outcome, what follows from the other columns; what does not follow cannot be decided.
coalesce(
    CASE WHEN lower(v_outcome) IN ({outcomes}) THEN lower(v_outcome) END,
    CASE
        WHEN v_is_voided THEN 'void'
        WHEN v_prediction_correct THEN 'win'
        WHEN NOT v_prediction_correct THEN 'loss'
        WHEN upper(v_recommendation) IN ('PASS', 'HOLD', 'NO_LINE') OR v_line_value IS NULL THEN 'no_bet'
        WHEN v_actual_value = v_line_value THEN 'push'
        ELSE 'ungradable'
    END
)

-- name: ungradable_reason
coalesce(v_ungradable_reason, CASE WHEN {outcome} = 'ungradable' THEN 'adopted_without_outcome' END)

-- name: is_voided
coalesce(v_is_voided, {outcome} = 'void')

-- name: prediction_correct
coalesce(v_prediction_correct, CASE {outcome} WHEN 'win' THEN true WHEN 'loss' THEN false END)

-- name: market
{market_or_default}

-- name: player_lookup
coalesce(v_player_lookup, {lookup})

-- name: is_final_line
coalesce(v_is_final_line, true)

-- name: pre_game_injury_flag
coalesce(v_pre_game_injury_flag, false)

-- name: injury_confirmed_postgame
coalesce(v_injury_confirmed_postgame, false)

-- name: line_source
coalesce(v_line_source, 'ADOPTED')

-- name: rules_version
coalesce(v_rules_version, 0)

-- name: run_id
coalesce(v_run_id, {run_id})

-- name: graded_at
coalesce(v_graded_at, {adopted_at})
