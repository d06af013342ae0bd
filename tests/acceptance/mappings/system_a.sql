-- System A: a row per player and day, a column per market. Until 2025-12-18 its game ids are the NBA's; after that they are
-- invented and used again for other games, so the game is found in the schedule by date and team. A game that was postponed
-- keeps its id, and so do the predictions made for it.
SELECT
    'A' AS system_id,
    player_name,
    coalesce(nba_id, scheduled_id) AS game_id,
    game_date,
    stat.market AS market,
    stat.predicted AS predicted_value,
    CASE
        WHEN is_latest = '0' THEN 'superseded by a later version of its file'
        WHEN player_name IS NULL THEN 'nobody knows this player id'
    END AS _refused,
    _file,
    _row
FROM (
    SELECT
        sheet.*,
        coalesce(person.full_name, seen.player_name) AS player_name,
        CASE WHEN len(sheet.game_id) = 10 THEN sheet.game_id END AS nba_id,
        game.game_id AS scheduled_id,
        unnest([
            {'market': 'points', 'predicted': points},
            {'market': 'rebounds', 'predicted': rebounds},
            {'market': 'assists', 'predicted': assists},
            {'market': 'steals', 'predicted': steals},
            {'market': 'blocks', 'predicted': blocks},
            {'market': 'turnovers', 'predicted': turnovers},
            {'market': 'threes', 'predicted': three_pointers_made}
        ]) AS stat
    FROM (SELECT *, regexp_extract(source_file, '\d{4}-\d{2}-\d{2}') AS game_date FROM {rows}) AS sheet
    LEFT JOIN {players} AS person ON person.id = sheet.player_id
    LEFT JOIN (SELECT PLAYER_ID, any_value(PLAYER_NAME) AS player_name FROM {official} GROUP BY PLAYER_ID) AS seen
        ON seen.PLAYER_ID = sheet.player_id
    LEFT JOIN (
        SELECT game_id, date_est, home_team_id AS team_id FROM {schedule}
        UNION ALL
        SELECT game_id, date_est, away_team_id FROM {schedule}
    ) AS game ON game.date_est = sheet.game_date AND game.team_id = sheet.team_id
)
WHERE game_date BETWEEN '2025-12-06' AND '2026-01-10'
