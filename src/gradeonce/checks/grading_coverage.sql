-- check: grading_coverage
-- number: 9
-- severity: warn
-- about: A date's predictions are decided, and its game ids meet box scores.
-- fix: `gradeonce status --todo` says what is missing; names that meet nobody: docs/howto/fix-ungradable-players.md.

-- name: covered
-- Predictions that count, each with its grade and whether its game is known.
WITH counted AS (SELECT * FROM {counted} AS predictions_that_count),
known_actuals AS (
    SELECT * FROM player_game_actuals
    WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER)
        AND CAST($last_date AS DATE) + CAST($usual_days AS INTEGER)
),
{counted_meeting},
grades AS (
    SELECT system_id, player_lookup, game_id, market, line_value, min(outcome) AS outcome FROM prediction_accuracy
    WHERE game_id IN (SELECT game_id FROM counted) GROUP BY system_id, player_lookup, game_id, market, line_value
),
covered AS (
    SELECT s.game_date, s.game_id, {id_format_of_prediction} AS id_format, f.game_key IS NOT NULL AS meets,
        coalesce(g.outcome, 'ungraded') NOT IN ('ungraded', 'pending', 'ungradable') AS is_decided
    FROM counted s
    JOIN game_keys k ON k.game_id = s.game_id
    LEFT JOIN final_games f ON f.game_key = k.game_key
    LEFT JOIN grades g
        ON g.system_id = s.system_id AND g.player_lookup = s.player_lookup AND g.game_id = s.game_id
            AND g.market = s.market AND g.line_value IS NOT DISTINCT FROM s.line_value
)

-- name: considered
-- Predictions that count.
{covered}
SELECT count(*) FROM covered

-- name: findings
-- Dates of which too little was decided (win, loss, push, no bet or void), and formats of ids of which none met a box
-- score of a date that has some.
{covered}
SELECT game_date, 'coverage' AS problem, count(*) AS predictions, count(*) FILTER (WHERE is_decided) AS decided,
    CAST(CAST(count(*) FILTER (WHERE is_decided) AS FLOAT8) / count(*) AS DECIMAL(9, 4)) AS share,
    CAST(NULL AS VARCHAR) AS game_id, CAST(NULL AS VARCHAR) AS box_score_game_id,
    CASE WHEN count(*) FILTER (WHERE is_decided) < CAST($decided_fail AS FLOAT8) * count(*) THEN 'fail' ELSE 'warn' END
        AS severity
FROM covered GROUP BY game_date
HAVING count(*) FILTER (WHERE is_decided) < greatest(CAST($decided_warn AS FLOAT8), CAST($decided_fail AS FLOAT8)) * count(*)
UNION ALL
SELECT c.game_date, 'game ids', count(*), count(*) FILTER (WHERE c.is_decided), NULL, min(c.game_id), min(b.game_id), 'fail'
FROM covered c
JOIN (SELECT game_date, min(game_id) AS game_id FROM known_actuals GROUP BY game_date) AS b ON b.game_date = c.game_date
GROUP BY c.game_date, c.id_format
HAVING NOT bool_or(c.meets)
ORDER BY 1, 2, 6
