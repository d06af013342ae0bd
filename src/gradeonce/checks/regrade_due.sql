-- check: regrade_due
-- number: 14
-- severity: warn
-- about: Grades tell what the latest box score tells.
-- fix: Grade the dates named again: `gradeonce grade --from DATE --to DATE`; each change leaves a revision.

-- name: considered
-- Grades in the range that were decided.
SELECT count(*) FROM prediction_accuracy WHERE game_date BETWEEN $first_date AND $last_date AND outcome <> 'pending'

-- name: findings
-- Grades whose actual value, minutes or absence are no longer those of the box score; pending ones are another check's.
-- A row without a value keeps no minutes, and a box score that says nothing of an absence is read as the rules read it.
WITH graded AS (
    SELECT game_date, system_id, player_lookup, game_id, market, line_value, outcome, actual_value, minutes_played,
        ungradable_reason
    FROM prediction_accuracy
    WHERE game_date BETWEEN $first_date AND $last_date AND outcome <> 'pending'
        AND void_reason IS DISTINCT FROM 'game_moved'
),
known_actuals AS (
    SELECT * FROM player_game_actuals
    WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER)
        AND CAST($last_date AS DATE) + CAST($usual_days AS INTEGER)
),
{graded_meeting}
SELECT g.game_date, g.system_id, g.player_lookup, g.game_id, g.market, g.line_value, g.outcome,
    g.actual_value AS graded_value, a.actual_value AS box_score_value, a.loaded_at AS box_score_loaded_at
FROM graded g
JOIN game_keys k ON k.game_id = g.game_id
JOIN latest_actuals a
    ON a.player_lookup = g.player_lookup AND a.game_key = k.game_key AND a.market = g.market AND a.version_rank = 1
WHERE a.is_final
    AND (
        g.actual_value IS DISTINCT FROM a.actual_value
        OR (g.ungradable_reason IS NULL AND g.minutes_played IS DISTINCT FROM a.minutes_played)
        OR (g.outcome = 'void') <> coalesce(
            a.is_dnp, a.actual_value IS NULL OR (a.actual_value = 0 AND coalesce(a.minutes_played, 0) = 0)
        )
    )
ORDER BY 1, 2, 3, 4, 5, 6
