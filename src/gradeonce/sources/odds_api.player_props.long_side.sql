-- kind: lines
-- needs: player, market, bookmaker, side, line, price, home_team, away_team, commence_time
-- One row a side. Files that overlap repeat rows, and a line that moved comes again with its new value: the later row of
-- the file is the later reading. What a pick'em book states as price is a filler and left out.
SELECT
    player AS player_name,
    game_code(league_date(commence_time), away_team, home_team) AS game_id,
    league_date(commence_time) AS game_date,
    market,
    book_key(bookmaker) AS bookmaker,
    line AS line_value,
    max_by(real_price(bookmaker, price), _row) FILTER (WHERE lower(side) = 'over') AS over_price,
    max_by(real_price(bookmaker, price), _row) FILTER (WHERE lower(side) = 'under') AS under_price,
    commence_time AS tipoff_at,
    any_value(_file) AS _file,
    max(_row) AS _row
FROM {rows}
GROUP BY player, commence_time, away_team, home_team, market, bookmaker, line
