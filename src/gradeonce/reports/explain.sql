-- Everything the book knows about one player on one date. Each statement is small; Python puts the answers together.

-- name: target
-- Purpose: whom and which date a prediction id is about; the newest if several predictions carry it.
SELECT player_lookup, game_date
FROM player_prop_predictions
WHERE prediction_id = $prediction_id
ORDER BY loaded_at DESC, load_row DESC
LIMIT 1

-- name: dates
-- Purpose: the dates on which a player has predictions, those nearest to the one asked for first.
SELECT game_date
FROM player_prop_predictions
WHERE player_lookup = $player
GROUP BY game_date
ORDER BY abs(game_date - $day::DATE), game_date
LIMIT 5

-- name: players
-- Purpose: everybody with predictions.
SELECT player_lookup, max(player_name) AS player_name FROM player_prop_predictions GROUP BY player_lookup

-- name: dates_of_games
-- Purpose: every date for which a game of that date was predicted; a game that moved is predicted again, under its old id.
SELECT DISTINCT game_date
FROM player_prop_predictions
WHERE player_lookup = $player AND game_id IN (
    SELECT game_id FROM player_prop_predictions WHERE player_lookup = $player AND game_date = $day
)

-- name: predictions
-- Purpose: every prediction of the player on the date, oldest first, with the reason why it does not count, and the one
-- that does: on the same line, perhaps for another date.
SELECT
    prediction_id, system_id, market, game_id, line_value, predicted_value, recommendation, confidence_score,
    line_source, bookmaker, over_price, under_price, created_at, tipoff_at, is_active, invalidation_reason,
    model_version, load_id, loaded_at, excluded_reason, counted_id, counted_date
FROM (
    SELECT
        *,
        max(CASE WHEN excluded_reason IS NULL THEN prediction_id END) OVER (
            PARTITION BY system_id, market, game_id, line_value
        ) AS counted_id,
        max(CASE WHEN excluded_reason IS NULL THEN game_date END) OVER (
            PARTITION BY system_id, market, game_id, line_value
        ) AS counted_date
    FROM ({candidates}) AS candidates
    WHERE player_lookup = $player
) AS judged
WHERE game_date = $day
ORDER BY system_id, market, game_id, created_at NULLS FIRST, prediction_id, loaded_at, load_row

-- name: name
-- Purpose: the player's name as predictions of the date have it, else as any have.
SELECT coalesce(max(player_name) FILTER (WHERE game_date = $day), max(player_name)) AS player_name
FROM player_prop_predictions
WHERE player_lookup = $player

-- name: grades
-- Purpose: the grades that stand.
SELECT
    system_id, market, game_id, line_value, prediction_id, predicted_value, recommendation, confidence_score,
    actual_value, minutes_played, signed_error, outcome, is_final_line, void_reason, ungradable_reason,
    pre_game_injury_status, rules_version, run_id, graded_at
FROM prediction_accuracy
WHERE player_lookup = $player AND game_date = $day

-- name: actuals
-- Purpose: every version of the actuals of the player's games, as the rules pair and rank them; rank 1 is the one used.
-- Box scores may know a game under another id than predictions do; the key brings both together.
WITH wanted AS (
    SELECT DISTINCT game_id FROM player_prop_predictions WHERE player_lookup = $player AND game_date = $day
),
games AS ({games}),
game_ids AS ({game_ids}),
game_keys AS ({game_keys}),
versions AS ({latest_actuals})
SELECT
    k.game_id AS prediction_game_id, v.game_id, v.market, v.actual_value, v.minutes_played, v.is_dnp, v.is_final,
    v.game_date, v.recorded_at, v.load_id, v.loaded_at, v.version_rank
FROM wanted AS w
JOIN game_keys AS k ON k.game_id = w.game_id
JOIN versions AS v ON v.game_key = k.game_key
ORDER BY prediction_game_id, v.market, v.version_rank

-- name: injuries
-- Purpose: what the injury reports said, oldest first; of a game that moved, those of its other date too.
SELECT game_id, status, reason, reported_at, loaded_at
FROM injury_reports
WHERE player_lookup = $player AND (
    game_date = $day
    OR game_id IN (SELECT game_id FROM player_prop_predictions WHERE player_lookup = $player AND game_date = $day)
)
ORDER BY coalesce(reported_at, loaded_at), load_row

-- name: offered
-- Purpose: the lines that were loaded for the player and date, oldest first.
SELECT market, game_id, bookmaker, line_value, over_price, under_price, observed_at
FROM player_prop_lines
WHERE player_lookup = $player AND game_date = $day
ORDER BY market, observed_at NULLS FIRST, bookmaker, line_value

-- name: revisions
-- Purpose: grades of the player and date that changed after they were published, oldest first.
SELECT
    CAST(key_json AS JSON) ->> 'system_id' AS system_id,
    CAST(key_json AS JSON) ->> 'market' AS market,
    CAST(key_json AS JSON) ->> 'game_id' AS game_id,
    CAST(CAST(key_json AS JSON) ->> 'line_value' AS DECIMAL(18, 9)) AS line_value,
    change, reason, old_json, new_json, run_id, revised_at
FROM grade_revisions
WHERE table_name = 'prediction_accuracy' AND partition = CAST($day::DATE AS VARCHAR)
    AND CAST(key_json AS JSON) ->> 'player_lookup' = $player
ORDER BY revised_at, run_id, key_json
