-- The files, in the columns of `gradeonce load`. Each is ordered by what makes its rows unique, so the same seed gives
-- the same bytes whatever the threads. `{path}` is the file to write; COPY cannot bind it.

-- name: months
-- Purpose: the first day of each month that has predictions.
SELECT DISTINCT CAST(date_trunc('month', game_date) AS DATE)::VARCHAR FROM predictions ORDER BY 1

-- name: predictions
-- Purpose: the predictions of one month, copies included.
COPY (
    SELECT prediction_id, system_id, player_lookup, player_name, game_id, game_date, market, predicted_value,
        line_value, recommendation, confidence_score, instant(created_at) AS created_at,
        instant(tipoff_at) AS tipoff_at, is_active, model_version, line_source, bookmaker, over_price, under_price,
        has_prop_line, injury_status_at_prediction, invalidation_reason
    FROM (
        SELECT * FROM predictions
        UNION ALL SELECT p.* FROM predictions p JOIN copies USING (pick_no, issue_no)
    ) p
    WHERE game_date BETWEEN CAST({month} AS DATE) AND last_day(CAST({month} AS DATE))
    ORDER BY game_date, p.created_at, pick_no, issue_no
) TO {path} (FORMAT parquet, ROW_GROUP_SIZE 16384)

-- name: box_scores
-- Purpose: the box scores as first published.
COPY (
    SELECT player_name, team AS team_abbr, opponent AS opponent_team_abbr, game_id, game_date,
        printf('%d:%02d', seconds // 60, seconds % 60) AS minutes_played, points, rebounds, assists, threes, is_dnp,
        true AS is_final, instant(recorded_at) AS recorded_at
    FROM box_scores
    ORDER BY game_date, game_id, player_game_no
) TO {path} (FORMAT csv, HEADER)

-- name: stat_correction
-- Purpose: the same rows with other points, recorded a day and a half later.
COPY (
    SELECT player_name, team AS team_abbr, opponent AS opponent_team_abbr, game_id, game_date,
        printf('%d:%02d', seconds // 60, seconds % 60) AS minutes_played, corrected_points AS points, rebounds, assists,
        threes, is_dnp, true AS is_final, instant(b.recorded_at + INTERVAL 36 HOUR) AS recorded_at
    FROM box_scores b
    WHERE corrected_points IS NOT NULL
    ORDER BY game_date, game_id, player_game_no
) TO {path} (FORMAT csv, HEADER)

-- name: injuries
-- Purpose: the injury reports, a status that changed with both its rows.
COPY (
    SELECT player_name, game_id, game_date, status, reason, instant(reported_at) AS reported_at
    FROM (
        SELECT player_game_no, reason, last_status AS status, last_at AS reported_at FROM reports
        UNION ALL SELECT player_game_no, reason, first_status, first_at FROM reports WHERE first_at < last_at
    ) r
    JOIN player_games USING (player_game_no)
    ORDER BY game_date, game_id, player_game_no, r.reported_at
) TO {path} (FORMAT csv, HEADER)

-- name: lines
-- Purpose: the points lines of those who were predicted: the opening of each bookmaker, and each move of it.
COPY (
    SELECT player_name, game_id, game_date, market, bookmaker, line_value::DECIMAL(9, 1) AS line_value,
        over_price(number) AS over_price, under_price(number) AS under_price, instant(observed_at) AS observed_at
    FROM (
        SELECT *, book_line(lines[step + 1], bookmaker, offer) AS line_value,
            price_no(line_value, believed, scatter) AS number,
            -- The very instant from which a prediction sees the line: a quarter of the 530 minutes before tip-off.
            tipoff_at - INTERVAL 540 MINUTE + step * INTERVAL 7950 SECOND AS observed_at
        FROM (
            SELECT p.*, g.* EXCLUDE (player_game_no), step, book(book_no, p.offer) AS bookmaker
            FROM props p JOIN player_games g USING (player_game_no)
            CROSS JOIN (SELECT unnest(range(4)) AS step) CROSS JOIN (SELECT unnest([1, 2, 3]) AS book_no)
            WHERE p.market = 'points' AND p.has_line AND player_game_no IN (SELECT player_game_no FROM picks)
                AND (step = 0 OR p.lines[step + 1] <> p.lines[step])
                AND (book_no < 3 OR book(book_no, p.offer) = 'tallybook')
        )
    )
    ORDER BY game_date, game_id, player_game_no, bookmaker, step
) TO {path} (FORMAT csv, HEADER)
