-- What a column must hold, as SQL over one text. `{value}` is the text (never empty: that is null already), `{typed}` what
-- was made of it. A `parse_` returns null for what cannot be read; a `broken_` is true for what cannot be; an
-- `expected_` says what would have been right.

-- name: parse_text
{value}

-- name: parse_decimal
CASE WHEN contains({value}, '_') THEN NULL ELSE TRY_CAST({value} AS DECIMAL(18, 9)) END

-- name: expected_decimal
'is not a number'

-- name: parse_integer
-- Purpose: "-110.0" is a whole number too; pandas writes prices so.
CASE
    WHEN contains({value}, '_') OR TRY_CAST({value} AS DECIMAL(18, 9)) <> trunc(TRY_CAST({value} AS DECIMAL(18, 9)))
    THEN NULL
    ELSE TRY_CAST(TRY_CAST({value} AS DECIMAL(18, 9)) AS INTEGER)
END

-- name: expected_integer
'is not a whole number'

-- name: parse_boolean
CASE lower({value})
    WHEN 'true' THEN true WHEN 't' THEN true WHEN 'yes' THEN true WHEN 'y' THEN true WHEN '1' THEN true WHEN '1.0' THEN true
    WHEN 'false' THEN false WHEN 'f' THEN false WHEN 'no' THEN false WHEN 'n' THEN false WHEN '0' THEN false
    WHEN '0.0' THEN false
END

-- name: expected_boolean
'is neither true nor false'

-- name: parse_date
-- Purpose: a midnight behind the date is how other tools write dates.
CASE
    WHEN regexp_full_match({value}, '\d{4,6}-\d{1,2}-\d{1,2}([T ]00:00(:00(\.0+)?)?)?') THEN TRY_CAST({value} AS DATE)
END

-- name: expected_date
'is not a date; expected YYYY-MM-DD'

-- name: parse_instant
-- Purpose: to UTC. Text with an offset goes by it; a bare one means the zone that was given, if any. DuckDB 1.4 wants
-- seconds where there is an offset.
CASE
    WHEN regexp_matches({value}, ':\d{2}(\.\d+)? ?(Z|z|UTC|[+-]\d{2}(:?\d{2})?)$')
    THEN timezone('UTC', coalesce(
        TRY_CAST(upper({value}) AS TIMESTAMPTZ),
        TRY_CAST(regexp_replace(upper({value}), '(:\d{2})( ?(?:Z|UTC|[+-].*))$', '\1:00\2') AS TIMESTAMPTZ)
    ))
    ELSE timezone('UTC', timezone({zone}, TRY_CAST({value} AS TIMESTAMP)))
END

-- name: expected_instant
CASE
    WHEN TRY_CAST({value} AS TIMESTAMP) IS NOT NULL
    THEN 'has no UTC offset; expected ISO 8601 with one, such as 2026-01-17T19:00:00-05:00'
    ELSE 'is not an instant; expected ISO 8601 with an offset, such as 2026-01-17T19:00:00-05:00'
END

-- name: parse_minutes
-- Purpose: 24.5, 24:30 and PT24M30.00S are the same. Thirds of a second do not matter, so a double may divide here.
CASE
    WHEN regexp_full_match({value}, '\d{1,3}:\d{2}(\.\d+)?')
    THEN CAST(round(
        CAST(split_part({value}, ':', 1) AS DECIMAL(18, 9))
            + CAST(split_part({value}, ':', 2) AS DECIMAL(18, 9)) / 60, 9
    ) AS DECIMAL(18, 9))
    WHEN regexp_full_match({value}, 'PT(\d+M)?(\d+(\.\d+)?S)?')
    THEN CAST(round(
        coalesce(TRY_CAST(regexp_extract({value}, '(\d+)M', 1) AS DECIMAL(18, 9)), 0)
            + coalesce(TRY_CAST(regexp_extract({value}, '([\d.]+)S', 1) AS DECIMAL(18, 9)), 0) / 60, 9
    ) AS DECIMAL(18, 9))
    WHEN contains({value}, '_') THEN NULL
    ELSE TRY_CAST({value} AS DECIMAL(18, 9))
END

-- name: expected_minutes
'is not minutes; expected a number, mm:ss or PT24M30S'

-- name: broken_minutes
{typed} < 0 OR {typed} > 100

-- name: possible_minutes
'is impossible; minutes are 0 to 100'

-- name: broken_line
{typed} < 0 OR {typed} > 500

-- name: possible_line
'is impossible; a line is 0 to 500'

-- name: broken_quantity
{typed} < -200 OR {typed} > 500

-- name: possible_quantity
'is impossible; expected -200 to 500'

-- name: broken_confidence
{typed} < 0 OR {typed} > 100

-- name: possible_confidence
'is impossible; confidence is 0 to 1, or 0 to 100 in percent'

-- name: broken_price
abs({typed}) < 100 OR abs({typed}) > 1000000

-- name: possible_price
'is no American odds; expected -100 and below or 100 and above, such as -110 for decimal odds of 1.91'

-- name: broken_date
{typed} < DATE '1946-01-01' OR {typed} > CAST({latest} AS DATE)

-- name: possible_date
'is impossible; dates run from 1946-01-01 to ' || {latest}

-- name: broken_instant
{typed} < TIMESTAMP '1946-01-01' OR {typed} > CAST({latest} AS DATE)

-- name: possible_instant
'is impossible; instants run from 1946-01-01 to ' || {latest}

-- name: broken_recommendation
{typed} NOT IN ('OVER', 'UNDER', 'PASS', 'HOLD', 'NO_LINE')

-- name: possible_recommendation
'is no recommendation; expected OVER, UNDER, PASS, HOLD or NO_LINE'
