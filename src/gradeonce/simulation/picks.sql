-- What was predicted: five systems, their picks, and every issue of each pick.

-- name: systems
-- Purpose: the five systems. `knowledge` is how much of a player's form each sees (the bookmakers see 0.7), `noise`
-- what it adds, in units of the player's own scatter, `bias` its lean in points; `coverage` the share of players it
-- predicts.
CREATE TEMP TABLE systems AS
SELECT * FROM (VALUES
    (1, 'atlas', 0.97, 0.88, 0.20, 0.0, 'calibrated'),
    (2, 'hotshot', 0.95, 0.50, 0.35, 2.2, 'calibrated'),
    (3, 'certainty', 0.95, 0.30, 0.45, 0.0, 'overconfident'),
    (4, 'percentile', 0.90, 0.60, 0.30, -0.3, 'percent'),
    (5, 'selective', 0.35, 0.88, 0.15, 0.1, 'calibrated')
) AS s(system_no, system_id, coverage, knowledge, noise, bias, confidence_style)
WHERE system_no <= $systems

-- name: system_markets
-- Purpose: points for all of them; the first also predicts rebounds and assists.
CREATE TEMP TABLE system_markets AS
SELECT system_no, 1 AS market_no, 'points' AS market FROM systems
UNION ALL SELECT 1, 2, 'rebounds'
UNION ALL SELECT 1, 3, 'assists'

-- name: props
-- Purpose: one row per player, game and market: his mean, what the bookmakers make of it, and the line at four times
-- of the day. Most lines end in .5; whole ones can push. Some players have no line at all.
CREATE TEMP TABLE props AS
WITH
markets AS (
    SELECT player_game_no, form, roster_rank,
        unnest([1, 2, 3]) AS market_no, unnest(['points', 'rebounds', 'assists']) AS market,
        unnest([mean_points, mean_rebounds, mean_assists]) AS mean_value
    FROM player_games
),
drawn AS (
    SELECT *, player_game_no * 4 + market_no AS prop_no,
        bits('move', prop_no) AS move_draw, bits('offer', prop_no) AS offer
    FROM markets WHERE market_no <= (SELECT max(market_no) FROM system_markets)
),
opened AS (
    SELECT *, CASE WHEN market_no = 1 THEN 0.9 + 1.05 * sqrt(mean_value) ELSE sqrt(mean_value) END AS scatter,
        mean_value * (1 + 0.084 * form) + 0.3 * sqrt(mean_value) * (uniform(move_draw, 3) - 0.5) AS believed,
        CASE
            WHEN uniform(offer, 1) < 0.08 THEN greatest(1, round(believed)) ELSE greatest(0.5, floor(believed) + 0.5)
        END AS opening_line,
        list_transform([uniform(move_draw, 0), uniform(move_draw, 1), uniform(move_draw, 2)], lambda u: CASE
            WHEN u < 0.11 THEN 1 WHEN u < 0.22 THEN -1 WHEN u < 0.25 THEN 0.5 WHEN u < 0.28 THEN -0.5 ELSE 0
        END) AS moves
    FROM drawn
)
SELECT player_game_no, market_no, market, mean_value, form, scatter, believed, offer,
    uniform(offer, 0) >= CASE WHEN roster_rank > 11 THEN 0.25 ELSE 0.03 END AS has_line,
    [0, moves[1], moves[1] + moves[2], moves[1] + moves[2] + moves[3]] AS moved,
    list_transform(moved, lambda m: greatest(0.5, opening_line + m)) AS lines
FROM opened

-- name: book
-- Purpose: the bookmakers, all invented. The third offers half of the props.
CREATE TEMP MACRO book(book_no, offer) AS CASE
    WHEN book_no = 3 AND uniform(offer, 2) < 0.5 THEN 'tallybook' WHEN book_no = 2 THEN 'linehouse' ELSE 'harborbet'
END

-- name: book_line
-- Purpose: a bookmaker's line; the third is now and then a point higher.
CREATE TEMP MACRO book_line(line, bookmaker, offer) AS
    CASE WHEN bookmaker = 'tallybook' AND uniform(offer, 3) < 0.15 THEN line + 1 ELSE line END

-- name: price_no
-- Purpose: which pair of prices (1 to 9) goes with a line: the further it is from what is believed, the dearer one
-- side.
CREATE TEMP MACRO price_no(line, believed, scatter) AS
    greatest(1, least(9, 5 + round(8 * (believed - line) / scatter)))::INTEGER

