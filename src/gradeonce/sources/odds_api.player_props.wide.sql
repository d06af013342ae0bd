-- kind: lines
-- needs: player, market, line, bookmaker, game, game_time, over_odds, under_odds
-- Both prices in a row; the game is "Away @ Home" and its time the tip-off in UTC. Books list alternates without marking
-- the main line.
SELECT
    player AS player_name,
    game_code(league_date(game_time), split_part(game, ' @ ', 1), split_part(game, ' @ ', 2)) AS game_id,
    league_date(game_time) AS game_date,
    market,
    book_key(bookmaker) AS bookmaker,
    line AS line_value,
    real_price(bookmaker, over_odds) AS over_price,
    real_price(bookmaker, under_odds) AS under_price,
    game_time AS tipoff_at,
    _file,
    _row
FROM {rows}
