-- What the box scores say, and what of it is put right later.

-- name: postponed
-- Purpose: one game that was predicted for its date and played five or more days later, on a day free for both teams.
CREATE TEMP TABLE postponed AS
WITH
predicted AS (
    SELECT game_no, count(*) AS picks FROM picks JOIN player_games USING (player_game_no) GROUP BY game_no
),
chosen AS (
    SELECT g.* FROM predicted JOIN games g USING (game_no)
    WHERE picks >= (SELECT avg(picks) FROM predicted)
    ORDER BY bits('postponed', game_no) LIMIT 1
)
SELECT c.game_no, c.game_date, min(c.game_date + later::INTEGER) AS played_date
FROM chosen c CROSS JOIN (SELECT unnest(range(5, 30)) AS later)
WHERE NOT EXISTS (
    SELECT 1 FROM games o
    WHERE o.game_date = c.game_date + later::INTEGER
        AND (o.home IN (c.home, c.away) OR o.away IN (c.home, c.away))
)
GROUP BY ALL

-- name: planted
-- Purpose: players who played and were predicted, and whom the box score leaves out (`missing`) or whose points are
-- corrected later (`corrected`, by `points_change`).
CREATE TEMP TABLE planted AS
SELECT player_game_no, CASE WHEN place <= wanted THEN 'missing' ELSE 'corrected' END AS plant,
    CASE WHEN place > wanted THEN CASE WHEN points >= 8 AND place % 2 = 0 THEN -2 ELSE 1 + place % 3 END END
        AS points_change
FROM (
    SELECT player_game_no, points, row_number() OVER (ORDER BY bits('planted', player_game_no)) AS place,
        greatest(1, least(12, (SELECT count(*) FROM picks) // 100)) AS wanted
    FROM player_games
    WHERE fate = 'played'
        AND player_game_no IN (
            SELECT player_game_no FROM predictions WHERE market = 'points' AND counts
        )
        AND player_game_no NOT IN (SELECT player_game_no FROM reports)
        AND game_no NOT IN (SELECT game_no FROM postponed)
)
WHERE place <= wanted + least(wanted, 6)

-- name: box_scores
-- Purpose: the box scores as first published, and `corrected_points` where a correction follows. Half of those who
-- were reported out from the start are not listed at all; one in a hundred who played has no DNP flag, which proves
-- nothing.
CREATE TEMP TABLE box_scores AS
SELECT g.player_game_no, g.player_name, g.player_lookup, g.game_id, g.team, g.opponent, g.fate,
    coalesce(p.played_date, g.game_date) AS game_date,
    g.tipoff_at + coalesce(p.played_date - p.game_date, 0) * INTERVAL 1 DAY
        + (150 + g.game_no % 30) * INTERVAL 1 MINUTE AS recorded_at,
    CASE
        WHEN g.fate = 'dnp_unflagged' THEN NULL
        WHEN g.fate = 'played' THEN CASE WHEN uniform(g.fate_draw, 3) >= 0.01 THEN false END
        ELSE g.fate <> 'played_seconds'
    END AS is_dnp,
    -- Whether the box score shows numbers; they are zeros for all but those who played longer than seconds.
    g.fate IN ('played', 'played_seconds', 'dnp_unflagged') AS shown,
    CASE WHEN shown THEN g.seconds * (g.fate = 'played')::INTEGER END AS seconds,
    CASE WHEN shown THEN g.points * (g.fate = 'played')::INTEGER END AS points,
    CASE WHEN shown THEN g.rebounds * (g.fate = 'played')::INTEGER END AS rebounds,
    CASE WHEN shown THEN g.assists * (g.fate = 'played')::INTEGER END AS assists,
    CASE WHEN shown THEN g.threes * (g.fate = 'played')::INTEGER END AS threes,
    g.points + x.points_change AS corrected_points
FROM player_games g
LEFT JOIN postponed p USING (game_no)
LEFT JOIN planted x USING (player_game_no)
LEFT JOIN reports r USING (player_game_no)
WHERE coalesce(x.plant, '') <> 'missing'
    AND NOT (g.fate = 'out_reported' AND r.first_status = r.last_status AND uniform(g.fate_draw, 3) < 0.5)
