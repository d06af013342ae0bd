-- What presets share, as macros of the engine; a user's own mapping may call them too.

-- name: instant_of
-- Purpose: an instant of its text; one without an offset means the zone that was given, never that of this machine.
CREATE OR REPLACE TEMP MACRO instant_of(written) AS
    CASE
        WHEN regexp_matches(written, ':\d{2}(\.\d+)? ?(Z|z|UTC|[+-]\d{2}(:?\d{2})?)$')
        THEN coalesce(
            TRY_CAST(upper(written) AS TIMESTAMPTZ),
            TRY_CAST(regexp_replace(upper(written), '(:\d{2})( ?(?:Z|UTC|[+-].*))$', '\1:00\2') AS TIMESTAMPTZ)
        )
        ELSE timezone({timezone}, TRY_CAST(written AS TIMESTAMP))
    END

-- name: league_date
-- Purpose: the date where the league plays, of an instant: a tip-off at 7 pm Eastern carries the next day's UTC date.
CREATE OR REPLACE TEMP MACRO league_date(written) AS CAST(timezone({league_timezone}, instant_of(written)) AS DATE)

-- name: utc_unless_told
-- Purpose: an instant's text as it stands if it says its offset, else as one of UTC.
CREATE OR REPLACE TEMP MACRO utc_unless_told(written) AS
    CASE WHEN regexp_matches(written, ':\d{2}(\.\d+)? ?(Z|z|UTC|[+-]\d{2}(:?\d{2})?)$') THEN written ELSE written || '+00' END

-- name: team_code
-- Purpose: a team's NBA abbreviation, from its NBA id, full name or another site's abbreviation; what is not known (a national
-- team, a club of another league) keeps its letters.
CREATE OR REPLACE TEMP MACRO team_code(team) AS
    coalesce(
        MAP {
            'atlanta hawks': 'ATL', 'boston celtics': 'BOS', 'brooklyn nets': 'BKN', 'charlotte hornets': 'CHA',
            'chicago bulls': 'CHI', 'cleveland cavaliers': 'CLE', 'dallas mavericks': 'DAL', 'denver nuggets': 'DEN',
            'detroit pistons': 'DET', 'golden state warriors': 'GSW', 'houston rockets': 'HOU', 'indiana pacers': 'IND',
            'los angeles clippers': 'LAC', 'la clippers': 'LAC', 'los angeles lakers': 'LAL', 'la lakers': 'LAL',
            'memphis grizzlies': 'MEM', 'miami heat': 'MIA', 'milwaukee bucks': 'MIL', 'minnesota timberwolves': 'MIN',
            'new orleans pelicans': 'NOP', 'new york knicks': 'NYK', 'oklahoma city thunder': 'OKC', 'orlando magic': 'ORL',
            'philadelphia 76ers': 'PHI', 'phoenix suns': 'PHX', 'portland trail blazers': 'POR', 'sacramento kings': 'SAC',
            'san antonio spurs': 'SAS', 'toronto raptors': 'TOR', 'utah jazz': 'UTA', 'washington wizards': 'WAS',
            '1610612737': 'ATL', '1610612738': 'BOS', '1610612739': 'CLE', '1610612740': 'NOP', '1610612741': 'CHI',
            '1610612742': 'DAL', '1610612743': 'DEN', '1610612744': 'GSW', '1610612745': 'HOU', '1610612746': 'LAC',
            '1610612747': 'LAL', '1610612748': 'MIA', '1610612749': 'MIL', '1610612750': 'MIN', '1610612751': 'BKN',
            '1610612752': 'NYK', '1610612753': 'ORL', '1610612754': 'IND', '1610612755': 'PHI', '1610612756': 'PHX',
            '1610612757': 'POR', '1610612758': 'SAC', '1610612759': 'SAS', '1610612760': 'OKC', '1610612761': 'TOR',
            '1610612762': 'UTA', '1610612763': 'MEM', '1610612764': 'WAS', '1610612765': 'DET', '1610612766': 'CHA',
            'brk': 'BKN', 'bk': 'BKN', 'pho': 'PHX', 'cho': 'CHA', 'gs': 'GSW', 'sa': 'SAS', 'no': 'NOP', 'nor': 'NOP',
            'ny': 'NYK', 'uth': 'UTA', 'utah': 'UTA', 'wsh': 'WAS', 'lak': 'LAL', 'phl': 'PHI'
        }[lower(trim(team))],
        nullif(upper(regexp_replace(team, '[^A-Za-z0-9]', '', 'g')), '')
    )

