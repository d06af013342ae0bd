-- check: systems
-- number: 7
-- severity: warn
-- about: No system stops without being missed, and none appears unannounced.
-- fix: Ask its owner. A name spelt differently shows as one that stopped and one that appeared.

-- name: habits
-- Dates with predictions or box scores, in order, and how regularly each system predicted them.
WITH slates AS (
    SELECT game_date, row_number() OVER (ORDER BY game_date) AS place FROM (
        SELECT game_date FROM player_prop_predictions
        WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER) AND $last_date
        UNION
        SELECT game_date FROM player_game_actuals
        WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER) AND $last_date
    ) AS dates
),
seen AS (
    SELECT p.system_id, l.game_date, l.place,
        l.place - lag(l.place) OVER (PARTITION BY p.system_id ORDER BY l.place) AS gap
    FROM (SELECT DISTINCT system_id, game_date FROM player_prop_predictions) AS p
    JOIN slates l ON l.game_date = p.game_date
),
habits AS (
    SELECT system_id, count(*) AS slates, max(gap) AS longest_gap, max(place) AS place, max(game_date) AS last_seen
    FROM seen GROUP BY system_id
),
firsts AS (SELECT system_id, min(game_date) AS first_seen FROM player_prop_predictions GROUP BY system_id)

-- name: considered
-- Systems that predicted lately, if there is a date to compare another with.
{habits}
SELECT CASE WHEN (SELECT count(*) FROM slates) > 1 THEN (SELECT count(*) FROM habits) ELSE 0 END

-- name: findings
-- Stopped: it predicted three dates or more and has now been silent for longer than it ever was between them.
-- Appeared: its first prediction ever is in the range, and there were others before.
{habits}
SELECT h.system_id, 'stopped' AS change, h.last_seen AS game_date, e.place - h.place AS dates_missed
FROM habits h CROSS JOIN (SELECT max(place) AS place FROM slates) AS e
WHERE h.slates >= 3 AND e.place - h.place + 1 > h.longest_gap
UNION ALL
SELECT f.system_id, 'appeared', f.first_seen, NULL
FROM firsts f
WHERE f.first_seen BETWEEN $first_date AND $last_date
    AND (SELECT min(first_seen) FROM firsts) < $first_date
ORDER BY 1, 2
