-- name: judged
-- What is known before the outcome: did he play, and what was said of him before the game.
-- The status captured with the prediction wins over the report; a captured flag that says no wins over both.
SELECT j.*,
    CASE
        WHEN NOT j.game_is_final THEN 'pending'
        WHEN abs(j.played_date - j.game_date) > $moved_game_days THEN 'moved'
        WHEN NOT j.player_in_box_score THEN
            CASE
                WHEN j.injury_status IN ('OUT', 'DOUBTFUL') OR j.reported_status IN ('OUT', 'DOUBTFUL') THEN 'reported_out'
                WHEN $missing_player = 'void' THEN 'absent'
                ELSE 'missing'
            END
        WHEN NOT j.has_actual THEN 'no_market'
        WHEN j.is_dnp THEN 'absent'
        WHEN j.is_dnp IS NULL AND (
            j.actual_value IS NULL OR (j.actual_value = 0 AND coalesce(j.minutes_played, 0) = 0)
        ) THEN 'absent'
        WHEN j.actual_value IS NULL THEN 'no_value'
        ELSE 'played'
    END AS participation
FROM (
    SELECT p.*,
        upper(CASE
            WHEN p.injury_status_at_prediction IS NOT NULL OR p.injury_flag_at_prediction IS NOT NULL
                THEN p.injury_status_at_prediction
            ELSE p.reported_status
        END) AS injury_status
    FROM {paired} p
) j

-- name: settled
-- The outcome, and why there is none.
SELECT q.*,
    CASE
        WHEN q.participation = 'pending' THEN 'pending'
        WHEN q.participation IN ('moved', 'absent', 'reported_out') THEN 'void'
        WHEN q.participation IN ('missing', 'no_market', 'no_value') THEN 'ungradable'
        WHEN q.line_value IS NULL OR q.recommendation IS NULL OR q.recommendation NOT IN ('OVER', 'UNDER') THEN 'no_bet'
        WHEN q.actual_value = q.line_value THEN 'push'
        WHEN (q.actual_value > q.line_value) = (q.recommendation = 'OVER') THEN 'win'
        ELSE 'loss'
    END AS outcome,
    coalesce(
        q.injury_flag_at_prediction,
        coalesce(q.injury_status IN ('OUT', 'DOUBTFUL', 'QUESTIONABLE', 'PROBABLE'), false)
    ) AS flagged,
    CASE WHEN q.participation IN ('played', 'absent') AND q.has_actual THEN q.actual_value END AS graded_value
FROM {judged} q

-- name: graded
-- The grade, column by column. Errors and margins are exact decimals; a void keeps the value the box score showed.
SELECT
    g.game_date,
    g.system_id,
    g.player_lookup,
    g.game_id,
    g.market,
    g.line_value,
    g.prediction_id,
    g.player_name,
    g.predicted_value,
    g.confidence AS confidence_score,
    CASE WHEN g.confidence < 1 THEN CAST(floor(g.confidence * 10) AS INTEGER) + 1 WHEN g.confidence = 1 THEN 10 END
        AS confidence_decile,
    g.recommendation,
    g.graded_value AS actual_value,
    CASE WHEN g.participation IN ('played', 'absent') THEN g.minutes_played END AS minutes_played,
    CAST(abs(g.predicted_value - g.graded_value) AS DECIMAL(18, 9)) AS absolute_error,
    CAST(g.predicted_value - g.graded_value AS DECIMAL(18, 9)) AS signed_error,
    CAST(g.predicted_value - g.line_value AS DECIMAL(18, 9)) AS predicted_margin,
    CAST(g.graded_value - g.line_value AS DECIMAL(18, 9)) AS actual_margin,
    abs(g.predicted_value - g.graded_value) <= 3 AS within_3,
    abs(g.predicted_value - g.graded_value) <= 5 AS within_5,
    g.outcome,
    CASE g.outcome WHEN 'win' THEN true WHEN 'loss' THEN false END AS prediction_correct,
    g.is_final_line,
    g.outcome = 'void' AS is_voided,
    CASE
        WHEN g.outcome <> 'void' THEN NULL
        WHEN g.participation = 'moved' THEN 'game_moved'
        WHEN g.participation = 'reported_out' THEN 'dnp_injury_confirmed'
        WHEN g.flagged AND g.injury_status IN ('OUT', 'DOUBTFUL') THEN 'dnp_injury_confirmed'
        WHEN g.flagged AND g.injury_status IN ('QUESTIONABLE', 'PROBABLE') THEN 'dnp_late_scratch'
        ELSE 'dnp_unknown'
    END AS void_reason,
    CASE g.participation
        WHEN 'missing' THEN 'player_not_in_box_score'
        WHEN 'no_market' THEN 'market_not_in_box_score'
        WHEN 'no_value' THEN 'value_not_in_box_score'
    END AS ungradable_reason,
    g.participation = 'reported_out' OR (g.participation = 'absent' AND g.flagged) AS pre_game_injury_flag,
    CASE
        WHEN g.participation = 'reported_out' AND coalesce(g.injury_status NOT IN ('OUT', 'DOUBTFUL'), true)
            THEN g.reported_status
        WHEN g.participation IN ('absent', 'reported_out') THEN g.injury_status
    END AS pre_game_injury_status,
    g.participation = 'reported_out' OR (
        g.participation = 'absent' AND g.flagged
        AND coalesce(g.injury_status IN ('OUT', 'DOUBTFUL', 'QUESTIONABLE', 'PROBABLE'), false)
    ) AS injury_confirmed_postgame,
    g.team_abbr,
    g.opponent_team_abbr,
    g.line_source,
    g.bookmaker,
    g.over_price,
    g.under_price,
    g.has_prop_line,
    g.estimated_line_value,
    g.is_actionable,
    g.filter_reason,
    g.model_version,
    g.created_at AS predicted_at,
    $rules_version AS rules_version,
    $run_id AS run_id,
    CAST($graded_at AS TIMESTAMP) AS graded_at
FROM {settled} g
