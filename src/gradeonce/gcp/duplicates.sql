-- name: duplicates
-- Grades of a date beyond the first of their key; null parts of a key are equal.
SELECT CAST(coalesce(sum(copies - 1), 0) AS INTEGER) AS duplicates
FROM (
    SELECT count(*) AS copies
    FROM prediction_accuracy
    WHERE game_date = $day
    GROUP BY player_lookup, game_id, system_id, market, line_value
) AS keys
