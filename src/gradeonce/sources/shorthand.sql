-- What presets share, as macros of the engine; a user's own mapping may call them too.

-- name: league_date
-- Purpose: the date where the league plays, of an instant: a tip-off at 7 pm Eastern carries the next day's UTC date.
CREATE OR REPLACE TEMP MACRO league_date(instant) AS
    CAST(timezone({league_timezone}, CAST(instant AS TIMESTAMPTZ)) AS DATE)

-- name: team_code
-- Purpose: a team's NBA abbreviation, from its full name or another site's abbreviation; what is not known (a national
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
            'brk': 'BKN', 'bk': 'BKN', 'pho': 'PHX', 'cho': 'CHA', 'gs': 'GSW', 'sa': 'SAS', 'no': 'NOP', 'nor': 'NOP',
            'ny': 'NYK', 'uth': 'UTA', 'utah': 'UTA', 'wsh': 'WAS', 'lak': 'LAL', 'phl': 'PHI'
        }[lower(trim(team))],
        nullif(upper(regexp_replace(team, '[^A-Za-z0-9]', '', 'g')), '')
    )

-- name: game_code
-- Purpose: a game id where the source has none of the NBA's: date, away team, home team.
CREATE OR REPLACE TEMP MACRO game_code(game_date, away, home) AS
    strftime(CAST(game_date AS DATE), '%Y%m%d') || '_' || team_code(away) || '_' || team_code(home)

-- name: pair_code
-- Purpose: a game id where the source does not say who is at home: the two teams in alphabetical order.
CREATE OR REPLACE TEMP MACRO pair_code(game_date, team, other) AS
    strftime(CAST(game_date AS DATE), '%Y%m%d') || '_' || least(team_code(team), team_code(other))
        || '_' || greatest(team_code(team), team_code(other))
