-- Teams, invented players, and a schedule in which every team plays at most once a day.

-- name: teams
-- Purpose: the league's thirty abbreviations; nothing else of it is real.
CREATE TEMP TABLE teams AS
SELECT unnest(range(30)) AS team_no, unnest([
    'ATL', 'BOS', 'BKN', 'CHA', 'CHI', 'CLE', 'DAL', 'DEN', 'DET', 'GSW', 'HOU', 'IND', 'LAC', 'LAL', 'MEM',
    'MIA', 'MIL', 'MIN', 'NOP', 'NYK', 'OKC', 'ORL', 'PHI', 'PHX', 'POR', 'SAC', 'SAS', 'TOR', 'UTA', 'WAS'
]) AS team

-- name: names
-- Purpose: 390 invented names, no two of which meet under one lookup. Some carry accents, apostrophes and suffixes,
-- because real ones do.
CREATE TEMP TABLE names AS
SELECT player_name, player_lookup, row_number() OVER (ORDER BY draw, player_lookup) - 1 AS player_no
FROM (
    SELECT
        first_name || ' ' || last_name || CASE
            WHEN uniform(draw, 0) < 0.04 THEN ' Jr.' WHEN uniform(draw, 0) < 0.06 THEN ' III' ELSE ''
        END AS player_name,
        regexp_replace(lower(strip_accents(first_name || last_name)), '[^a-z]', '', 'g') AS player_lookup,
        draw
    FROM (
        SELECT first_name, stem || ending AS last_name, bits('name', concat_ws(' ', first_name, stem, ending)) AS draw
        FROM (SELECT unnest([
            'Abel', 'Andor', 'Arlo', 'Bastien', 'Boone', 'Caspian', 'Corwin', 'Dacian', 'Dario', 'Edric', 'Eliot',
            'Emeka', 'Fenn', 'Gideon', 'Hakon', 'Idris', 'Ignác', 'Jarek', 'Jorah', 'Kofi', 'Lazar', 'Leopold',
            'Maceo', 'Matías', 'Nestor', 'Niko', 'Odell', 'Orin', 'Pavel', 'Quill', 'Rafferty', 'Remy', 'Sorin',
            'Stellan', 'Tavish', 'Teo', 'Ulric', 'Viggo', 'Wendell', 'Zeb'
        ]) AS first_name)
        CROSS JOIN (SELECT unnest([
            'Ander', 'Bal', 'Brack', 'Cald', 'Corr', 'D''Ar', 'Dor', 'Esh', 'Fal', 'Gant', 'Hal', 'Iver', 'Jask',
            'Kel', 'Lund', 'Mar', 'Nor', 'O''Bran', 'Pell', 'Quar', 'Rast', 'Sel', 'Tor', 'Ulm', 'Vel', 'Wex', 'Žar'
        ]) AS stem)
        CROSS JOIN (SELECT unnest([
            'adeen', 'ambo', 'aster', 'bury', 'dane', 'ekwu', 'elić', 'enko', 'gate', 'hollow', 'iñez', 'lake',
            'mond', 'nard', 'orsen', 'quist', 'ridge', 'stead', 'thorpe', 'ubar', 'vane', 'worth'
        ]) AS ending)
    )
    QUALIFY row_number() OVER (PARTITION BY player_lookup ORDER BY draw, first_name) = 1
)
QUALIFY player_no < 390

-- name: players
-- Purpose: thirteen players a team, from the star (rank 1) to the end of the bench. Tall ones rebound, small ones pass.
CREATE TEMP TABLE players AS
SELECT player_no, player_name, player_lookup, team, roster_rank,
    [34, 33, 31, 29, 26, 21, 18, 15.5, 12.5, 9, 6, 4, 3][roster_rank]::DOUBLE AS mean_minutes,
    [25, 19.5, 16, 13, 10.5, 9, 7.5, 6, 5, 3.5, 2.5, 2, 1.5][roster_rank]::DOUBLE
        * (0.85 + 0.3 * uniform(draw, 0)) AS mean_points,
    mean_minutes * (0.09 + 0.25 * uniform(draw, 1) * uniform(draw, 1)) AS mean_rebounds,
    mean_minutes * (0.04 + 0.18 * (1 - uniform(draw, 1)) * (1 - uniform(draw, 1))) AS mean_assists,
    0.45 * uniform(draw, 2) AS share_of_threes
