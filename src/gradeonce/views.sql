-- Figures that every query can ask for. They are computed when they are asked for, from the grades or from the daily sums
-- that are published with the grades, so they cannot disagree with either. One text for every warehouse. Each rate stands
-- beside its n; without any it is null, never 0. Intervals are Wilson's, at 95 %.

-- name: system_summary
-- One row per system: the record, errors and profit over all dates.
SELECT
    system_id, first_date, last_date, dates,
    predictions, win, loss, push, no_bet, void, ungradable, pending,
    CAST(win + loss + push AS FLOAT8) / predictions AS coverage,
    picks, wins, losses, pushes, bets,
    {win_rate} AS win_rate, {win_rate_low} AS win_rate_low, {win_rate_high} AS win_rate_high,
    profit_units, profit_units / nullif(bets, 0) AS roi, bets_at_real_price,
    errors,
    sum_absolute_error / nullif(errors, 0) AS mae,
    sqrt(sum_squared_error / nullif(errors, 0)) AS rmse,
    sum_signed_error / nullif(errors, 0) AS bias,
    CAST(within_3 AS FLOAT8) / nullif(errors, 0) AS within_3_rate,
    CAST(within_5 AS FLOAT8) / nullif(errors, 0) AS within_5_rate,
    confidences,
    sum_squared_confidence_error / nullif(confidences, 0) AS brier_score
FROM (
    SELECT
        system_id, min(game_date) AS first_date, max(game_date) AS last_date, count(DISTINCT game_date) AS dates,
        {counts},
        CAST(sum(wins + losses) AS BIGINT) AS bets,
        CAST(sum(sum_profit) AS FLOAT8) AS profit_units,
        CAST(sum(sum_absolute_error) AS FLOAT8) AS sum_absolute_error,
        CAST(sum(sum_squared_error) AS FLOAT8) AS sum_squared_error,
        CAST(sum(sum_signed_error) AS FLOAT8) AS sum_signed_error,
        CAST(sum(sum_squared_confidence_error) AS FLOAT8) AS sum_squared_confidence_error
    FROM system_daily_performance
    GROUP BY system_id
) AS s

-- name: system_roi
-- One row per system and market: what a stake of 1 on every bet brought, at real prices and at the assumed one.
SELECT
    system_id, market, first_date, last_date, bets, wins, losses,
    {win_rate} AS win_rate, {win_rate_low} AS win_rate_low, {win_rate_high} AS win_rate_high,
    profit_units, profit_units / nullif(bets, 0) AS roi,
    bets_at_real_price, profit_at_real_price,
    profit_at_real_price / nullif(bets_at_real_price, 0) AS roi_at_real_price,
    bets - bets_at_real_price AS bets_at_assumed_price,
    CASE WHEN bets > bets_at_real_price THEN profit_units - coalesce(profit_at_real_price, 0) END
        AS profit_at_assumed_price,
    (profit_units - coalesce(profit_at_real_price, 0)) / nullif(bets - bets_at_real_price, 0) AS roi_at_assumed_price
FROM (
    SELECT
        system_id, market, min(game_date) AS first_date, max(game_date) AS last_date,
        CAST(sum(wins + losses) AS BIGINT) AS bets,
        CAST(sum(wins) AS BIGINT) AS wins, CAST(sum(losses) AS BIGINT) AS losses,
        CAST(sum(bets_at_real_price) AS BIGINT) AS bets_at_real_price,
        CAST(sum(sum_profit) AS FLOAT8) AS profit_units,
        CAST(sum(profit_at_real_price) AS FLOAT8) AS profit_at_real_price
    FROM system_daily_performance
    GROUP BY system_id, market
) AS s

-- name: system_calibration
-- One row per system and decile of confidence: how sure it was, and how often it was right. Null decile: no confidence.
SELECT
    system_id, confidence_decile, bets, wins, losses, mean_confidence,
    {win_rate} AS win_rate, {win_rate_low} AS win_rate_low, {win_rate_high} AS win_rate_high
FROM (
    SELECT
        system_id, confidence_decile, count(*) AS bets,
        count(*) FILTER (WHERE outcome = 'win') AS wins, count(*) FILTER (WHERE outcome = 'loss') AS losses,
        CAST(sum(confidence_score) AS FLOAT8) / nullif(count(confidence_score), 0) AS mean_confidence
    FROM prediction_accuracy
    WHERE is_final_line AND outcome IN ('win', 'loss')
    GROUP BY system_id, confidence_decile
) AS s

-- name: player_performance
-- One row per player, system and market: how well that system sees this player.
SELECT
    player_lookup, player_name, system_id, market, first_date, last_date,
    predictions, win, loss, push, no_bet, void, ungradable, pending, bets, wins, losses,
    {win_rate} AS win_rate, {win_rate_low} AS win_rate_low, {win_rate_high} AS win_rate_high,
    errors,
    sum_absolute_error / nullif(errors, 0) AS mae,
    sum_signed_error / nullif(errors, 0) AS bias
FROM (
    SELECT
        player_lookup, max(player_name) AS player_name, system_id, market,
        min(game_date) AS first_date, max(game_date) AS last_date,
        count(*) AS predictions,
        count(*) FILTER (WHERE outcome = 'win') AS win,
        count(*) FILTER (WHERE outcome = 'loss') AS loss,
        count(*) FILTER (WHERE outcome = 'push') AS push,
        count(*) FILTER (WHERE outcome = 'no_bet') AS no_bet,
        count(*) FILTER (WHERE outcome = 'void') AS void,
        count(*) FILTER (WHERE outcome = 'ungradable') AS ungradable,
        count(*) FILTER (WHERE outcome = 'pending') AS pending,
        count(*) FILTER (WHERE is_final_line AND outcome IN ('win', 'loss')) AS bets,
        count(*) FILTER (WHERE is_final_line AND outcome = 'win') AS wins,
        count(*) FILTER (WHERE is_final_line AND outcome = 'loss') AS losses,
        count(signed_error) FILTER (WHERE outcome <> 'void') AS errors,
        CAST(sum(absolute_error) FILTER (WHERE outcome <> 'void') AS FLOAT8) AS sum_absolute_error,
        CAST(sum(signed_error) FILTER (WHERE outcome <> 'void') AS FLOAT8) AS sum_signed_error
    FROM prediction_accuracy
    GROUP BY player_lookup, system_id, market
) AS s

-- name: win_rate
-- wins / bets; null without a bet.
CAST(wins AS FLOAT8) / nullif(bets, 0)

-- name: win_rate_low
-- The lower end: (k + z²/2 - z·sqrt(k(n-k)/n + z²/4)) / (n + z²) of k wins in n bets, z = 1.95996. Rounding must not carry
-- it over the rate itself.
CASE WHEN bets > 0 THEN
    CASE WHEN wins = 0 THEN 0.0 ELSE
        (wins + 1.920729410347062 - 1.959963984540054 * sqrt(CAST(wins AS FLOAT8) * losses / bets + 0.960364705173531))
        / (bets + 3.841458820694124)
    END
END

-- name: win_rate_high
-- The upper end.
CASE WHEN bets > 0 THEN
    CASE WHEN losses = 0 THEN 1.0 ELSE
        (wins + 1.920729410347062 + 1.959963984540054 * sqrt(CAST(wins AS FLOAT8) * losses / bets + 0.960364705173531))
        / (bets + 3.841458820694124)
    END
END

-- name: total
-- One count over several dates.
CAST(sum({count}) AS BIGINT) AS {count}
