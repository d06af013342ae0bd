-- check: accuracy_drift
-- number: 11
-- severity: warn
-- about: A system's win rate and mean error of late are what they were before, within their interval.
-- fix: Look closer with `gradeonce report --by date --system NAME`; a changed model belongs in `model_version`.

-- name: figures
-- Figures of final lines, of the last days and of those before, each with its interval: Wilson's for a rate, the
-- normal one for a mean. The difference has Newcombe's interval, made of the two.
WITH sums AS (
    SELECT system_id, game_date > CAST($last_date AS DATE) - CAST($drift_days AS INTEGER) AS is_recent,
        CAST(count(*) FILTER (WHERE outcome = 'win') AS FLOAT8) AS wins,
        CAST(count(*) FILTER (WHERE outcome IN ('win', 'loss')) AS FLOAT8) AS bets,
        CAST(count(absolute_error) FILTER (WHERE outcome <> 'void') AS FLOAT8) AS errors,
        avg(CAST(absolute_error AS FLOAT8)) FILTER (WHERE outcome <> 'void') AS mae,
        var_samp(CAST(absolute_error AS FLOAT8)) FILTER (WHERE outcome <> 'void') AS spread
    FROM prediction_accuracy
    WHERE is_final_line AND game_date BETWEEN
        CAST($last_date AS DATE) - CAST($drift_days AS INTEGER) - CAST($drift_baseline_days AS INTEGER) + 1 AND $last_date
    GROUP BY 1, 2
),
rates AS (
    SELECT system_id, is_recent, 'win rate' AS figure, bets AS n, wins / bets AS value,
        (wins / bets + z * z / (2 * bets) - z * sqrt(wins / bets * (1 - wins / bets) / bets + z * z / (4 * bets * bets)))
            / (1 + z * z / bets) AS low,
        (wins / bets + z * z / (2 * bets) + z * sqrt(wins / bets * (1 - wins / bets) / bets + z * z / (4 * bets * bets)))
            / (1 + z * z / bets) AS high
    FROM sums CROSS JOIN (SELECT CAST($drift_z AS FLOAT8) AS z) AS level WHERE bets > 0
    UNION ALL
    SELECT system_id, is_recent, 'mae', errors, mae, mae - z * sqrt(spread / errors), mae + z * sqrt(spread / errors)
    FROM sums CROSS JOIN (SELECT CAST($drift_z AS FLOAT8) AS z) AS level WHERE errors > 1
),
pairs AS (
    SELECT s.system_id, f.figure, r.n, r.value, b.n AS n_before, b.value AS value_before,
        coalesce(r.n, 0) >= $drift_minimum AND coalesce(b.n, 0) >= $drift_minimum AS is_enough,
        (r.value - b.value) - sqrt((r.value - r.low) * (r.value - r.low) + (b.high - b.value) * (b.high - b.value)) AS low,
        (r.value - b.value) + sqrt((r.high - r.value) * (r.high - r.value) + (b.value - b.low) * (b.value - b.low)) AS high
    FROM (SELECT DISTINCT system_id FROM sums WHERE is_recent) AS s
    CROSS JOIN (SELECT 'win rate' AS figure UNION ALL SELECT 'mae') AS f
    LEFT JOIN rates r ON r.system_id = s.system_id AND r.figure = f.figure AND r.is_recent
    LEFT JOIN rates b ON b.system_id = s.system_id AND b.figure = f.figure AND NOT b.is_recent
)

-- name: considered
-- Figures with enough picks on both sides.
{figures}
SELECT count(*) FROM pairs WHERE is_enough

-- name: findings
-- Differences whose interval leaves out 0. A better figure is one too: it may be a leak.
{figures}
SELECT system_id, figure, CAST(value AS DECIMAL(18, 4)) AS value, CAST(n AS INTEGER) AS n,
    CAST(value_before AS DECIMAL(18, 4)) AS value_before, CAST(n_before AS INTEGER) AS n_before,
    CAST(low AS DECIMAL(18, 4)) AS difference_low, CAST(high AS DECIMAL(18, 4)) AS difference_high,
    CASE WHEN (value < value_before) = (figure = 'win rate') THEN 'worse' ELSE 'better' END AS change
FROM pairs WHERE is_enough AND (low > 0 OR high < 0)
ORDER BY 1, 2 DESC

-- name: notes
-- Figures with too few picks to say.
{figures}
SELECT system_id || ': too few to judge its ' || figure || ' (' || CAST(CAST(coalesce(n, 0) AS INTEGER) AS VARCHAR)
    || ' of late, ' || CAST(CAST(coalesce(n_before, 0) AS INTEGER) AS VARCHAR) || ' before; '
    || CAST(CAST($drift_minimum AS INTEGER) AS VARCHAR) || ' are needed)'
FROM pairs WHERE NOT is_enough ORDER BY 1
