-- kind: lines
-- needs: timestamp, data
-- The JSON of the historical event endpoint as it comes: one event with its bookmakers, markets and outcomes nested. The
-- instant is the market's last update.
SELECT
    player AS player_name,
    game_code(league_date(commence_time), away_team, home_team) AS game_id,
    league_date(commence_time) AS game_date,
    market,
    bookmaker,
    line AS line_value,
    max_by(american, coalesce(TRY_CAST(american AS DECIMAL(18, 9)), 0)) FILTER (WHERE side = 'over') AS over_price,
    max_by(american, coalesce(TRY_CAST(american AS DECIMAL(18, 9)), 0)) FILTER (WHERE side = 'under') AS under_price,
    observed_at,
    commence_time AS tipoff_at,
    any_value(_file) AS _file,
    _row
FROM (
    SELECT
        *,
        lower(outcome ->> 'name') AS side,
        outcome ->> 'description' AS player,
        outcome ->> 'point' AS line,
        real_price(bookmaker, outcome ->> 'price') AS american
    FROM (
        SELECT
            * EXCLUDE (quote),
            quote ->> 'key' AS market,
            quote ->> 'last_update' AS observed_at,
            unnest(CAST(quote -> 'outcomes' AS JSON[])) AS outcome
        FROM (
            SELECT
                * EXCLUDE (book), book_key(book ->> 'key') AS bookmaker, unnest(CAST(book -> 'markets' AS JSON[])) AS quote
            FROM (
                SELECT
                    CAST(data AS JSON) ->> 'commence_time' AS commence_time,
                    CAST(data AS JSON) ->> 'home_team' AS home_team,
                    CAST(data AS JSON) ->> 'away_team' AS away_team,
                    unnest(CAST(CAST(data AS JSON) -> 'bookmakers' AS JSON[])) AS book,
                    _file,
                    _row
                FROM {rows}
            )
        )
    )
)
GROUP BY player, commence_time, away_team, home_team, market, bookmaker, line, observed_at, _row
ORDER BY _row, bookmaker, market, player, line
