-- name: games
-- Every game that a box score names, with the key under which both id formats meet: date and the pair of teams.
-- A game that moved keeps its id; the last load says on which date it was played.
SELECT g.game_id, g.game_date, g.is_final,
    CASE
        WHEN g.team_abbr IS NOT NULL AND g.opponent_team_abbr IS NOT NULL
            THEN replace(CAST(g.game_date AS VARCHAR), '-', '') || '_' || least(g.team_abbr, g.opponent_team_abbr)
                || '_' || greatest(g.team_abbr, g.opponent_team_abbr)
        ELSE g.game_id
    END AS game_key
FROM (
    SELECT game_id, game_date, team_abbr, opponent_team_abbr,
        bool_or(is_final) OVER (PARTITION BY game_id) AS is_final,
        row_number() OVER (
            PARTITION BY game_id
            ORDER BY team_abbr IS NULL OR opponent_team_abbr IS NULL, loaded_at DESC, load_row DESC
        ) AS place
    FROM {actuals}
) g
WHERE g.place = 1

-- name: game_ids
-- Every game id that a prediction or a box score carries.
SELECT game_id FROM {selected} UNION SELECT game_id FROM {actuals}

-- name: game_ids_of_reports
-- The same, and those of injury reports: a report and a prediction may know a game under ids of different kinds, too.
SELECT game_id FROM {selected} UNION SELECT game_id FROM {actuals}
UNION SELECT game_id FROM {injuries} WHERE game_id IS NOT NULL

-- name: game_keys
-- Each game id that occurs, with its key. An id of the form YYYYMMDD_AWAY_HOME is its own key, its teams put in order;
-- any other id (NBA's ten digits) finds its key through the box scores, or stands for itself.
SELECT ids.game_id,
    CASE
        WHEN ids.game_id ~ '^[0-9]{8}_[A-Za-z]{2,4}_[A-Za-z]{2,4}$'
            THEN split_part(ids.game_id, '_', 1)
                || '_' || least(upper(split_part(ids.game_id, '_', 2)), upper(split_part(ids.game_id, '_', 3)))
                || '_' || greatest(upper(split_part(ids.game_id, '_', 2)), upper(split_part(ids.game_id, '_', 3)))
        ELSE coalesce(g.game_key, ids.game_id)
    END AS game_key
FROM {game_ids} ids
LEFT JOIN {games} g ON g.game_id = ids.game_id

-- name: final_games
-- One row per game: whether any of its box scores is final, and the date it was played.
SELECT k.game_key, bool_or(g.is_final) AS is_final, max(g.game_date) AS played_date
FROM {games} g JOIN {game_keys} k ON k.game_id = g.game_id
GROUP BY k.game_key

-- name: box_players
-- Who stands in which box score, for whatever market.
SELECT DISTINCT a.player_lookup, k.game_key FROM {actuals} a JOIN {game_keys} k ON k.game_id = a.game_id

-- name: wanted_actuals
-- What pairing looks at: narrow rows, of the markets that were predicted.
SELECT player_lookup, game_id, market, actual_value, minutes_played, is_dnp, team_abbr, opponent_team_abbr, is_final,
    recorded_at, loaded_at, load_row
FROM {actuals}
WHERE market IN (SELECT market FROM {selected})

-- name: latest_actuals
-- One row per player, game and market: final before provisional, then the latest version.
SELECT a.*, k.game_key,
    row_number() OVER (
        PARTITION BY a.player_lookup, k.game_key, a.market
        ORDER BY a.is_final DESC, coalesce(a.recorded_at, a.loaded_at) DESC, a.loaded_at DESC, a.load_row DESC
    ) AS version_rank
FROM {actuals} a JOIN {game_keys} k ON k.game_id = a.game_id

-- name: latest_injuries
-- The latest report of a player for a game, whatever its date (the game may have moved), or for the date where the report
-- names no game.
SELECT i.player_lookup, k.game_key, i.game_date, upper(i.status) AS status,
    row_number() OVER (
        PARTITION BY i.player_lookup, k.game_key, CASE WHEN k.game_key IS NULL THEN i.game_date END
        ORDER BY coalesce(i.reported_at, i.loaded_at) DESC, i.loaded_at DESC, i.load_row DESC
    ) AS report_rank
FROM {injuries} i LEFT JOIN {game_keys} k ON k.game_id = i.game_id

-- name: paired
-- Each counted prediction with its actual: on player, game and market, never on player and date alone.
SELECT s.*,
    a.player_lookup IS NOT NULL AS has_actual,
    b.player_lookup IS NOT NULL AS player_in_box_score,
    coalesce(f.is_final, false) AS game_is_final,
    f.played_date,
    a.actual_value, a.minutes_played, a.is_dnp, a.team_abbr, a.opponent_team_abbr,
    coalesce(ig.status, id.status) AS reported_status
FROM {counted} s
JOIN {game_keys} k ON k.game_id = s.game_id
LEFT JOIN {final_games} f ON f.game_key = k.game_key
LEFT JOIN {box_players} b ON b.player_lookup = s.player_lookup AND b.game_key = k.game_key
LEFT JOIN {latest_actuals} a
    ON a.player_lookup = s.player_lookup AND a.game_key = k.game_key AND a.market = s.market AND a.version_rank = 1
LEFT JOIN {latest_injuries} ig
    ON ig.player_lookup = s.player_lookup AND ig.game_key = k.game_key AND ig.report_rank = 1
LEFT JOIN {latest_injuries} id
    ON id.player_lookup = s.player_lookup AND id.game_key IS NULL AND id.game_date = s.game_date AND id.report_rank = 1
