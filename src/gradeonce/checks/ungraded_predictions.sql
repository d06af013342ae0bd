-- check: ungraded_predictions
-- number: 4
-- severity: fail
-- about: Every prediction that counts is graded once its game is final.
-- fix: Grade the dates named: `gradeonce grade --from DATE --to DATE`.

-- name: finished
-- Predictions that count and whose game has a final box score, each with its grade.
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
finished AS (
    SELECT s.game_date, s.system_id, s.player_lookup, s.game_id, s.market, s.line_value, s.prediction_id, g.outcome
    FROM counted s
    JOIN game_keys k ON k.game_id = s.game_id
    JOIN final_games f ON f.game_key = k.game_key AND f.is_final
    LEFT JOIN grades g
        ON g.system_id = s.system_id AND g.player_lookup = s.player_lookup AND g.game_id = s.game_id
            AND g.market = s.market AND g.line_value IS NOT DISTINCT FROM s.line_value
)

-- name: considered
-- Predictions of finished games.
{finished}
SELECT count(*) FROM finished

-- name: findings
-- Those without a grade, and those that still wait for one.
{finished}
SELECT game_date, system_id, player_lookup, game_id, market, line_value, prediction_id,
    CASE WHEN outcome IS NULL THEN 'not graded' ELSE 'still pending' END AS state
FROM finished WHERE outcome IS NULL OR outcome = 'pending'
ORDER BY 1, 2, 3, 4, 5, 6, 7
