-- kind: actuals
-- about: Player statistics of API-Sports (api-nba), flattened.
-- needs: firstname, lastname, team, points, minutes, totreb, assists, tpm, date, home_team, away_team
-- optional: steals, blocks, turnovers
-- Dates are instants of the tip-off, UTC unless they say their offset: the league's date is made of them. A row of 0
-- minutes may have played some seconds or not at all, so whether he played is left unknown. A game that was read while it
-- was played comes again with other numbers; both readings are kept in file order and the later one wins.
SELECT
    concat_ws(' ', firstname, lastname) AS player_name,
    game_code(league_date(utc_unless_told("date")), away_team, home_team) AS game_id,
    league_date(utc_unless_told("date")) AS game_date,
    minutes AS minutes_played,
    CASE WHEN TRY_CAST(minutes AS DECIMAL(18, 9)) > 0 OR contains(minutes, ':') THEN false END AS is_dnp,
    team_code(team) AS team_abbr,
    opponent_of(team, home_team, away_team) AS opponent_team_abbr,
    points,
    totReb AS rebounds,
    assists,
    tpm AS threes,
    steals,
    blocks,
    turnovers,
    _file,
    _row
FROM {rows}
