-- What was planted, counted from the simulator's own tables: the answers that a grader must come to.

-- name: grades
-- Purpose: one row per business key that counts, with what became of it before the correction. This is not how grading
-- works; it knows each player's fate, where a grader sees only files.
CREATE TEMP TABLE grades AS
SELECT k.*, b.fate, b.corrected_points IS NOT NULL AND market = 'points' AS corrected,
    CASE
        WHEN game_no IN (SELECT game_no FROM postponed) THEN 'postponed'
        WHEN player_game_no IN (SELECT player_game_no FROM planted WHERE plant = 'missing') THEN 'missing'
        WHEN g.fate NOT IN ('played', 'played_seconds') THEN 'absent'
        WHEN line_value IS NULL OR recommendation NOT IN ('OVER', 'UNDER') THEN 'no_bet'
        WHEN actual = line_value THEN 'push'
        WHEN (actual > line_value) = (recommendation = 'OVER') THEN 'win'
        ELSE 'loss'
    END AS became
FROM (
    SELECT pick_no, player_game_no, market, line_value,
        arg_max(recommendation, created_at) AS recommendation,
        coalesce(arg_max(injury_status_at_prediction, created_at), any_value(last_status)) AS status
    FROM predictions LEFT JOIN reports USING (player_game_no)
    WHERE counts
    GROUP BY ALL
) k
JOIN player_games g USING (player_game_no)
LEFT JOIN box_scores b USING (player_game_no)
CROSS JOIN LATERAL (
    SELECT CASE k.market WHEN 'points' THEN b.points WHEN 'rebounds' THEN b.rebounds ELSE b.assists END AS actual
)

-- name: truth
-- Purpose: one row of counts, named as the fields of Truth.
SELECT
    (SELECT count(*) FROM games) AS games,
    (SELECT count(DISTINCT game_date) FROM games) AS game_dates,
    p.*, g.*, b.*, r.*, m.*,
    (SELECT count(*) FROM player_games g ANTI JOIN box_scores b USING (player_game_no) WHERE g.fate = 'out_reported')
        AS dnp_not_listed,
    (SELECT count(*) FROM planted WHERE plant = 'missing') AS players_missing,
    (SELECT count(*) FROM planted WHERE plant = 'corrected') AS corrections
FROM
(
    SELECT count(*) + (SELECT count(*) FROM copies) AS predictions, (SELECT count(*) FROM copies) AS duplicate_rows,
        count(*) FILTER (NOT is_active) AS inactive,
        count(*) FILTER (invalidation_reason IS NOT NULL) AS invalidated,
        count(*) FILTER (created_at >= tipoff_at) AS after_tipoff,
        count(*) FILTER (counts) - (SELECT count(*) FROM grades) AS superseded,
        count(DISTINCT pick_no) FILTER (counts) AS picks,
        (SELECT count(*) FILTER (line_value <> line_before) FROM (
            SELECT line_value, lag(line_value) OVER (PARTITION BY pick_no ORDER BY created_at) AS line_before
            FROM predictions
        )) AS line_moves
    FROM predictions
) p,
(
    SELECT count(*) AS grades,
        count(*) FILTER (became = 'win') AS wins, count(*) FILTER (became = 'loss') AS losses,
        count(*) FILTER (became = 'push') AS pushes, count(*) FILTER (became = 'no_bet') AS no_bets,
        count(*) FILTER (became = 'absent' AND status IN ('OUT', 'DOUBTFUL')) AS voids_injury_confirmed,
        count(*) FILTER (became = 'absent' AND status IN ('QUESTIONABLE', 'PROBABLE')) AS voids_late_scratch,
        count(*) FILTER (became = 'absent' AND status IS NULL) AS voids_unknown,
        count(*) FILTER (became = 'postponed') AS voids_postponed,
        count(*) FILTER (became = 'missing') AS ungradable,
        count(*) FILTER (line_value IS NULL) AS grades_without_line,
        count(*) FILTER (corrected) AS corrected_grades
    FROM grades
) g,
(
    SELECT count(*) AS box_score_rows,
        count(*) FILTER (fate = 'out_reported') AS dnp_reported,
        count(*) FILTER (fate = 'late_scratch') AS late_scratches,
        count(*) FILTER (fate = 'dnp_unreported') AS dnp_unreported,
        count(*) FILTER (fate = 'dnp_unflagged') AS dnp_unflagged,
        count(*) FILTER (fate = 'played_seconds') AS played_zero_minutes
    FROM box_scores
) b,
(
    SELECT count(*) + count(*) FILTER (first_at < last_at) AS injury_rows FROM reports
) r,
(
    SELECT count(*) AS postponed_games, max(played_date - game_date) AS postponed_days FROM postponed
) m
