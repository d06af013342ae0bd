-- kind: lines
-- about: Player props of The Odds API, as JSON or flattened, a row a side or both prices in a row; odds American or decimal.
-- needs: outcomes_name, outcomes_description, outcomes_price, outcomes_point, commence_time, home_team, away_team, bookmakers.key, bookmakers.markets.key
-- optional: bookmakers.markets.last_update
-- Flattened by name, one row a side: over and under of a line become one. A book may offer several lines (alternates).
-- Tip-offs are UTC.
SELECT
    outcomes_description AS player_name,
    game_code(league_date(commence_time), away_team, home_team) AS game_id,
    league_date(commence_time) AS game_date,
    "bookmakers.markets.key" AS market,
    book_key("bookmakers.key") AS bookmaker,
    outcomes_point AS line_value,
    max_by(real_price("bookmakers.key", outcomes_price), _row) FILTER (WHERE lower(outcomes_name) = 'over') AS over_price,
    max_by(real_price("bookmakers.key", outcomes_price), _row) FILTER (WHERE lower(outcomes_name) = 'under') AS under_price,
    "bookmakers.markets.last_update" AS observed_at,
    commence_time AS tipoff_at,
    any_value(_file) AS _file,
    max(_row) AS _row
FROM {rows}
GROUP BY
    outcomes_description, commence_time, away_team, home_team, "bookmakers.markets.key", "bookmakers.key", outcomes_point,
    "bookmakers.markets.last_update"
