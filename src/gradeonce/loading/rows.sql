-- From mapped rows to rows that may land. Slots hold relations, and the column lists that validate.py makes of contract.py.
-- A text is `t_NAME`, what was read from it `v_NAME`, the value that lands `NAME`.

-- name: names
-- Purpose: the rule for names once per spelling, not once per row.
CREATE TEMP TABLE {names} AS
SELECT spelled.spelling, spelled.repaired AS shown, coalesce(known.player, spelled.lookup) AS lookup
FROM (
    SELECT spelling, repaired, {lookup} AS lookup
    FROM (
        SELECT spelling, {repaired} AS repaired
        FROM (SELECT DISTINCT t_player_name AS spelling FROM {texts} WHERE t_player_name IS NOT NULL)
    )
) AS spelled
LEFT JOIN (
    SELECT unnest(CAST($aliases AS VARCHAR[])) AS alias, unnest(CAST($players AS VARCHAR[])) AS player
) AS known ON known.alias = spelled.lookup

-- name: markets
-- Purpose: our name of each market, once per spelling.
CREATE TEMP TABLE {markets} AS
SELECT spelling, coalesce(known.market, word) AS market
FROM (
    SELECT spelling, {word} AS word
    FROM (SELECT DISTINCT t_market AS spelling FROM {texts} WHERE t_market IS NOT NULL)
) AS spelled
LEFT JOIN ({known}) AS known USING (word)

-- name: checked
CREATE TEMP VIEW {checked} AS
SELECT *, {made}
FROM (
    SELECT texts.*, {parsed}, name.shown AS name_shown, name.lookup AS name_lookup, market.market AS market_named
    FROM {texts} AS texts
    LEFT JOIN {names} AS name ON name.spelling = texts.t_player_name
    LEFT JOIN {markets} AS market ON market.spelling = texts.t_market
)

-- name: typed
-- Purpose: every row as it would land, with the verdict on it.
CREATE TEMP TABLE {typed} AS
SELECT {columns}, _n, _refused, (_refused IS NULL AND ({broken})) AS _bad
FROM {checked}

-- name: verdicts
SELECT count(*), count(*) FILTER (WHERE _bad), count(*) FILTER (WHERE _refused IS NOT NULL) FROM {typed}

-- name: refused
SELECT _refused, count(*) FROM {typed} WHERE _refused IS NOT NULL GROUP BY _refused ORDER BY count(*) DESC, _refused

-- name: problems
-- Purpose: what is wrong with the rows that are bad, each problem with its column and value.
CREATE TEMP TABLE {problems} AS
SELECT _file_number, _file, _row, unnest(problems) AS problem
FROM (SELECT _file_number, _file, _row, list_filter([{problem_list}], lambda p: p IS NOT NULL) AS problems FROM {checked}
      WHERE _refused IS NULL AND ({broken}))
UNION ALL
SELECT _file_number, _file, _row, {refusal} FROM {checked} WHERE _refused IS NOT NULL

-- name: bad_rows
-- Purpose: one row for each row of a file that does not land, with the row as it stood there.
CREATE TEMP TABLE {bad} AS
SELECT
    {kind} AS kind,
    faulty.file,
    CAST(faulty.file_row AS INTEGER) AS file_row,
    faulty.reasons,
    CAST(coalesce(original.row_json, '{}') AS VARCHAR) AS row_json
FROM (
    SELECT
        _file_number,
        any_value(_file) AS file,
        _row AS file_row,
        string_agg(DISTINCT concat_ws(' ', problem.column_name || ':', problem.value_shown, problem.reason), '; ') AS reasons
    FROM {problems}
    GROUP BY _file_number, _row
) AS faulty
LEFT JOIN ({originals}) AS original
    ON original.file_number = faulty._file_number AND original.file_row = faulty.file_row
ORDER BY faulty._file_number, faulty.file_row

-- name: no_bad_rows
CREATE TEMP TABLE {bad} (kind VARCHAR, file VARCHAR, file_row INTEGER, reasons VARCHAR, row_json VARCHAR)

-- name: samples
SELECT _file, _row, problem.column_name, problem.value_text, problem.reason
FROM {problems}
WHERE NOT problem.refused
ORDER BY _file_number, _row, problem.column_name
LIMIT 20

-- name: drop_unfit
DELETE FROM {typed} WHERE _bad OR _refused IS NOT NULL

-- name: count_repeated
-- Purpose: whether any row may stand there twice; equal counts prove that none does.
SELECT count(*), count(DISTINCT hash({columns})) FROM {typed}

-- name: drop_repeated
-- Purpose: exact repeats go, the last one stays: a feed that says A, B, A again means A.
DELETE FROM {typed}
WHERE rowid IN (
    SELECT place
    FROM (
        SELECT rowid AS place, row_number() OVER (PARTITION BY {columns} ORDER BY _n DESC) AS nth
        FROM {typed}
        WHERE hash({columns}) IN (SELECT hash({columns}) FROM {typed} GROUP BY hash({columns}) HAVING count(*) > 1)
    )
    WHERE nth > 1
)

-- name: narrow
CREATE TEMP VIEW {rows} AS
SELECT {columns}, CAST(_n AS INTEGER) AS load_row FROM {typed}

-- name: long
-- Purpose: one row for each market of a box score. A statistic that is missing beside others that are not is no row at
-- all, since a null would read as "did not play"; where all are missing they are null.
CREATE TEMP TABLE {rows} AS
SELECT {columns}, CAST((_n - 1) * {places} + stat.place AS INTEGER) AS load_row
FROM (
    SELECT * EXCLUDE (market, actual_value), stat.market AS market, stat.actual_value AS actual_value, stat
    FROM (SELECT *, unnest([{stats}]) AS stat FROM {typed})
)
WHERE actual_value IS NOT NULL OR coalesce({all_stats}) IS NULL

-- name: summary
SELECT count(*), list_sort(list(DISTINCT CAST(game_date AS VARCHAR))) FROM {rows}
