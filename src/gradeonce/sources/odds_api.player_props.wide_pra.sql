-- kind: lines
-- needs: player_name, event_date, home_team, away_team, bookmaker, line, timestamp, over_price, under_price
-- optional: market
-- Both prices in a row, of one market that the file does not name: points + rebounds + assists, unless a column market
-- says otherwise. The event's date is the league's; the instant is when the line was seen, in UTC.
SELECT
    player_name,
    game_code(event_date, away_team, home_team) AS game_id,
    event_date AS game_date,
    coalesce(market, 'points_rebounds_assists') AS market,
    book_key(bookmaker) AS bookmaker,
    line AS line_value,
    real_price(bookmaker, over_price) AS over_price,
    real_price(bookmaker, under_price) AS under_price,
    "timestamp" AS observed_at,
    _file,
    _row
FROM {rows}
