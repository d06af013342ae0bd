-- check: prediction_volume
-- number: 3
-- severity: warn
-- about: Each system predicts about as much per game as it usually does, and a date stays within the fixed bounds.
-- fix: Ask the system's owner what changed; load what is missing, then grade those dates again.

-- name: days
-- Dates with predictions or box scores, and how many games each has: slates differ, so volumes are compared per game.
days AS (
    SELECT coalesce(s.game_date, p.game_date) AS game_date, greatest(coalesce(s.games, 0), coalesce(p.games, 0)) AS games
    FROM (
        SELECT game_date, count(DISTINCT game_id) AS games FROM player_prop_predictions
        WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER) AND $last_date GROUP BY game_date
    ) AS s
    FULL JOIN (
        SELECT game_date, count(DISTINCT game_id) AS games FROM player_game_actuals
        WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER) AND $last_date GROUP BY game_date
    ) AS p ON p.game_date = s.game_date
),
counted AS (
    SELECT game_date, system_id, count(DISTINCT prediction_id) AS predictions FROM player_prop_predictions
    WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER) AND $last_date
    GROUP BY game_date, system_id
)

-- name: ranges
-- What is usual for each system and date: the median per game of the days before, give or take so many times their
-- median deviation. The deviation is at least a tenth of the median: a system may be regular to the last pick.
{days},
volumes AS (
    SELECT d.game_date, s.system_id, d.games, coalesce(c.predictions, 0) AS predictions,
        CAST(coalesce(c.predictions, 0) AS FLOAT8) / d.games AS per_game
    FROM days d
    JOIN (SELECT system_id, min(game_date) AS since FROM counted GROUP BY system_id) AS s ON s.since <= d.game_date
    LEFT JOIN counted c ON c.game_date = d.game_date AND c.system_id = s.system_id
),
placed AS (
    SELECT v.game_date, v.system_id, v.games, v.predictions, v.per_game, h.per_game AS before,
        count(h.per_game) OVER (PARTITION BY v.game_date, v.system_id) AS days,
        row_number() OVER (PARTITION BY v.game_date, v.system_id ORDER BY h.per_game) AS place
    FROM volumes v
    LEFT JOIN volumes h ON h.system_id = v.system_id AND h.predictions > 0
        AND h.game_date BETWEEN v.game_date - CAST($usual_days AS INTEGER) AND v.game_date - 1
    WHERE v.game_date BETWEEN $first_date AND $last_date
),
medians AS (
    SELECT game_date, system_id, avg(before) FILTER (WHERE {in_the_middle}) AS usual FROM placed GROUP BY game_date, system_id
),
deviating AS (
    SELECT p.game_date, p.system_id, p.games, p.predictions, p.per_game, p.days, m.usual, abs(p.before - m.usual) AS off,
        row_number() OVER (PARTITION BY p.game_date, p.system_id ORDER BY abs(p.before - m.usual)) AS place
    FROM placed p JOIN medians m ON m.game_date = p.game_date AND m.system_id = p.system_id
),
deviations AS (
    SELECT game_date, system_id, games, predictions, per_game, days, usual,
        avg(off) FILTER (WHERE {in_the_middle}) AS deviation
    FROM deviating
    GROUP BY game_date, system_id, games, predictions, per_game, days, usual
),
ranges AS (
    SELECT game_date, system_id, games, predictions, per_game, days, usual,
        CAST($volume_deviations AS FLOAT8) * greatest(1.4826 * deviation, 0.1 * usual) AS reach
    FROM deviations
),
totals AS (
    SELECT d.game_date, coalesce(sum(c.predictions), 0) AS predictions, d.games
    FROM days d LEFT JOIN counted c ON c.game_date = d.game_date
    WHERE d.game_date BETWEEN $first_date AND $last_date
    GROUP BY d.game_date, d.games
)

-- name: in_the_middle
-- The place, or the two, whose mean is the median. No function for it is spelled alike on every warehouse.
2 * place BETWEEN days AND days + 2

-- name: considered
-- Systems and dates with enough days before them, and dates that have bounds.
WITH {ranges}
SELECT (SELECT count(*) FROM ranges WHERE days >= 7)
    + (SELECT count(*) FROM totals WHERE $volume_minimum > 0 OR $volume_maximum > 0)

-- name: findings
-- Systems out of their range warn; dates out of the fixed bounds fail.
WITH {ranges}
SELECT game_date, system_id, predictions, games,
    CAST(greatest(0, ceil((usual - reach) * games)) AS INTEGER) AS lowest,
    CAST(floor((usual + reach) * games) AS INTEGER) AS highest, 'warn' AS severity
FROM ranges WHERE days >= 7 AND (abs(per_game - usual) > reach OR predictions = 0)
UNION ALL
SELECT game_date, NULL, CAST(predictions AS BIGINT), games,
    CAST($volume_minimum AS INTEGER), CAST(nullif($volume_maximum, 0) AS INTEGER), 'fail'
FROM totals WHERE predictions < $volume_minimum OR ($volume_maximum > 0 AND predictions > $volume_maximum)
ORDER BY 1, 2

-- name: notes
-- Systems that are too new to have a range.
WITH {ranges}
SELECT system_id || ': too few days to know its usual volume (' || CAST(max(days) AS VARCHAR) || '; 7 are needed)'
FROM ranges WHERE days > 0 GROUP BY system_id HAVING max(days) < 7 ORDER BY 1
