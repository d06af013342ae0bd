-- System D: a projection against each side of each book's line, with its price. A system for each book and side, so that
-- every row is a pick of its own; and one more, `D-plus`, of the rows that promise a profit, whatever the book: there the
-- books' rows on one line are rivals, of which the last of the file counts.
SELECT
    variant.system_id,
    outcomes_description AS player_name,
    pair_code("Date", team, "opposing team") AS game_id,
    "Date" AS game_date,
    "bookmakers.markets.key" AS market,
    'D' || lpad(CAST(_row AS VARCHAR), 6, '0') || variant.mark AS prediction_id,
    "Outcome Last 30 Avg Adjusted" AS predicted_value,
    outcomes_point AS line_value,
    upper(outcomes_name) AS recommendation,
    "bookmakers.title" AS bookmaker,
    CASE WHEN outcomes_name = 'Over' THEN outcomes_price END AS over_price,
    CASE WHEN outcomes_name = 'Under' THEN outcomes_price END AS under_price,
    "Percentage Hit" AS confidence_score,
    CAST("EV Percentage" AS DOUBLE) > 0 AS is_actionable,
    CASE WHEN "Outcome Last 30 Avg Adjusted" IS NULL THEN 'no projection' END AS _refused,
    _file,
    _row
FROM (
    SELECT
        *,
        unnest([
            {'system_id': 'D-' || "bookmakers.title" || '-' || lower(outcomes_name), 'mark': ''},
            CASE WHEN CAST("EV Percentage" AS DOUBLE) > 0 THEN {'system_id': 'D-plus', 'mark': '+'} END
        ]) AS variant
    FROM {rows}
)
WHERE variant IS NOT NULL