FROM (
    SELECT n.*, t.team, n.player_no // 30 + 1 AS roster_rank, bits('player', n.player_no) AS draw
    FROM names n JOIN teams t ON t.team_no = n.player_no % 30
)

-- name: dates
-- Purpose: the days on which games are played: all but Thanksgiving, Christmas Eve and a week's break in winter,
-- counted from the first day.
CREATE TEMP TABLE dates AS
SELECT day_no, $start::DATE + day_no::INTEGER AS game_date, row_number() OVER (ORDER BY day_no) - 1 AS play_no
FROM (SELECT unnest(range($days::BIGINT)) AS day_no)
WHERE day_no NOT IN (37, 64, 115, 116, 117, 118, 119, 120)

-- name: pairings
-- Purpose: rounds in which all thirty teams play once (one team stands, the others walk round the circle), each round
-- in a window of two or three dates of its own. So 180 days hold 82 rounds: 1,230 games, 82 for every team.
CREATE TEMP TABLE pairings AS
WITH
size AS (SELECT greatest(1, round($days * 82 / 180.0))::BIGINT AS rounds, (SELECT count(*) FROM dates) AS play_dates),
rounds AS (
    SELECT round_no, round_no // 29 AS circle, round_no % 29 AS turn,
        round_no * play_dates // rounds AS first_play,
        (round_no + 1) * play_dates // rounds - round_no * play_dates // rounds AS window_dates,
        0.2 + 0.6 * uniform(bits('round', round_no), 0) AS share_of_first
    FROM (SELECT unnest(range(rounds)) AS round_no, rounds, play_dates FROM size)
),
seats AS (
    SELECT circle, team,
        row_number() OVER (PARTITION BY circle ORDER BY bits('seat', circle * 30 + team_no)) - 1 AS seat
    FROM teams CROSS JOIN (SELECT DISTINCT circle FROM rounds)
),
tables AS (
    SELECT r.*, table_no, CASE WHEN table_no = 0 THEN 29 ELSE (turn + table_no) % 29 END AS seat_a,
        (turn - table_no + 29) % 29 AS seat_b, bits('pairing', round_no * 15 + table_no) AS draw
    FROM rounds r CROSS JOIN (SELECT unnest(range(15)) AS table_no)
)
SELECT round_no, table_no, d.day_no, d.game_date, t.draw,
    CASE WHEN uniform(t.draw, 0) < 0.5 THEN a.team ELSE b.team END AS home,
    CASE WHEN uniform(t.draw, 0) < 0.5 THEN b.team ELSE a.team END AS away
FROM tables t
JOIN seats a ON a.circle = t.circle AND a.seat = t.seat_a
JOIN seats b ON b.circle = t.circle AND b.seat = t.seat_b
JOIN dates d ON d.play_no = t.first_play + CASE
    WHEN window_dates = 1 OR uniform(t.draw, 1) < share_of_first THEN 0
    ELSE 1 + floor(uniform(t.draw, 2) * (window_dates - 1))::BIGINT
END

-- name: games
-- Purpose: the schedule, with ten-digit ids in its order. Tip-off from 7 pm to 10:30 pm Eastern, so mostly on the next
-- day in UTC.
CREATE TEMP TABLE games AS
SELECT game_no, printf('002%02d%05d', year($start::DATE - INTERVAL 6 MONTH) % 100, game_no) AS game_id,
    day_no, game_date, home, away,
    timezone('UTC', timezone('America/New_York', game_date + INTERVAL 19 HOUR + half_hours * INTERVAL 30 MINUTE))
        AS tipoff_at
FROM (
    SELECT *, row_number() OVER (ORDER BY game_date, half_hours, home) AS game_no
    FROM (SELECT *, floor(uniform(draw, 3) * 8)::BIGINT AS half_hours FROM pairings)
)
