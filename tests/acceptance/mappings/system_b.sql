-- System B: player, date and prediction, no team and no game. Who he played for that day stands in a box score of another
-- site, and so does the opponent; the id made of them is not the NBA's. Its line is the player's average, nobody offered it.
SELECT
    'B' AS system_id,
    sheet.player AS player_name,
    pair_code(sheet.game_date, box.Tm, box.Opp) AS game_id,
    sheet.game_date,
    'points' AS market,
    sheet.predicted AS predicted_value,
    sheet._file,
    sheet._row
FROM {rows} AS sheet
JOIN {teams} AS box ON box.Player = sheet.player AND box.Data = sheet.game_date
WHERE sheet.game_date <= '2026-01-10'
