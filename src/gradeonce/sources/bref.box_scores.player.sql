-- kind: actuals
-- needs: player, tm, opp, mp, pts, trb, ast, 3p, data
-- optional: stl, blk, tov
-- A player's own table: team and opponent, not who was at home, so the game's id has the two in alphabetical order. The
-- date is in the column Data.
SELECT
    Player AS player_name,
    pair_code(Data, Tm, Opp) AS game_id,
    Data AS game_date,
    MP AS minutes_played,
    MP IS NULL AS is_dnp,
    team_code(Tm) AS team_abbr,
    team_code(Opp) AS opponent_team_abbr,
    PTS AS points,
    TRB AS rebounds,
    AST AS assists,
    "3P" AS threes,
    STL AS steals,
    BLK AS blocks,
    TOV AS turnovers,
    _file,
    _row
FROM {rows}
