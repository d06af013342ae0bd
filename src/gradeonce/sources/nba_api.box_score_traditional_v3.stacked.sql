-- kind: actuals
-- needs: game_id, team, player, stats.minutes, stats.points, stats.reboundstotal
-- reference: players (id, full_name)
-- reference: games (game_id, game_date)
-- The same box scores flattened from JSON: NBA ids in place of names, every game possibly asked for twice (exact repeats
-- collapse). A player whose id is not among the players cannot be named: his rows are set aside.
SELECT
    person.full_name AS player_name,
    nba_game_id(line.game_id) AS game_id,
    game.game_date,
    line."stats.minutes" AS minutes_played,
    line."stats.minutes" IS NULL AS is_dnp,
    team_code(line.team) AS team_abbr,
    opponent_of(line.team, game_teams[1], game_teams[2]) AS opponent_team_abbr,
    line."stats.points" AS points,
    line."stats.reboundsTotal" AS rebounds,
    line."stats.assists" AS assists,
    line."stats.threePointersMade" AS threes,
    line."stats.steals" AS steals,
    line."stats.blocks" AS blocks,
    line."stats.turnovers" AS turnovers,
    CASE WHEN person.full_name IS NULL THEN 'player id ' || coalesce(line.player, '(empty)') || ' is not among the players' END
        AS _refused,
    line._file,
    line._row
FROM (
    SELECT *, list_distinct(list(team) OVER (PARTITION BY game_id)) AS game_teams FROM {rows}
) AS line
LEFT JOIN (SELECT id, any_value(full_name) AS full_name FROM {players} GROUP BY id) AS person ON person.id = line.player
LEFT JOIN (
    SELECT nba_game_id(game_id) AS game_id, max(game_date) AS game_date FROM {games} GROUP BY ALL
) AS game ON game.game_id = nba_game_id(line.game_id)
