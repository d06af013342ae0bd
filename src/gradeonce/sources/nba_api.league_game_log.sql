-- kind: actuals
-- about: Player game logs of stats.nba.com, as nba_api's LeagueGameLog returns them.
-- needs: player_name, team_abbreviation, game_id, game_date, matchup, min, pts, reb, ast
-- optional: fg3m, stl, blk, tov
-- Lists only players who played: MIN is rounded, so 0 minutes are some seconds of play and not "did not play"; only an
-- empty MIN is. The opponent stands in MATCHUP ("LAL @ PHX" away, "PHX vs. LAL" at home).
SELECT
    PLAYER_NAME AS player_name,
    nba_game_id(GAME_ID) AS game_id,
    GAME_DATE AS game_date,
    MIN AS minutes_played,
    MIN IS NULL AS is_dnp,
    team_code(TEAM_ABBREVIATION) AS team_abbr,
    team_code(regexp_extract(MATCHUP, '(?:@|vs\.?) *(\w+) *$', 1)) AS opponent_team_abbr,
    PTS AS points,
    REB AS rebounds,
    AST AS assists,
    FG3M AS threes,
    STL AS steals,
    BLK AS blocks,
    TOV AS turnovers,
    _file,
    _row
FROM {rows}