-- name: game_code
-- Purpose: a game id where the source has none of the NBA's: date, away team, home team.
CREATE OR REPLACE TEMP MACRO game_code(game_date, away, home) AS
    strftime(TRY_CAST(game_date AS DATE), '%Y%m%d') || '_' || team_code(away) || '_' || team_code(home)

-- name: pair_code
-- Purpose: a game id where the source does not say who is at home: the two teams in alphabetical order.
CREATE OR REPLACE TEMP MACRO pair_code(game_date, team, other) AS
    strftime(TRY_CAST(game_date AS DATE), '%Y%m%d') || '_' || least(team_code(team), team_code(other))
        || '_' || greatest(team_code(team), team_code(other))

-- name: opponent_of
-- Purpose: the team of the two that this one is not.
CREATE OR REPLACE TEMP MACRO opponent_of(team, home, away) AS
    CASE team_code(team) WHEN team_code(home) THEN team_code(away) WHEN team_code(away) THEN team_code(home) END

-- name: book_key
-- Purpose: a bookmaker's name as The Odds API keys it: "BetOnline.ag" is betonlineag.
CREATE OR REPLACE TEMP MACRO book_key(bookmaker) AS
    nullif(regexp_replace(lower(bookmaker), '[^a-z0-9_]', '', 'g'), '')

-- name: american_price
-- Purpose: American odds of decimal ones (1.8 is -125, 2.5 is 150) and of "even"; other texts stay, to be judged as they
-- stand. No American odds lie between 1 and 100, so none is taken for decimal ones.
CREATE OR REPLACE TEMP MACRO american_price(price) AS
    CASE
        WHEN lower(price) IN ('even', 'evens', 'ev') THEN '100'
        WHEN TRY_CAST(price AS DECIMAL(18, 9)) <= 1 OR TRY_CAST(price AS DECIMAL(18, 9)) >= 100 THEN price
        WHEN TRY_CAST(price AS DECIMAL(18, 9)) >= 2
        THEN CAST(CAST(round((TRY_CAST(price AS DECIMAL(18, 9)) - 1) * 100) AS BIGINT) AS VARCHAR)
        WHEN TRY_CAST(price AS DECIMAL(18, 9)) > 1
        THEN CAST(CAST(round(-100 / (TRY_CAST(price AS DECIMAL(18, 9)) - 1)) AS BIGINT) AS VARCHAR)
        ELSE price
    END

-- name: real_price
-- Purpose: American odds, or nothing where a pick'em book stands: its -137, 100 or -10000 fills a field, nobody is paid so.
CREATE OR REPLACE TEMP MACRO real_price(bookmaker, price) AS
    CASE WHEN book_key(bookmaker) NOT IN ('prizepicks', 'underdog', 'betr_us_dfs', 'pick6', 'sleeper')
    THEN american_price(CAST(price AS VARCHAR)) END

-- name: nba_game_id
-- Purpose: the ten digits of an NBA game id, also where a spreadsheet took the zeros in front, or made it a number (22200001.0).
CREATE OR REPLACE TEMP MACRO nba_game_id(game_id) AS
    CASE
        WHEN regexp_full_match(game_id, '\d{8,10}(\.0)?') THEN lpad(split_part(game_id, '.', 1), 10, '0')
        ELSE game_id
    END
