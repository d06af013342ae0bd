-- Counts and exact sums over the grades. Python makes figures of them; nothing here divides, except a price into a profit.

-- name: in_scope
-- Purpose: the condition that a row belongs to what was asked for. Values are folded before planning, so files of other
-- dates are not read. An empty list means all.
game_date BETWEEN coalesce($from_date::DATE, DATE '0001-01-01') AND coalesce($to_date::DATE, DATE '9999-12-31')
    AND (coalesce(array_length($systems::VARCHAR[], 1), 0) = 0 OR system_id = ANY($systems::VARCHAR[]))
    AND (coalesce(array_length($markets::VARCHAR[], 1), 0) = 0 OR market = ANY($markets::VARCHAR[]))

-- name: graded
-- Purpose: the grades that stand.
SELECT * FROM prediction_accuracy

-- name: graded_and_ungraded
-- Purpose: the grades that stand, and predictions that count but have no grade yet.
SELECT
    game_date, system_id, player_lookup, market, line_source, bookmaker, confidence_decile, void_reason, player_name,
    outcome, actual_value, graded_at, signed_error, absolute_error, within_3, within_5, prediction_correct,
    confidence_score, is_final_line, recommendation, over_price, under_price
FROM prediction_accuracy
UNION ALL
SELECT
    game_date, system_id, player_lookup, market, line_source, bookmaker, confidence_decile, CAST(NULL AS VARCHAR),
    player_name, outcome, CAST(NULL AS DECIMAL(18, 9)), CAST(NULL AS TIMESTAMP), CAST(NULL AS DECIMAL(18, 9)),
    CAST(NULL AS DECIMAL(18, 9)), CAST(NULL AS BOOLEAN), CAST(NULL AS BOOLEAN), CAST(NULL AS BOOLEAN),
    confidence_score, is_final_line, recommendation, over_price, under_price
FROM ({ungraded}) AS ungraded

-- name: figures
-- Purpose: one row a group and one for all. What the sums are: rules/derived.sql.
SELECT
    grouping(group_value) = 1 AS is_total,
    CAST(group_value AS VARCHAR) AS group_name,
    max(player_name) AS player_name,
    min(game_date) AS first_date,
    max(game_date) AS last_date,
    max(graded_at) AS data_at,
    {sums}
FROM ({paid}) AS paid
GROUP BY GROUPING SETS ((group_value), ())
ORDER BY is_total, {order}

-- name: calibration
-- Purpose: bets (final lines that won or lost) per system and decile of confidence; the last decile is null: none given.
SELECT
    system_id,
    confidence_decile,
    count(*) AS bets,
    count(*) FILTER (WHERE prediction_correct) AS wins,
    sum(confidence_score) AS sum_confidence,
    min(game_date) AS first_date,
    max(game_date) AS last_date,
    max(graded_at) AS data_at
FROM prediction_accuracy
WHERE is_final_line AND outcome IN ('win', 'loss') AND {in_scope}
GROUP BY system_id, confidence_decile
ORDER BY system_id, confidence_decile NULLS LAST

-- name: comparison
-- Purpose: two systems on the same picks: same player, game and market, each on its final line, and the same line.
-- The date is part of it: a game that moved may have picks for both dates.
WITH finals AS (
    SELECT
        system_id, player_lookup, game_id, market, line_value, game_date, graded_at, outcome,
        outcome IN ('win', 'loss') AS is_bet,
        CASE WHEN outcome <> 'void' AND actual_value IS NOT NULL THEN absolute_error END AS absolute_error
    FROM prediction_accuracy
    WHERE is_final_line AND {in_scope}
),
pairs AS (
    SELECT
        one.system_id IS NOT NULL AS has_first,
        other.system_id IS NOT NULL AS has_second,
        one.system_id IS NOT NULL AND other.system_id IS NOT NULL AS has_both,
        one.line_value IS NOT DISTINCT FROM other.line_value AS is_same_line,
        one.is_bet AND other.is_bet AS is_decided,
        one.outcome = 'win' AS first_won,
        other.outcome = 'win' AS second_won,
        one.absolute_error AS first_error,
        other.absolute_error AS second_error,
        CAST(one.absolute_error - other.absolute_error AS DECIMAL(18, 9)) AS difference,
        coalesce(one.game_date, other.game_date) AS game_date,
        greatest(one.graded_at, other.graded_at) AS graded_at
    FROM (SELECT * FROM finals WHERE system_id = $system_a) AS one
    FULL JOIN (SELECT * FROM finals WHERE system_id = $system_b) AS other
        ON other.player_lookup = one.player_lookup AND other.game_id = one.game_id AND other.market = one.market
            AND other.game_date = one.game_date
),
same AS (
    SELECT *, has_both AND is_same_line AS is_shared FROM pairs
)
SELECT
    min(game_date) AS first_date,
    max(game_date) AS last_date,
    max(graded_at) AS data_at,
    count(*) FILTER (WHERE has_first) AS picks_a,
    count(*) FILTER (WHERE has_second) AS picks_b,
    count(*) FILTER (WHERE is_shared) AS shared_picks,
    count(*) FILTER (WHERE has_both AND NOT is_shared) AS other_line,
    count(*) FILTER (WHERE is_shared AND is_decided) AS decided,
    count(*) FILTER (WHERE is_shared AND is_decided AND first_won AND second_won) AS both_right,
    count(*) FILTER (WHERE is_shared AND is_decided AND first_won AND NOT second_won) AS only_a_right,
    count(*) FILTER (WHERE is_shared AND is_decided AND NOT first_won AND second_won) AS only_b_right,
    count(*) FILTER (WHERE is_shared AND is_decided AND NOT first_won AND NOT second_won) AS both_wrong,
    count(difference) FILTER (WHERE is_shared) AS errors,
    sum(first_error) FILTER (WHERE is_shared AND difference IS NOT NULL) AS sum_error_a,
    sum(second_error) FILTER (WHERE is_shared AND difference IS NOT NULL) AS sum_error_b,
    sum(difference) FILTER (WHERE is_shared) AS sum_difference,
    sum(CAST(difference * difference AS DECIMAL(38, 12))) FILTER (WHERE is_shared) AS sum_squared_difference
FROM same

-- name: ungraded
-- Purpose: predictions that count but whose business key has no grade, as pending rows. A pick that has graded lines keeps
-- the final line it has there until it is graded again, so that it is not counted as two picks.
SELECT
    s.game_date, s.system_id, s.player_lookup, s.game_id, s.market, s.line_value, s.prediction_id, s.player_name,
    s.predicted_value, s.confidence AS confidence_score, s.recommendation, s.line_source, s.bookmaker, s.over_price,
    s.under_price, 'pending' AS outcome,
    CASE WHEN s.confidence IS NOT NULL THEN least(10, CAST(floor(s.confidence * 10) AS INTEGER) + 1) END
        AS confidence_decile,
    s.is_final_line AND NOT EXISTS (
        SELECT 1 FROM prediction_accuracy g
        WHERE g.system_id = s.system_id AND g.player_lookup = s.player_lookup AND g.game_id = s.game_id
            AND g.market = s.market
    ) AS is_final_line
FROM ({selected}) AS s
WHERE NOT EXISTS (
    SELECT 1 FROM prediction_accuracy g
    WHERE g.system_id = s.system_id AND g.player_lookup = s.player_lookup AND g.game_id = s.game_id
        AND g.market = s.market AND g.line_value IS NOT DISTINCT FROM s.line_value
)
