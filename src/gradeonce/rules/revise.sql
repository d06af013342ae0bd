-- name: reason
-- Why a grade changed, from the most telling difference down.
CASE
    WHEN old.rules_version <> new.rules_version THEN 'rules_changed'
    WHEN old.outcome = 'pending' AND new.outcome <> 'pending' THEN 'box_score_arrived'
    WHEN old.prediction_id <> new.prediction_id THEN 'later_prediction'
    WHEN old.outcome = 'ungradable' AND new.outcome <> 'ungradable' THEN 'player_matched'
    WHEN old.actual_value IS DISTINCT FROM new.actual_value
        OR old.minutes_played IS DISTINCT FROM new.minutes_played THEN 'stat_correction'
    WHEN old.void_reason IS DISTINCT FROM new.void_reason THEN 'injury_report'
    WHEN old.is_final_line <> new.is_final_line THEN 'line_moved'
    WHEN old.predicted_value <> new.predicted_value OR old.recommendation IS DISTINCT FROM new.recommendation
        THEN 'prediction_changed'
    ELSE 'other'
END
