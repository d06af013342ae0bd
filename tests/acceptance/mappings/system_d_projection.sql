-- System D without its lines: projections whose line is to come from the lines of a book. A few players have two on one
-- day, rivals of which the later in the file counts.
SELECT
    'D-projection' AS system_id,
    outcomes_description AS player_name,
    pair_code("Date", team, "opposing team") AS game_id,
    "Date" AS game_date,
    'points' AS market,
    "Outcome Last 30 Avg Adjusted" AS predicted_value,
    'P' || lpad(CAST(max(_row) AS VARCHAR), 6, '0') AS prediction_id,
    any_value(_file) AS _file,
    max(_row) AS _row
FROM {rows}
WHERE "Outcome Last 30 Avg Adjusted" IS NOT NULL
GROUP BY ALL
