-- check: void_share
-- number: 15
-- severity: warn
-- about: About as many players are void on a date as usual.
-- fix: `gradeonce report --by void_reason --from DATE --to DATE`; a box score that is not complete looks like this.

-- name: shares
-- Players of a date, and how many of them are void, against the days before. Players, not rows: all rows of one who
-- sat out are void together. Both shares have Wilson's interval, and their difference Newcombe's, made of the two.
WITH players AS (
    SELECT game_date, player_lookup, game_id, bool_or(outcome = 'void') AS is_void, max(void_reason) AS void_reason
    FROM prediction_accuracy
    WHERE game_date BETWEEN CAST($first_date AS DATE) - CAST($usual_days AS INTEGER) AND $last_date
        AND outcome <> 'pending'
    GROUP BY game_date, player_lookup, game_id
),
dates AS (
    SELECT game_date, CAST(count(*) AS FLOAT8) AS players, CAST(count(*) FILTER (WHERE is_void) AS FLOAT8) AS voids,
        max(void_reason) AS void_reason
    FROM players GROUP BY game_date
),
shares AS (
    SELECT d.game_date, d.players, d.voids, d.void_reason,
        sum(h.players) FILTER (WHERE {before}) AS players_before, sum(h.voids) FILTER (WHERE {before}) AS voids_before
    FROM dates d CROSS JOIN dates h
    WHERE d.game_date BETWEEN $first_date AND $last_date
    GROUP BY d.game_date, d.players, d.voids, d.void_reason
),
bounds AS (
    SELECT game_date, players, voids, void_reason, players_before, voids_before, share, usual_share,
        players >= $void_minimum AND coalesce(players_before, 0) >= 5 * $void_minimum AS is_enough,
        (share + z * z / (2 * players)
            - z * sqrt(share * (1 - share) / players + z * z / (4 * players * players))) / (1 + z * z / players) AS low,
        (usual_share + z * z / (2 * players_before)
            + z * sqrt(usual_share * (1 - usual_share) / players_before + z * z / (4 * players_before * players_before)))
            / (1 + z * z / players_before) AS usual_high
    FROM (SELECT *, voids / players AS share, voids_before / players_before AS usual_share FROM shares) AS rates
    CROSS JOIN (SELECT CAST($drift_z AS FLOAT8) AS z) AS level
)

-- name: before
-- Whether one date is among the usual days before another.
h.game_date BETWEEN d.game_date - CAST($usual_days AS INTEGER) AND d.game_date - 1

-- name: considered
-- Dates with enough players, that day and before.
{shares}
SELECT count(*) FROM bounds WHERE is_enough

-- name: findings
-- Dates with more voids than chance explains.
{shares}
SELECT game_date, CAST(voids AS INTEGER) AS void_players, CAST(players AS INTEGER) AS players,
    CAST(share AS DECIMAL(9, 4)) AS share, CAST(usual_share AS DECIMAL(9, 4)) AS usual_share, void_reason
FROM bounds
WHERE is_enough AND share > usual_share
    AND share - usual_share
        > sqrt((share - low) * (share - low) + (usual_high - usual_share) * (usual_high - usual_share))
ORDER BY 1

-- name: notes
-- Dates with too few players to say.
{shares}
SELECT CAST(game_date AS VARCHAR) || ': too few players to judge its voids ('
    || CAST(CAST(players AS INTEGER) AS VARCHAR) || ', ' || CAST(CAST(coalesce(players_before, 0) AS INTEGER) AS VARCHAR)
    || ' before; ' || CAST(CAST($void_minimum AS INTEGER) AS VARCHAR) || ' and '
    || CAST(CAST(5 * $void_minimum AS INTEGER) AS VARCHAR) || ' are needed)'
FROM bounds WHERE NOT is_enough ORDER BY 1
