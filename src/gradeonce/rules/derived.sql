-- What follows from grades: sums, never rates, so that those of any dates, systems and markets are exact by adding up.

-- name: paid
-- Grades with what each of them weighs. A bet is a final line that won or lost, with a stake of 1; an error is that of
-- anybody who played, on every line. A price that is no American odds is none. A profit has nine places: an engine that
-- divides in binary rounds to the same ninth place as one that divides in decimals, for odds of any size that are offered.
SELECT
    *,
    CASE
        WHEN outcome = 'loss' THEN -1
        ELSE CAST(CASE WHEN odds > 0 THEN odds / 100.0 ELSE 100.0 / -odds END AS DECIMAL(38, 9))
    END AS profit,
    CAST(CASE WHEN prediction_correct THEN 1 - confidence ELSE confidence END AS DECIMAL(18, 9)) AS confidence_error
FROM (
    SELECT
        *,
        is_final_line AND outcome IN ('win', 'loss') AS is_bet,
        outcome <> 'void' AND actual_value IS NOT NULL AS has_error,
        coalesce(abs(price) >= 100, false) AS is_real_price,
        CASE WHEN abs(price) >= 100 THEN price ELSE {assumed_odds} END AS odds
    FROM (
        SELECT
            {groups}, outcome, void_reason, actual_value,
            CAST(signed_error AS DECIMAL(18, 9)) AS signed_error,
            CAST(absolute_error AS DECIMAL(18, 9)) AS absolute_error,
            within_3, within_5, prediction_correct,
            CAST(confidence_score AS DECIMAL(18, 9)) AS confidence,
            coalesce(is_final_line, false) AS is_final_line,
            CASE recommendation WHEN 'OVER' THEN over_price WHEN 'UNDER' THEN under_price END AS price
        FROM ({grades}) AS grades
        WHERE {in_scope}
    ) AS chosen
) AS judged

-- name: sums
-- How outcomes add up, the record of final lines, sums of errors and profits. Squares are cut after 12 places (a product
-- of two DECIMAL(18, 9) has 18), which leaves room for sums up to 1e26.
count(*) AS predictions,
count(*) FILTER (WHERE outcome = 'win') AS win,
count(*) FILTER (WHERE outcome = 'loss') AS loss,
count(*) FILTER (WHERE outcome = 'push') AS push,
count(*) FILTER (WHERE outcome = 'no_bet') AS no_bet,
count(*) FILTER (WHERE outcome = 'void') AS void,
count(*) FILTER (WHERE outcome = 'ungradable') AS ungradable,
count(*) FILTER (WHERE outcome = 'pending') AS pending,
count(*) FILTER (WHERE is_final_line) AS picks,
count(*) FILTER (WHERE is_final_line AND outcome = 'win') AS wins,
count(*) FILTER (WHERE is_final_line AND outcome = 'loss') AS losses,
count(*) FILTER (WHERE is_final_line AND outcome = 'push') AS pushes,
count(signed_error) FILTER (WHERE has_error) AS errors,
sum(signed_error) FILTER (WHERE has_error) AS sum_signed_error,
sum(absolute_error) FILTER (WHERE has_error) AS sum_absolute_error,
sum(CAST(signed_error * signed_error AS DECIMAL(38, 12))) FILTER (WHERE has_error) AS sum_squared_error,
count(*) FILTER (WHERE has_error AND within_3) AS within_3,
count(*) FILTER (WHERE has_error AND within_5) AS within_5,
count(confidence_error) FILTER (WHERE is_bet) AS confidences,
sum(confidence_error * confidence_error) FILTER (WHERE is_bet) AS sum_squared_confidence_error,
count(*) FILTER (WHERE is_bet AND is_real_price) AS bets_at_real_price,
sum(profit) FILTER (WHERE is_bet) AS sum_profit

-- name: daily
-- One row per date, system and market. Grades that were adopted may name none: they are counted too.
SELECT game_date, coalesce(system_id, '(none)') AS system_id, coalesce(market, '(none)') AS market, {sums},
    sum(profit) FILTER (WHERE is_bet AND is_real_price) AS profit_at_real_price,
    count(*) FILTER (WHERE void_reason = 'dnp_injury_confirmed') AS void_injury_confirmed,
    count(*) FILTER (WHERE void_reason = 'dnp_late_scratch') AS void_late_scratch,
    count(*) FILTER (WHERE void_reason = 'dnp_unknown') AS void_unknown,
    count(*) FILTER (WHERE void_reason = 'game_moved') AS void_game_moved
FROM ({paid}) AS paid
GROUP BY 1, 2, 3

-- name: outcomes_add_up
-- What breaks G6.
predictions <> win + loss + push + no_bet + void + ungradable + pending
