-- name: taken
-- The rows of some staged writes, each with its place among its rivals: latest created, then highest prediction_id, as
-- grading ranks them; of one prediction that was staged more than once, the last word.
CREATE OR REPLACE TEMP TABLE taken_rows AS
SELECT *, row_number() OVER (
    PARTITION BY {key}
    ORDER BY created_at DESC NULLS LAST, prediction_id DESC, loaded_at DESC, load_id DESC, load_row DESC
) AS place
FROM {staged}
WHERE staging = ANY($stagings)

-- name: counted
-- How many were taken, how many of them are to be merged, and for which dates.
SELECT count(*), count(*) FILTER (WHERE place = 1), list_sort(list(DISTINCT CAST(game_date AS VARCHAR))) FROM taken_rows

-- name: winners
-- The latest of each key, ready to land.
CREATE OR REPLACE TEMP TABLE winning_rows AS
SELECT {columns}
FROM (SELECT *, CAST(row_number() OVER (ORDER BY game_date, {key}) AS INTEGER) AS winner FROM taken_rows WHERE place = 1)
