-- Grades as an incident left them: two runs graded the same dates at once, and some keys of theirs stand twice.

-- name: grades
-- Purpose: every key once, made of a running number by arithmetic alone, so that they are the same everywhere; then the
-- second run's copies, later by 95 minutes, on the dates that are named. `$places` are those dates by their place in the
-- season, `$counts` how many keys of each stand twice.
WITH numbered AS (
    SELECT i, i % CAST($dates AS BIGINT) AS place, i // CAST($dates AS BIGINT) AS nth
    FROM range(CAST($keys AS BIGINT)) AS t (i)
),
lines AS (
    SELECT *, nth % 7 AS system, nth // 7 AS player,
        CASE WHEN i % 40 > 0 THEN CAST(10.5 + nth % 20 AS DECIMAL(18, 9)) END AS line,
        i % 50 = 0 AS sat_out
    FROM numbered
),
made AS (
    SELECT *, CAST(coalesce(line, 15) + (i * 13 % 90 - 45) / 10.0 AS DECIMAL(18, 9)) AS predicted,
        CASE WHEN NOT sat_out THEN CAST(coalesce(floor(line), 15) + i * 17 % 21 - 10 AS DECIMAL(18, 9)) END AS actual
    FROM lines
),
judged AS (
    SELECT *, CASE WHEN line IS NULL THEN 'NO_LINE' WHEN predicted > line THEN 'OVER' ELSE 'UNDER' END AS pick,
        CASE
            WHEN sat_out THEN 'void'
            WHEN line IS NULL THEN 'no_bet'
            WHEN actual = line THEN 'push'
            WHEN (predicted > line) = (actual > line) THEN 'win'
            ELSE 'loss'
        END AS outcome
    FROM made
)
SELECT
    CAST(DATE '2025-10-21' + CAST(place AS INTEGER) AS DATE) AS game_date, 'system' || system AS system_id,
    'player' || player AS player_lookup, '00225' || lpad(CAST(place * 10 + player % 9 AS VARCHAR), 5, '0') AS game_id,
    'points' AS market, line AS line_value, 'p' || i AS prediction_id, 'Player ' || player AS player_name,
    predicted AS predicted_value, CAST((50 + i % 45) / 100.0 AS DECIMAL(18, 9)) AS confidence_score,
    CAST((50 + i % 45) // 10 + 1 AS INTEGER) AS confidence_decile, pick AS recommendation, actual AS actual_value,
    CASE WHEN NOT sat_out THEN CAST(12 + i % 28 AS DECIMAL(18, 9)) END AS minutes_played,
    abs(predicted - actual) AS absolute_error, predicted - actual AS signed_error, predicted - line AS predicted_margin,
    actual - line AS actual_margin, abs(predicted - actual) <= 3 AS within_3, abs(predicted - actual) <= 5 AS within_5,
    outcome, CASE outcome WHEN 'win' THEN true WHEN 'loss' THEN false END AS prediction_correct,
    sat_out AS is_voided, CASE WHEN sat_out THEN 'dnp_unknown' END AS void_reason, 'ACTUAL_PROP' AS line_source,
    'acme' AS bookmaker, -110 AS over_price, -110 AS under_price, line IS NOT NULL AS has_prop_line,
    'v' || (1 + system % 3) AS model_version,
    'nightly-' || place || CASE WHEN copy = 1 THEN '' ELSE '-again' END AS run_id,
    strftime(
        TIMESTAMP '2025-10-22 11:00:00' + to_days(CAST(place AS INTEGER)) + to_seconds(i % 60)
            + to_minutes(95 * (CAST(copy AS INTEGER) - 1)),
        '%Y-%m-%dT%H:%M:%SZ'
    ) AS graded_at
FROM (
    SELECT *, 1 AS copy FROM judged
    UNION ALL
    SELECT judged.*, 2 AS copy FROM judged
    JOIN (
        SELECT unnest(CAST($places AS BIGINT[])) AS place, unnest(CAST($counts AS BIGINT[])) AS doubled
    ) AS incident USING (place)
    WHERE nth < doubled
) AS stood
ORDER BY place, copy, nth
