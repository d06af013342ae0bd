-- kind: actuals
-- about: Box scores scraped from Basketball-Reference.
-- needs: game_date, home, visitor, player_name, team, mp, pts, trb, ast
-- optional: fg3, stl, blk, tov
-- No NBA ids: the game is its date and teams (BRK, PHO and CHO become BKN, PHX and CHA). Lists only players who played;
-- minutes are decimal and 0.0 is some seconds of play. Broken accents ("DonÄ?iÄ?") are repaired by the rule for names.
SELECT
    player_name,
    game_code(game_date, visitor, home) AS game_id,
    game_date,
    mp AS minutes_played,
    mp IS NULL AS is_dnp,
    team_code(team) AS team_abbr,
    opponent_of(team, home, visitor) AS opponent_team_abbr,
    pts AS points,
    trb AS rebounds,
    ast AS assists,
    fg3 AS threes,
    stl AS steals,
    blk AS blocks,
    tov AS turnovers,
    _file,
    _row
FROM {rows}
