-- Which line a prediction without one was made against, among the lines that were loaded.

-- name: books
SELECT DISTINCT bookmaker FROM {lines} ORDER BY bookmaker

-- name: attach
-- Purpose: the predictions with their lines. Predictions that ask the same are answered once.
CREATE TEMP TABLE {attached} AS
WITH asked AS (
    SELECT DISTINCT player_lookup, market, game_id, game_date, created_at, tipoff_at, {teams} AS teams
    FROM {predictions}
    WHERE line_value IS NULL
),

-- A game keeps its id when it moves to another date, so lines of the date itself come before lines of the id alone. Two
-- players may bear one name: lines of a game between other teams come after those of his own. They are not left out, for
-- ids may also spell the teams otherwise (GS for GSW).
matched AS (
    SELECT asked.*, line, CASE WHEN list_has_any(asked.teams, line.teams) IS FALSE THEN 1 ELSE 0 END AS remoteness
    FROM asked
    JOIN (SELECT *, {teams} AS teams FROM {lines}) AS line USING (player_lookup, market, game_date)
    UNION ALL
    SELECT asked.*, line, 2 AS remoteness
    FROM asked
    JOIN (SELECT *, {teams} AS teams FROM {lines}) AS line
        ON line.player_lookup = asked.player_lookup AND line.market = asked.market AND line.game_id = asked.game_id
        AND line.game_date <> asked.game_date
),

-- Nothing seen after the prediction was made, or after tip-off, counts; what carries no instant is taken to be in time.
seen AS (
    SELECT *
    FROM matched
    WHERE
        ({any_book} OR {book_key} = $book)
        AND (
            line.observed_at IS NULL
            OR line.observed_at <= coalesce(
                least(created_at, coalesce(tipoff_at, line.tipoff_at)), TIMESTAMP 'infinity'
            )
        )
    QUALIFY remoteness = min(remoteness) OVER (
        PARTITION BY player_lookup, market, game_id, game_date, created_at, tipoff_at
    )
),

-- Of each book the last reading counts: by instant, else by load.
latest AS (
    SELECT
        * EXCLUDE (line, remoteness),
        line.line_value AS line_value,
        line.over_price AS over_price,
        line.under_price AS under_price,
        line.load_row AS load_row,
        line.bookmaker AS bookmaker,
        abs({implied_over} - {implied_under}) AS unevenness
    FROM seen
    QUALIFY dense_rank() OVER (
        PARTITION BY player_lookup, market, game_id, game_date, created_at, tipoff_at, line.bookmaker
        ORDER BY line.observed_at DESC NULLS LAST,
            CASE WHEN line.observed_at IS NULL THEN line.loaded_at END DESC NULLS LAST
    ) = 1
),

-- Several lines of one book in one reading are alternates, and the main one is not marked: it is the one whose two prices
-- are closest to even, of equals the one in the middle. Without prices the last one stands, since it may be a move.
main AS (
    SELECT *
    FROM (
        SELECT
            *,
            median(CASE WHEN unevenness IS NOT NULL THEN line_value END) OVER (
                PARTITION BY player_lookup, market, game_id, game_date, created_at, tipoff_at, bookmaker, unevenness
            ) AS middle
        FROM latest
    )
    QUALIFY row_number() OVER (
        PARTITION BY player_lookup, market, game_id, game_date, created_at, tipoff_at, bookmaker
        ORDER BY unevenness NULLS LAST, abs(line_value - middle), load_row DESC, line_value
    ) = 1
),

-- Over all books: the median of their lines, moved to the nearest line that one of them offers (of two the lower).
offered AS (
    SELECT
        *,
        median(line_value) OVER (
            PARTITION BY player_lookup, market, game_id, game_date, created_at, tipoff_at
        ) AS middle_line
    FROM main
),

chosen AS (
    SELECT
        player_lookup, market, game_id, game_date, created_at, tipoff_at, line_value,
        {bookmaker} AS bookmaker,
        list(over_price ORDER BY {over_payout}) FILTER (WHERE over_price IS NOT NULL) AS over_prices,
        list(under_price ORDER BY {under_payout}) FILTER (WHERE under_price IS NOT NULL) AS under_prices,
        any_value(middle_line) AS middle_line
    FROM offered
    GROUP BY player_lookup, market, game_id, game_date, created_at, tipoff_at, line_value
    QUALIFY row_number() OVER (
        PARTITION BY player_lookup, market, game_id, game_date, created_at, tipoff_at
        ORDER BY abs(line_value - any_value(middle_line)), line_value
    ) = 1
)

SELECT prediction.* REPLACE (
    coalesce(prediction.line_value, chosen.line_value) AS line_value,
    CASE WHEN chosen.line_value IS NULL THEN prediction.bookmaker ELSE chosen.bookmaker END AS bookmaker,
    CASE
        WHEN chosen.line_value IS NULL THEN prediction.over_price
        ELSE chosen.over_prices[(len(chosen.over_prices) + 1) // 2]
    END AS over_price,
    CASE
        WHEN chosen.line_value IS NULL THEN prediction.under_price
        ELSE chosen.under_prices[(len(chosen.under_prices) + 1) // 2]
    END AS under_price
)
FROM {predictions} AS prediction
LEFT JOIN chosen
    ON prediction.line_value IS NULL
    AND prediction.player_lookup = chosen.player_lookup
    AND prediction.market = chosen.market
    AND prediction.game_id = chosen.game_id
    AND prediction.game_date = chosen.game_date
    AND prediction.created_at IS NOT DISTINCT FROM chosen.created_at
    AND prediction.tipoff_at IS NOT DISTINCT FROM chosen.tipoff_at

-- name: put_in_place
CREATE OR REPLACE TEMP VIEW {predictions} AS SELECT * FROM {made}

-- name: teams
-- Purpose: the two teams that an id names; null where it names none.
CASE WHEN regexp_full_match(game_id, '\d{8}_[A-Za-z0-9]+_[A-Za-z0-9]+') THEN string_split(upper(game_id), '_')[2:] END

-- name: implied
-- Purpose: the probability that American odds stand for.
CASE WHEN {price} < 0 THEN -{price} / (100.0 - {price}) ELSE 100.0 / (100.0 + {price}) END

-- name: payout
-- Purpose: what American odds pay for a stake of one; they do not sort by themselves (-105 pays less than +105).
CASE WHEN {price} < 0 THEN -100.0 / {price} ELSE {price} / 100.0 END

-- name: attached_counts
SELECT
    count(*) FILTER (WHERE before.line_value IS NULL AND after.line_value IS NOT NULL),
    count(*) FILTER (WHERE after.line_value IS NULL)
FROM {predictions} AS before
JOIN {attached} AS after USING (load_row)

-- name: recommend
-- Purpose: the recommendation that follows from prediction and line, where none was given.
CREATE TEMP TABLE {recommended} AS
SELECT * REPLACE (
    coalesce(
        recommendation,
        CASE
            WHEN line_value IS NULL THEN 'NO_LINE'
            WHEN predicted_value > line_value THEN 'OVER'
            WHEN predicted_value < line_value THEN 'UNDER'
            ELSE 'PASS'
        END
    ) AS recommendation
)
FROM {predictions}
