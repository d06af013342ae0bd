-- kind: actuals
-- about: Box scores with everybody on the roster, as nba_api's BoxScoreTraditionalV3 returns them.
-- needs: gameid, firstname, familyname, teamtricode, minutes, points, reboundstotal
-- reference: games (game_id, game_date)
-- Who did not play has a row of zeros with empty minutes: did not play, not "0 points". The box score carries no date, so
-- the games (one row each, or any file that repeats them, such as a league game log) must be given.
SELECT
    concat_ws(' ', line.firstName, line.familyName) AS player_name,
    nba_game_id(line.gameId) AS game_id,
    game.game_date,
    line.minutes AS minutes_played,
    line.minutes IS NULL AS is_dnp,
    team_code(line.teamTricode) AS team_abbr,
    opponent_of(line.teamTricode, game_teams[1], game_teams[2]) AS opponent_team_abbr,
    line.points,
    line.reboundsTotal AS rebounds,
    line.assists,
    line.threePointersMade AS threes,
    line.steals,
    line.blocks,
    line.turnovers,
    line._file,
    line._row
FROM (
    SELECT *, list_distinct(list(teamTricode) OVER (PARTITION BY gameId)) AS game_teams FROM {rows}
) AS line
LEFT JOIN (
    SELECT nba_game_id(game_id) AS game_id, max(game_date) AS game_date FROM {games} GROUP BY ALL
) AS game ON game.game_id = nba_game_id(line.gameId)
