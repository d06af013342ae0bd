-- kind: injuries
-- about: The NBA's official injury report, parsed from its PDF.
-- needs: game date, matchup, player name, current status
-- optional: reason
-- The report's own columns: names are "Last, First", the match-up is "AWAY@HOME". Rows of teams that have not yet
-- submitted name nobody and are set aside.
SELECT
    "Player Name" AS player_name,
    game_code(game_day, split_part(Matchup, '@', 1), split_part(Matchup, '@', 2)) AS game_id,
    game_day AS game_date,
    "Current Status" AS status,
    Reason AS reason,
    CASE WHEN "Player Name" IS NULL THEN 'names no player' END AS _refused,
    _file,
    _row
FROM (
    SELECT
        *,
        coalesce(TRY_CAST("Game Date" AS DATE), CAST(try_strptime("Game Date", ['%m/%d/%Y', '%m/%d/%y']) AS DATE)) AS game_day
    FROM {rows}
)
