-- kind: injuries
-- needs: report_updated_utc, team, player, status
-- optional: reason
-- Snapshots of the report without match-ups: the game's date is taken to be the league's date of the report. A suffix
-- that the parser glued to the name ("Trey MurphyIII") is cut off; one player comes again in each snapshot.
SELECT
    regexp_replace(player, '(\p{Ll})(Jr\.?|Sr\.?|I{2,3}|IV)$', '\1 \2') AS player_name,
    league_date(replace(report_updated_utc, ' UTC', '+00')) AS game_date,
    status,
    reason,
    replace(report_updated_utc, ' UTC', '+00') AS reported_at,
    _file,
    _row
FROM {rows}
