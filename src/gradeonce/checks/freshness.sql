-- check: freshness
-- number: 6
-- severity: warn
-- about: Predictions, box scores and grades keep coming in.
-- fix: See why the feed or the grading stopped: `gradeonce status --todo`, `gradeonce runs`.

-- name: ages
-- The newest of each kind, by the fences and the ledger, whatever the range.
WITH newest AS (
    SELECT 'predictions' AS kind, max(published_at) AS newest_at, CAST($predictions_warn_hours AS FLOAT8) AS warn_hours,
        CAST($predictions_fail_hours AS FLOAT8) AS fail_hours
    FROM publish_fences WHERE table_name = 'player_prop_predictions' AND rows > 0
    UNION ALL
    SELECT 'box scores', max(published_at), CAST($actuals_warn_hours AS FLOAT8), CAST($actuals_fail_hours AS FLOAT8)
    FROM publish_fences WHERE table_name = 'player_game_actuals' AND rows > 0
    UNION ALL
    SELECT 'grades', max(graded_at), CAST($grades_warn_hours AS FLOAT8), CAST($grades_fail_hours AS FLOAT8)
    FROM grading_runs WHERE status IN ('published', 'unchanged')
),
ages AS (
    SELECT kind, newest_at, warn_hours, fail_hours,
        CAST(extract(epoch FROM CAST($now AS TIMESTAMP) - CAST(substr(newest_at, 1, 26) AS TIMESTAMP)) AS FLOAT8) / 3600 AS hours
    FROM newest WHERE newest_at IS NOT NULL AND newest_at <> ''
)

-- name: considered
-- Kinds of which there is any.
{ages}
SELECT count(*) FROM ages

-- name: findings
-- Kinds that are older than their limit.
{ages}
SELECT kind, newest_at, CAST(hours AS DECIMAL(18, 1)) AS hours_old,
    CASE WHEN hours > fail_hours THEN fail_hours ELSE warn_hours END AS limit_hours,
    CASE WHEN hours > fail_hours THEN 'fail' ELSE 'warn' END AS severity
FROM ages WHERE hours > warn_hours OR hours > fail_hours
ORDER BY hours DESC

-- name: notes
-- Kinds of which there never was any.
{ages}
SELECT k.kind || ': none yet' FROM (SELECT 'predictions' AS kind UNION ALL SELECT 'box scores' UNION ALL SELECT 'grades') AS k
WHERE k.kind NOT IN (SELECT kind FROM ages) AND (SELECT count(*) FROM ages) > 0
ORDER BY 1
