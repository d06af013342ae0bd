-- check: recent_duplicates
-- number: 8
-- severity: fail
-- about: No business key stands twice in the accuracy table over the last 7 days, whatever range was asked for.
-- fix: See what would go with `gradeonce dedupe plan`, then apply that plan.

-- name: considered
-- Grades of the 7 days that end with the range.
SELECT count(*) FROM prediction_accuracy WHERE game_date BETWEEN CAST($last_date AS DATE) - 6 AND $last_date

-- name: findings
-- One row per date and key.
SELECT game_date, system_id, player_lookup, game_id, market, line_value, count(*) AS copies
FROM prediction_accuracy
WHERE game_date BETWEEN CAST($last_date AS DATE) - 6 AND $last_date
GROUP BY game_date, system_id, player_lookup, game_id, market, line_value
HAVING count(*) > 1
ORDER BY 1, 2, 3, 4, 5, 6
