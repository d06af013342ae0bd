-- check: confidence_scale
-- number: 5
-- severity: fail
-- about: Confidence is a probability, and a system writes all of them on one scale, 0 to 1 or percent.
-- fix: Load the predictions named again, with confidence on the scale that the system uses.

-- name: considered
-- Predictions in the range that have a confidence.
SELECT count(*) FROM player_prop_predictions
WHERE game_date BETWEEN $first_date AND $last_date AND confidence_score IS NOT NULL

-- name: findings
-- 0 and 1 are on both scales. Of a system on two, those are named that are on the one it uses less.
WITH scaled AS (
    SELECT game_date, system_id, prediction_id, confidence_score,
        CASE
            WHEN confidence_score < 0 OR confidence_score > 100 THEN 'none'
            WHEN confidence_score > 1 THEN 'percent'
            WHEN confidence_score > 0 AND confidence_score < 1 THEN '0 to 1'
        END AS scale
    FROM player_prop_predictions
    WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER) AND $last_date
        AND confidence_score IS NOT NULL
),
used AS (
    SELECT system_id, count(*) FILTER (WHERE scale = 'percent') AS percents, count(*) FILTER (WHERE scale = '0 to 1') AS shares
    FROM scaled GROUP BY system_id
)
SELECT s.game_date, s.system_id, s.prediction_id, s.confidence_score,
    CASE
        WHEN s.scale = 'none' THEN 'outside every scale'
        WHEN s.scale = 'percent' THEN 'percent, where the system mostly says 0 to 1'
        ELSE '0 to 1, where the system mostly says percent'
    END AS problem
FROM scaled s JOIN used u ON u.system_id = s.system_id
WHERE s.game_date BETWEEN $first_date AND $last_date
    AND (
        s.scale = 'none'
        OR (s.scale = 'percent' AND u.shares > 0 AND u.percents <= u.shares)
        OR (s.scale = '0 to 1' AND u.percents > u.shares)
    )
ORDER BY 1, 2, 3
