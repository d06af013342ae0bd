-- What is found in grades that somebody else made. `{rows}` is the relation they are in.

-- name: overview
-- Rows, dates and confidence, in all.
SELECT count(*) AS rows, count(DISTINCT game_date) AS dates, CAST(min(game_date) AS VARCHAR) AS first_date,
    CAST(max(game_date) AS VARCHAR) AS last_date, {null_counts}
FROM {rows}

-- name: duplicates
-- Keys that stand more than once, by date and number of copies.
SELECT CAST(game_date AS VARCHAR), copies, count(*)
FROM (SELECT game_date, count(*) AS copies FROM {rows} GROUP BY {key} HAVING count(*) > 1) AS doubled
GROUP BY 1, 2 ORDER BY 1, 2

-- name: outcomes
-- What became of them.
SELECT coalesce(outcome, 'null'), count(*) FROM {rows} GROUP BY 1 ORDER BY 1

-- name: two_scales
-- Systems whose confidence is sometimes a share and sometimes a percentage.
SELECT coalesce(system_id, 'null'), count(*) FILTER (WHERE confidence_score <= 1),
    count(*) FILTER (WHERE confidence_score > 1)
FROM {rows} GROUP BY 1
HAVING count(*) FILTER (WHERE confidence_score <= 1) > 0 AND count(*) FILTER (WHERE confidence_score > 1) > 0
ORDER BY 1

-- name: partitions
-- The dates they are on.
SELECT DISTINCT CAST(game_date AS VARCHAR) FROM {rows} WHERE game_date IS NOT NULL ORDER BY 1

