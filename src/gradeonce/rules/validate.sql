-- name: outcomes
-- Every row has one of the seven outcomes (G6: they add up to the predictions).
outcome NOT IN ('win', 'loss', 'push', 'no_bet', 'void', 'ungradable', 'pending')

-- name: correctness
-- Only a win or a loss is right or wrong.
(outcome = 'win') <> coalesce(prediction_correct, false)
    OR (outcome = 'loss') <> coalesce(NOT prediction_correct, false)
    OR (outcome = 'void') <> is_voided

-- name: actual_known
-- What is decided has an actual value.
outcome IN ('win', 'loss', 'push', 'no_bet') AND actual_value IS NULL

-- name: ranges
-- Values that cannot be.
confidence_score NOT BETWEEN 0 AND 1 OR confidence_decile NOT BETWEEN 1 AND 10 OR absolute_error < 0
    OR minutes_played < 0

-- name: one_key
-- A business key stands once, whatever the date (G1).
count(*) > 1

-- name: final_lines
-- Each pick (system, player, game, market) has exactly one final line.
count(*) FILTER (WHERE is_final_line) <> 1

-- name: counts
-- One row per date: how the outcomes add up, and the errors of those who played. Added up within each game first: to count
-- the games of a date otherwise, an engine sorts all its rows.
SELECT CAST(g.game_date AS VARCHAR) AS partition, sum(g.predictions) AS predictions, sum(g.win) AS win,
    sum(g.loss) AS loss, sum(g.push) AS push, sum(g.no_bet) AS no_bet, sum(g.void) AS void,
    sum(g.ungradable) AS ungradable, sum(g.pending) AS pending, sum(g.n) AS n,
    sum(g.sum_absolute_error) AS sum_absolute_error, sum(g.sum_signed_error) AS sum_signed_error,
    count(*) AS games, count(*) FILTER (WHERE g.pending < g.predictions) AS games_final
FROM (
    SELECT game_date, game_id, count(*) AS predictions,
        count(*) FILTER (WHERE outcome = 'win') AS win, count(*) FILTER (WHERE outcome = 'loss') AS loss,
        count(*) FILTER (WHERE outcome = 'push') AS push, count(*) FILTER (WHERE outcome = 'no_bet') AS no_bet,
        count(*) FILTER (WHERE outcome = 'void') AS void, count(*) FILTER (WHERE outcome = 'ungradable') AS ungradable,
        count(*) FILTER (WHERE outcome = 'pending') AS pending,
        count(absolute_error) FILTER (WHERE outcome <> 'void') AS n,
        sum(absolute_error) FILTER (WHERE outcome <> 'void') AS sum_absolute_error,
        sum(signed_error) FILTER (WHERE outcome <> 'void') AS sum_signed_error
    FROM staged GROUP BY game_date, game_id
) g
GROUP BY g.game_date ORDER BY 1

-- name: excluded_counts
-- One row per date: predictions that are refused, by reason, and all there are; the rest are superseded or counted.
SELECT CAST(game_date AS VARCHAR) AS partition, refused_reason, count(*) AS predictions
FROM ({refusals}) AS refused GROUP BY game_date, refused_reason ORDER BY 1, 2

-- name: collisions
-- One row per date: actuals that came in more than one version, of which the latest counts.
SELECT CAST(game_date AS VARCHAR) AS partition, count(*) AS collisions
FROM (
    SELECT game_date FROM {actuals}
    WHERE game_date = ANY($dates)
    GROUP BY game_date, player_lookup, game_id, market HAVING count(*) > 1
) c
GROUP BY game_date

-- name: id_formats
-- How game ids look on one date, in predictions and in box scores: digits as 9, letters as A; an example of each.
-- The second format is that of the key under which ids of both forms meet.
SELECT side, format, key_format, min(game_id) AS example, count(*) AS rows
FROM (
    SELECT side, game_id, {game_id_format} AS format, {game_key_format} AS key_format
    FROM (
        SELECT 'predictions' AS side, game_id, game_id AS game_key FROM {predictions} WHERE game_date = $date
        UNION ALL
        SELECT 'box scores', game_id,
            CASE
                WHEN team_abbr IS NOT NULL AND opponent_team_abbr IS NOT NULL
                    THEN replace(CAST(game_date AS VARCHAR), '-', '') || '_' || team_abbr || '_' || opponent_team_abbr
                ELSE game_id
            END
        FROM {actuals} WHERE game_date = $date
    ) AS ids
) AS shapes
GROUP BY side, format, key_format ORDER BY side DESC, count(*) DESC

-- name: id_format
-- The shape of an id.
regexp_replace(regexp_replace({id}, '[0-9]', '9', 'g'), '[A-Za-z]+', 'A', 'g')

-- name: missing_players
-- Players that no final box score names.
SELECT CAST(game_date AS VARCHAR) AS partition, player_lookup, count(*) AS predictions
FROM staged WHERE ungradable_reason = 'player_not_in_box_score'
GROUP BY game_date, player_lookup ORDER BY 1, count(*) DESC, player_lookup

-- name: missing_markets
-- Markets that box scores lack for players whom they name, or have without a value.
SELECT CAST(game_date AS VARCHAR) AS partition, market, ungradable_reason, count(*) AS predictions
FROM staged WHERE ungradable_reason IN ('market_not_in_box_score', 'value_not_in_box_score')
GROUP BY game_date, market, ungradable_reason ORDER BY 1, 2, 3

-- name: players_of_dates
-- Who stands in a box score of these dates.
SELECT DISTINCT CAST(game_date AS VARCHAR) AS partition, player_lookup FROM {actuals} WHERE game_date = ANY($dates)

-- name: changes
-- What a dry run would change, by outcome before and after, with examples. Without a before: the row is new.
SELECT partition, before, after, reason, count(*) AS rows, min(key_json) AS first_key, max(key_json) AS last_key
FROM (
    SELECT partition, CAST(old_json AS JSON) ->> 'outcome' AS before, CAST(new_json AS JSON) ->> 'outcome' AS after,
        reason, key_json
    FROM revisions
) AS changes
GROUP BY partition, before, after, reason
ORDER BY partition, count(*) DESC, before NULLS LAST, after NULLS LAST, reason

-- name: first_changes
-- The same for dates that have no grades yet.
SELECT CAST(game_date AS VARCHAR) AS partition, NULL AS before, outcome AS after, 'first grading' AS reason,
    count(*) AS rows, min(key_json) AS first_key, max(key_json) AS last_key
FROM (SELECT game_date, outcome, {key_json} AS key_json FROM staged WHERE game_date = ANY($dates)) AS fresh
GROUP BY game_date, outcome ORDER BY 1, count(*) DESC, outcome
