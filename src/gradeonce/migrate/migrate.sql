-- A table of grades that others kept, read in our columns, and held against what our rules say. On every warehouse.

-- name: read
-- Their rows with what was read of them: `v_` and our name.
SELECT {values} FROM {relation} AS t WHERE {within}

-- name: made
-- Their rows as they will stand.
SELECT {columns} FROM ({read}) AS theirs_read

-- name: overview
-- Rows, those without a date, and per column those whose value cannot be read.
SELECT count(*), count(*) FILTER (WHERE {game_date} IS NULL){unread} FROM {relation} AS t WHERE {within}

-- name: moved_lines
-- Picks that stand under more than one line: the line moved, and each was graded.
SELECT game_date, system_id, player_lookup, game_id, market, lowest, highest, n, count(*) OVER () AS picks,
    sum(n) OVER () AS total
FROM (
    SELECT CAST(game_date AS VARCHAR) AS game_date, system_id, player_lookup, game_id, market, min(line_value) AS lowest,
        max(line_value) AS highest, count(*) AS n
    FROM {rows}
    GROUP BY 1, 2, 3, 4, 5 HAVING count(DISTINCT coalesce(CAST(line_value AS VARCHAR), 'none')) > 1
) AS moved
ORDER BY 1, 2, 3, 4, 5 LIMIT {limit}

-- name: differences
-- How many rows of each date and system differ by which rule, and the first of each rule. `stood` is what they have, one
-- row a key; `graded` is what our rules say, or what we graded already. A key is one text, nulls equal.
WITH theirs AS ({theirs}),
stood AS (SELECT s.*, {row_key} AS row_key, {pick} AS pick FROM ({kept}) AS s),
graded AS (SELECT s.*, {row_key} AS row_key, {pick} AS pick FROM ({graded}) AS s),
stood_picks AS (SELECT pick, min(line_value) AS line_value FROM stood GROUP BY pick),
graded_picks AS (SELECT pick, min(line_value) AS line_value FROM graded GROUP BY pick),
judged AS (
    SELECT CASE {rules} ELSE 'same' END AS rule, CAST(coalesce(s.game_date, g.game_date) AS VARCHAR) AS game_date,
        coalesce(s.system_id, g.system_id) AS system_id, coalesce(s.player_lookup, g.player_lookup) AS player_lookup,
        coalesce(s.game_id, g.game_id) AS game_id, coalesce(s.market, g.market) AS market, {facets}
    FROM stood s
    FULL JOIN graded g ON g.row_key = s.row_key
    LEFT JOIN stood_picks sp ON sp.pick = g.pick
    LEFT JOIN graded_picks gp ON gp.pick = s.pick
)
SELECT * FROM (
    SELECT j.*, count(*) OVER (PARTITION BY rule, game_date, system_id) AS in_group,
        row_number() OVER (
            PARTITION BY rule, game_date, system_id ORDER BY player_lookup, game_id, market, was_line_value, is_line_value
        ) AS nth_in_group,
        row_number() OVER (
            PARTITION BY rule ORDER BY game_date, system_id, player_lookup, game_id, market, was_line_value, is_line_value
        ) AS nth
    FROM judged AS j
) AS numbered
WHERE nth_in_group = 1 OR (rule <> 'same' AND nth <= {limit})
ORDER BY rule, nth

-- name: line_moved
g.row_key IS NULL AND gp.pick IS NOT NULL

-- name: no_prediction
g.row_key IS NULL

-- name: new_line
s.row_key IS NULL AND sp.pick IS NOT NULL

-- name: not_graded
s.row_key IS NULL

-- name: not_final
g.outcome = 'pending' AND s.outcome <> 'pending'

-- name: void_counted
g.outcome = 'void' AND s.outcome <> 'void'

-- name: void_lifted
s.outcome = 'void' AND g.outcome <> 'void'

-- name: not_in_box_score
g.outcome = 'ungradable' AND s.outcome <> 'ungradable'

-- name: now_decided
s.outcome IN ('ungradable', 'pending') AND g.outcome <> s.outcome

-- name: box_score_changed
g.outcome <> 'void' AND s.actual_value IS NOT NULL AND s.actual_value IS DISTINCT FROM g.actual_value

-- name: recommendation_changed
upper(s.recommendation) <> g.recommendation

-- name: no_bet_counted
g.outcome = 'no_bet' AND s.outcome <> 'no_bet'

-- name: bet_not_counted
s.outcome = 'no_bet' AND g.outcome <> 'no_bet'

-- name: push_counted
g.outcome = 'push' AND s.outcome <> 'push'

-- name: push_dropped
s.outcome = 'push' AND g.outcome <> 'push'

-- name: outcome_otherwise
s.outcome <> g.outcome

-- name: prediction_changed
s.predicted_value <> g.predicted_value

-- name: confidence_scale
s.confidence_score > 1 AND g.confidence_score = CAST(s.confidence_score / 100 AS DECIMAL(18, 9))

-- name: confidence_changed
s.confidence_score IS NOT NULL AND s.confidence_score IS DISTINCT FROM g.confidence_score

-- name: error_sign
s.signed_error = -g.signed_error AND s.signed_error <> g.signed_error

-- name: error_otherwise
-- Rounding to two places is no difference.
abs(s.signed_error - g.signed_error) > 0.005 OR abs(s.absolute_error - g.absolute_error) > 0.005

-- name: tolerance
s.within_3 <> g.within_3 OR s.within_5 <> g.within_5

-- name: other_columns
{differing}
