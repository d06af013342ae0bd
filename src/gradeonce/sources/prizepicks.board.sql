-- kind: lines
-- about: PrizePicks' board of lines: snapshots, all markets, no odds.
-- needs: player, stat, line, starttimeiso, scrapedat, team, opponent
-- optional: oddstype, teamcode, opponentcode
-- Set aside: combos ("A + B", one line on two players), rows without a start time (the game they stand for is unknown),
-- and demon or goblin lines (other than the standard one, at other pay-outs). A line comes again in each snapshot and
-- moves between them; who is at home is not said, so the game's id has its teams in alphabetical order.
SELECT
    player AS player_name,
    pair_code(league_date(startTimeIso), coalesce(teamCode, Team), coalesce(opponentCode, Opponent)) AS game_id,
    league_date(startTimeIso) AS game_date,
    stat AS market,
    'prizepicks' AS bookmaker,
    line AS line_value,
    scrapedAt AS observed_at,
    startTimeIso AS tipoff_at,
    CASE
        WHEN contains(player, ' + ') THEN 'a combo: one line on several players'
        WHEN startTimeIso IS NULL THEN 'no start time: the game it stands for is unknown'
        WHEN lower(oddsType) NOT IN ('standard') THEN 'a ' || lower(oddsType) || ' line, not the standard one'
    END AS _refused,
    _file,
    _row
FROM {rows}
