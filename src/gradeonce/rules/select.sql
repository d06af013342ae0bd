-- name: refusals
-- Every prediction of the dates, with the reason why it is refused, whatever its rivals; null: it is not.
-- The same prediction loaded again (same system, id, player, game, market and line) replaces what was loaded before, so
-- that it can be withdrawn or corrected; one that had no line yet is replaced by itself with a line. Only on dates that
-- were loaded more than once can one prediction replace another, and most dates are not.
WITH reloaded AS MATERIALIZED (
    SELECT game_date FROM {predictions} AS dated WHERE game_date = ANY($dates)
    GROUP BY game_date HAVING min(loaded_at) < max(loaded_at)
)
SELECT
    p.*,
    CASE
        WHEN p.is_replaced THEN 'replaced'
        WHEN NOT p.is_active THEN 'inactive'
        WHEN p.invalidation_reason IS NOT NULL THEN 'invalidated'
        WHEN $limit_sources AND NOT p.line_source = ANY($line_sources) THEN 'line_source_excluded'
        WHEN p.line_value = ANY($excluded_lines) THEN 'line_excluded'
        WHEN p.created_at >= p.tipoff_at THEN 'after_tipoff'
    END AS refused_reason
FROM (
    SELECT once.*, false AS is_replaced
    FROM {predictions} once
    WHERE game_date = ANY($dates) AND game_date NOT IN (SELECT game_date FROM reloaded)
    UNION ALL
    SELECT often.*,
        max(loaded_at) OVER (
            PARTITION BY prediction_id, system_id, player_lookup, game_id, market, line_value
        ) > loaded_at OR (line_value IS NULL AND max(loaded_at) OVER (
            PARTITION BY prediction_id, system_id, player_lookup, game_id, market
        ) > loaded_at) AS is_replaced
    FROM {predictions} often
    WHERE game_date = ANY($dates) AND game_date IN (SELECT game_date FROM reloaded)
) p

-- name: candidates
-- Every prediction of the dates, with the reason why it does not count; null: it counts.
-- One row per business key counts: the latest created, then the highest prediction_id, so ties end the same way always.
-- The key does not hold the date: a game that moved and was predicted again for its new date is still one game.
-- Sorting compares the first column most, so it is the one that tells rows apart; the reason would be the last to.
SELECT
    c.*,
    CASE
        WHEN c.refused_reason IS NOT NULL THEN c.refused_reason
        WHEN row_number() OVER (
            PARTITION BY c.player_lookup, c.game_id, c.system_id, c.market, c.line_value, c.refused_reason
            ORDER BY c.created_at DESC NULLS LAST, c.prediction_id DESC, c.loaded_at DESC, c.load_row DESC
        ) > 1 THEN 'superseded'
    END AS excluded_reason
FROM ({refusals}) c

-- name: narrow
-- What selecting looks at. Ranking sorts whole rows, so it is given narrow ones: half the time of a backfill was here.
SELECT load_id, load_row, loaded_at, prediction_id, system_id, player_lookup, game_id, game_date, market, line_value,
    created_at, tipoff_at, is_active, invalidation_reason, line_source
FROM {predictions}

-- name: selected
-- The predictions that count, and which of them is the final line of its pick, the last one: win/loss records count
-- only that, so a moved line counts no pick twice.
SELECT
    s.load_id, s.load_row, s.player_lookup, s.game_id, s.market,
    row_number() OVER (
        PARTITION BY s.player_lookup, s.game_id, s.system_id, s.market
        ORDER BY s.line_value IS NULL, s.created_at DESC NULLS LAST, s.prediction_id DESC
    ) = 1 AS is_final_line
FROM {candidates} s
WHERE s.excluded_reason IS NULL

-- name: counted
-- The predictions that count, whole again. Confidence is brought to 0..1: above 1 it is percent.
SELECT w.*, s.is_final_line,
    CAST(CASE WHEN w.confidence_score > 1 THEN w.confidence_score / 100 ELSE w.confidence_score END AS DECIMAL(18, 9))
        AS confidence
FROM {selected} s JOIN {predictions} w ON w.load_id = s.load_id AND w.load_row = s.load_row

-- name: picked_on
-- The dates, of those given, that hold a grade of a pick which is made on other dates, too.
SELECT DISTINCT CAST(g.game_date AS VARCHAR) AS partition
FROM {grades} g
JOIN {predictions} p
    ON p.system_id = g.system_id AND p.player_lookup = g.player_lookup AND p.game_id = g.game_id AND p.market = g.market
WHERE g.game_date = ANY($graded) AND p.game_date = ANY($dates)
ORDER BY 1
