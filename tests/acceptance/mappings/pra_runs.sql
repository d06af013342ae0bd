-- Eight runs of points + rebounds + assists, told apart by their file. Most name no game: it is found in the official box
-- scores by date and player, whom the runs name by his NBA id.
SELECT
    regexp_replace(run.source_file, '\.csv$', '') AS system_id,
    run.PLAYER_NAME AS player_name,
    box.GAME_ID AS game_id,
    run.GAME_DATE AS game_date,
    'pra' AS market,
    run.predicted_PRA AS predicted_value,
    run._file,
    run._row
FROM {rows} AS run
JOIN {official} AS box ON box.GAME_DATE = run.GAME_DATE AND box.PLAYER_ID = run.PLAYER_ID
WHERE run.GAME_DATE BETWEEN '2024-10-24' AND '2025-01-26'
