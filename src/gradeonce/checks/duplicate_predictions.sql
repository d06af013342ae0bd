-- check: duplicate_predictions
-- number: 2
-- severity: warn
-- about: Of one business key and instant, one prediction was loaded; else chance says which one counts.
-- fix: Load the wrong ones again with `is_active` false, and give every version a `created_at` of its own.

-- name: considered
-- Predictions in the range.
SELECT count(*) FROM player_prop_predictions WHERE game_date BETWEEN $first_date AND $last_date

-- name: findings
-- Of rivals with one key the latest created counts, so only a tie there is a duplicate: the rules settle it by the
-- highest id, the same way always, but no one meant it. It fails when the rivals contradict each other.
SELECT min(game_date) AS game_date, system_id, player_lookup, game_id, market, line_value, created_at,
    count(*) AS copies, min(prediction_id) AS prediction_id, max(prediction_id) AS counted_prediction_id,
    CASE
        WHEN count(DISTINCT predicted_value) > 1 OR count(DISTINCT coalesce(recommendation, '')) > 1
            OR count(DISTINCT coalesce(confidence_score, -1)) > 1
            THEN 'fail'
        ELSE 'warn'
    END AS severity
FROM (
    SELECT r.*, rank() OVER (
        PARTITION BY r.system_id, r.player_lookup, r.game_id, r.market, r.line_value
        ORDER BY r.created_at DESC NULLS LAST
    ) AS place
    FROM {refusals} AS r WHERE r.refused_reason IS NULL
) AS newest
WHERE place = 1
GROUP BY system_id, player_lookup, game_id, market, line_value, created_at
HAVING count(*) > 1
ORDER BY 1, 2, 3, 4, 5, 6
