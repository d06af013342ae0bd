-- check: duplicate_grades
-- number: 1
-- severity: fail
-- about: A business key is graded once, on whatever dates its copies stand.
-- fix: See what would go with `gradeonce dedupe plan`, then apply that plan.

-- name: considered
-- Grades in the range.
SELECT count(*) FROM prediction_accuracy WHERE game_date BETWEEN $first_date AND $last_date

-- name: findings
-- One row per key with a copy in the range; null parts of a key are equal. A key holds its game, so only games with a
-- grade in the range are grouped.
SELECT min(game_date) AS game_date, system_id, player_lookup, game_id, market, line_value, count(*) AS copies,
    count(DISTINCT outcome) > 1 AS outcomes_differ, max(game_date) AS last_game_date
FROM prediction_accuracy
WHERE game_id IN (SELECT game_id FROM prediction_accuracy WHERE game_date BETWEEN $first_date AND $last_date)
GROUP BY system_id, player_lookup, game_id, market, line_value
HAVING count(*) > 1 AND bool_or(game_date BETWEEN $first_date AND $last_date)
ORDER BY 1, 2, 3, 4, 5, 6
