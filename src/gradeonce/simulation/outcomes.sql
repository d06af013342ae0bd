-- What happened: who was fit, who played, and what he scored.

-- name: player_games
-- Purpose: one row for each player of both teams of each game, with his fate and, had he played, his numbers.
-- `form` is what a good forecast could know of this night; the rest is luck. Points, rebounds and assists of a night
-- go together, through the minutes and through luck shared.
CREATE TEMP TABLE player_games AS
WITH
drawn AS (
    SELECT g.game_no * 32 + CASE WHEN p.team = g.home THEN 0 ELSE 16 END + p.roster_rank AS player_game_no,
        g.game_no, g.game_id, g.game_date, g.tipoff_at, p.*,
        CASE WHEN p.team = g.home THEN g.away ELSE g.home END AS opponent,
        bits('spell', p.player_no * 1000 + g.day_no // 9) AS spell,
        bits('fate', player_game_no) AS fate_draw, bits('report', player_game_no) AS report_draw,
        bell(bits('form', player_game_no)) AS form, bell(bits('minutes', player_game_no)) AS minutes_luck,
        bell(bits('points', player_game_no)) AS points_luck, bell(bits('rebounds', player_game_no)) AS rebounds_luck,
        bell(bits('assists', player_game_no)) AS assists_luck
    FROM games g JOIN players p ON p.team IN (g.home, g.away)
),
fated AS (
    SELECT *,
        CASE
            WHEN uniform(spell, 0) < 0.05 THEN 'out_reported'
            WHEN uniform(fate_draw, 0) < 0.010 THEN 'late_scratch'
            WHEN uniform(fate_draw, 0) < 0.020 + CASE WHEN roster_rank > 10 THEN 0.03 ELSE 0 END THEN 'dnp_unreported'
            WHEN uniform(fate_draw, 1) < 0.004 THEN 'dnp_unflagged'
            WHEN uniform(fate_draw, 1) < 0.008 THEN 'played_seconds'
            ELSE 'played'
        END AS fate,
        least(2880, greatest(90, round(60 * mean_minutes * (1 + 0.12 * minutes_luck))))::INTEGER AS seconds
    FROM drawn
),
scored AS (
    SELECT *, 0.5 + seconds / (120 * mean_minutes) AS stay,
        greatest(0, round(
            mean_points * (1 + 0.12 * form) * stay + (0.9 + 1.05 * sqrt(mean_points)) * points_luck
        ))::INTEGER AS points,
        greatest(0, round(
            mean_rebounds * stay + sqrt(mean_rebounds) * (0.35 * points_luck + 0.85 * rebounds_luck)
        ))::INTEGER AS rebounds,
        greatest(0, round(
            mean_assists * stay + sqrt(mean_assists) * (0.35 * points_luck + 0.85 * assists_luck)
        ))::INTEGER AS assists
    FROM fated
)
SELECT *, least(points // 3, round(points * share_of_threes / 3)::INTEGER) AS threes
FROM scored

-- name: reports
-- Purpose: the injury report of a player for a game: the first status, and the last one where it changed.
CREATE TEMP TABLE reports AS
SELECT player_game_no, last_status, last_at,
    CASE WHEN changed THEN 'QUESTIONABLE' ELSE last_status END AS first_status,
    CASE WHEN changed THEN last_at - INTERVAL 5 HOUR ELSE last_at END AS first_at,
    ['left ankle sprain', 'right knee soreness', 'lower back tightness', 'illness', 'left hamstring strain']
        [1 + floor(uniform(draw, 3) * 5)::BIGINT] AS reason
FROM (
    SELECT player_game_no, report_draw AS draw, fate = 'out_reported' AND uniform(report_draw, 1) < 0.25 AS changed,
        tipoff_at - CASE
            WHEN changed THEN INTERVAL 90 MINUTE ELSE INTERVAL 7 HOUR
        END + floor(uniform(report_draw, 2) * 60)::BIGINT * INTERVAL 1 MINUTE AS last_at,
        CASE
            WHEN fate = 'out_reported' AND uniform(spell, 1) < 0.8 THEN 'OUT'
            WHEN fate = 'out_reported' THEN 'DOUBTFUL'
            WHEN uniform(report_draw, 0) < 0.7 THEN 'QUESTIONABLE'
            ELSE 'PROBABLE'
        END AS last_status
    FROM player_games
    WHERE fate IN ('out_reported', 'late_scratch') OR (fate = 'played' AND uniform(report_draw, 1) < 0.03)
)
