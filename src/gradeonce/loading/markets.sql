-- Market names: what the sources call a market, and what we do.

-- name: market_word
-- Purpose: lower snake case, without the words that say "of a player" or "another line of the same market".
trim(regexp_replace(
    regexp_replace(
        replace(replace(lower({value}), '+', ' '), 'player_', ' '), '(_alternate|[( ]alternate\)?)$', ''
    ), '[^a-z0-9]+', '_', 'g'
), '_')

-- name: markets
-- Purpose: the words that mean a market of ours; any other word names a market of its own.
SELECT word, market
FROM (VALUES
    ('pts', 'points'), ('point', 'points'),
    ('reb', 'rebounds'), ('rebs', 'rebounds'), ('rebound', 'rebounds'), ('trb', 'rebounds'), ('total_rebounds', 'rebounds'),
    ('ast', 'assists'), ('asts', 'assists'), ('assist', 'assists'),
    ('3pm', 'threes'), ('3_pm', 'threes'), ('3pt_made', 'threes'), ('3_pt_made', 'threes'), ('fg3m', 'threes'),
    ('3_pointers_made', 'threes'), ('three_pointers_made', 'threes'), ('threes_made', 'threes'), ('3_pointers', 'threes'),
    ('three_pointers', 'threes'),
    ('stl', 'steals'), ('stls', 'steals'), ('steal', 'steals'),
    ('blk', 'blocks'), ('blks', 'blocks'), ('block', 'blocks'), ('blocked_shots', 'blocks'), ('blocked_shot', 'blocks'),
    ('tov', 'turnovers'), ('tovs', 'turnovers'), ('to', 'turnovers'), ('turnover', 'turnovers'),
    ('pra', 'points_rebounds_assists'), ('pts_rebs_asts', 'points_rebounds_assists'),
    ('pts_reb_ast', 'points_rebounds_assists'), ('points_assists_rebounds', 'points_rebounds_assists'),
    ('pr', 'points_rebounds'), ('pts_rebs', 'points_rebounds'), ('pts_reb', 'points_rebounds'),
    ('pa', 'points_assists'), ('pts_asts', 'points_assists'), ('pts_ast', 'points_assists'),
    ('ra', 'rebounds_assists'), ('rebs_asts', 'rebounds_assists'), ('reb_ast', 'rebounds_assists'),
    ('blks_stls', 'steals_blocks'), ('stls_blks', 'steals_blocks'), ('blocks_steals', 'steals_blocks'),
    ('stocks', 'steals_blocks'), ('sb', 'steals_blocks')
) AS spelling (word, market)