-- name: over_price
-- Purpose: American odds for the over.
CREATE TEMP MACRO over_price(number) AS [210, 165, 130, 108, -110, -132, -160, -205, -265][number]

-- name: under_price
-- Purpose: American odds for the under.
CREATE TEMP MACRO under_price(number) AS over_price(10 - number)

-- name: picks
-- Purpose: what each system predicts, and how often it issues it, cut so that all issues together are exactly as many
-- as asked for. Few predict a player whose absence was reported,
-- and none a player who hardly ever has a rebound or an assist.
CREATE TEMP TABLE picks AS
WITH
wanted AS (SELECT $predictions - greatest(1, $predictions // 250) AS issues),
offered AS MATERIALIZED (
    SELECT p.player_game_no, m.system_no, p.market_no, p.market,
        p.player_game_no * 16 + m.system_no + CASE WHEN p.market_no > 1 THEN 4 + p.market_no ELSE 0 END AS pick_no,
        bits('pick', pick_no) AS draw,
        s.coverage * CASE WHEN g.fate = 'out_reported' THEN 0.2 ELSE 1 END AS coverage
    FROM props p JOIN player_games g USING (player_game_no)
    JOIN system_markets m USING (market_no) JOIN systems s USING (system_no)
    WHERE p.market_no = 1 OR p.mean_value >= 1.5
),
often AS (
    -- A pick is issued 1.67 times on average; more often where a short season must fill many predictions. The tenth
    -- above what is needed makes sure that there is enough to cut from.
    SELECT *, floor(
        CASE
            WHEN uniform(draw, 1) < 0.55 THEN 1 WHEN uniform(draw, 1) < 0.83 THEN 2
            WHEN uniform(draw, 1) < 0.95 THEN 3 ELSE 4
        END * greatest(1, 1.1 * (SELECT issues FROM wanted) / (1.67 * count(*) OVER ())) + uniform(draw, 2)
    )::BIGINT AS full_issues
    FROM offered WHERE uniform(draw, 0) < coverage
),
counted AS (
    SELECT *, coalesce(sum(full_issues) OVER (
        ORDER BY draw, pick_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS before
    FROM often
)
SELECT c.* EXCLUDE (draw, coverage, before, full_issues), bits('guess', pick_no) AS guess,
    least(full_issues, w.issues - before)::BIGINT AS issues
FROM counted c CROSS JOIN wanted w
WHERE before < w.issues

-- name: issues
-- Purpose: each issue of each pick: when, at which line, with what value. The line is the one at that time of day, so a
-- pick issued again may have another line (a new business key) or the same (a rival that does not count).
CREATE TEMP TABLE issues AS
WITH
numbered AS (
    SELECT *, unnest(range(1, issues + 1)) AS issue_no, wobble(guess, issue_no) AS draw FROM picks
),
timed AS (
    SELECT *, (issue_no - 0.5 + 0.8 * (draw - 0.5)) / issues AS share_of_day,
        least(3, floor(4 * share_of_day))::INTEGER AS step
    FROM numbered
)
SELECT t.pick_no, t.issue_no, t.issues, t.draw, t.player_game_no, t.system_no, t.market, p.scatter, p.believed,
    p.has_line, share_of_day,
    book(1 + floor(uniform(t.guess, 0) * 3)::INTEGER, p.offer) AS bookmaker,
    CASE WHEN p.has_line THEN book_line(p.lines[t.step + 1], bookmaker, p.offer) END AS line_value,
    -- Issues of one pick share the same guess and differ only a little.
    greatest(0.1, round(
        p.mean_value * (1 + 0.12 * s.knowledge * p.form) + s.bias * CASE WHEN t.market_no = 1 THEN 1 ELSE 0.1 END
        + s.noise * p.scatter * bell(t.guess) + 0.05 * p.scatter * (t.draw - 0.5), 1
    )) AS predicted_value
FROM timed t
JOIN systems s USING (system_no)
JOIN props p ON p.player_game_no = t.player_game_no AND p.market_no = t.market_no

-- name: oddities
-- Purpose: issues that must not count: a handful made after tip-off, some withdrawn in one way or the other.
CREATE TEMP TABLE oddities AS
WITH
late AS (
    SELECT pick_no, issue_no FROM issues WHERE issue_no = issues
    ORDER BY abs(draw - 0.25), pick_no LIMIT greatest(1, $predictions // 8000)
),
withdrawn AS (
    SELECT pick_no, issue_no, row_number() OVER (ORDER BY draw, pick_no, issue_no) AS place
    FROM (
        SELECT * FROM issues ANTI JOIN late USING (pick_no)
        ORDER BY draw, pick_no, issue_no LIMIT greatest(3, $predictions // 130)
    )
)
SELECT pick_no, issue_no, 'late' AS oddity FROM late
UNION ALL
SELECT pick_no, issue_no, CASE WHEN place % 3 = 0 THEN 'invalidated' ELSE 'inactive' END FROM withdrawn

-- name: predictions
-- Purpose: the rows as the files hold them, without the copies. `counts` is what a grader must find out for himself:
-- some are inactive, some invalidated, and a handful were made after tip-off.
CREATE TEMP TABLE predictions AS
SELECT
    concat_ws('-', s.system_id, i.pick_no, i.issue_no) AS prediction_id,
    s.system_id, g.player_lookup, g.player_name, g.game_id, g.game_date, i.market,
    i.predicted_value::DECIMAL(9, 1) AS predicted_value,
    i.line_value::DECIMAL(9, 1) AS line_value,
    CASE
        WHEN i.line_value IS NULL THEN 'NO_LINE'
        WHEN edge >= 0.12 AND i.predicted_value > i.line_value THEN 'OVER'
        WHEN edge >= 0.12 THEN 'UNDER'
        WHEN s.confidence_style = 'percent' THEN 'HOLD'
        ELSE 'PASS'
    END AS recommendation,
    CASE s.confidence_style
        WHEN 'overconfident' THEN 0.78 + 0.2 * edge
        WHEN 'percent' THEN 100 * (0.5 + 0.2 * edge)
        ELSE 0.5 + 0.25 * edge
    END::DECIMAL(9, 3) AS confidence_score,
    CASE
        WHEN o.oddity = 'late' THEN g.tipoff_at + (10 + floor(i.share_of_day * 40))::BIGINT * INTERVAL 1 MINUTE
        ELSE g.tipoff_at - INTERVAL 540 MINUTE + floor(i.share_of_day * 31800)::BIGINT * INTERVAL 1 SECOND
    END AS created_at,
    g.tipoff_at,
    o.oddity IS DISTINCT FROM 'inactive' AS is_active,
    s.system_id || CASE WHEN s.system_no = 2 AND g.game_date - $start::DATE >= 90 THEN '-1.1' ELSE '-1.0' END
        AS model_version,
    CASE WHEN i.has_line THEN 'ACTUAL_PROP' ELSE 'NO_PROP_LINE' END AS line_source,
    CASE WHEN i.has_line THEN i.bookmaker END AS bookmaker,
    CASE WHEN i.has_line THEN over_price(price_no(i.line_value, i.believed, i.scatter)) END AS over_price,
    CASE WHEN i.has_line THEN under_price(price_no(i.line_value, i.believed, i.scatter)) END AS under_price,
    i.has_line AS has_prop_line,
    CASE
        WHEN s.system_no <> 1 OR created_at < r.first_at THEN NULL
        WHEN created_at < r.last_at THEN r.first_status ELSE r.last_status
    END AS injury_status_at_prediction,
    CASE WHEN o.oddity = 'invalidated' THEN 'withdrawn_by_system' END AS invalidation_reason,
    o.oddity IS NULL AS counts,
    i.pick_no, i.issue_no, i.player_game_no
FROM (
    SELECT *, least(1, coalesce(abs(predicted_value - line_value), 0) / scatter) AS edge FROM issues
) i
JOIN systems s USING (system_no)
JOIN player_games g USING (player_game_no)
LEFT JOIN reports r USING (player_game_no)
LEFT JOIN oddities o ON o.pick_no = i.pick_no AND o.issue_no = i.issue_no

-- name: copies
-- Purpose: predictions that a feed delivers twice, the same to the letter.
CREATE TEMP TABLE copies AS
SELECT pick_no, issue_no FROM issues
ORDER BY abs(draw - 0.75), pick_no, issue_no LIMIT greatest(1, $predictions // 250)
