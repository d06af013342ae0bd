-- name: row_text
-- One text per row, the same on every engine: unit separator between values, record separator for null.
ARRAY_TO_STRING([{values}], CHR(31))

-- name: identified
-- Rows with their key as one text (null parts equal) and the hash of their content.
SELECT {columns}, {row_key} AS row_key, TO_HEX(MD5({row_text})) AS row_md5 FROM {relation} AS r

-- name: facts
-- Rows, and the sums of the four words of the row hashes, last byte first, per partition: Python puts the words together,
-- because no sum of 64-bit numbers fits into one here. Sums do not depend on the order of rows.
SELECT COALESCE(CAST({partition} AS STRING), 'null') AS part, COUNT(*) AS row_count,
    SUM(CAST(CONCAT('0x', SUBSTR(row_md5, 7, 2), SUBSTR(row_md5, 5, 2), SUBSTR(row_md5, 3, 2), SUBSTR(row_md5, 1, 2)) AS INT64)) AS high_1,
    SUM(CAST(CONCAT('0x', SUBSTR(row_md5, 15, 2), SUBSTR(row_md5, 13, 2), SUBSTR(row_md5, 11, 2), SUBSTR(row_md5, 9, 2)) AS INT64)) AS high_2,
    SUM(CAST(CONCAT('0x', SUBSTR(row_md5, 23, 2), SUBSTR(row_md5, 21, 2), SUBSTR(row_md5, 19, 2), SUBSTR(row_md5, 17, 2)) AS INT64)) AS low_1,
    SUM(CAST(CONCAT('0x', SUBSTR(row_md5, 31, 2), SUBSTR(row_md5, 29, 2), SUBSTR(row_md5, 27, 2), SUBSTR(row_md5, 25, 2)) AS INT64)) AS low_2
FROM {relation}
GROUP BY 1 ORDER BY part

-- name: staged_facts
-- The same of what was staged just now, in the script that staged it, with the time at which that began.
SELECT n.read_at, f.* FROM (SELECT read_at) AS n LEFT JOIN ({facts}) AS f ON TRUE ORDER BY f.part

-- name: revisions
-- What a publish adds, removes and changes against what stands.
SELECT CAST(COALESCE(n.{partition}, o.{partition}) AS STRING) AS `partition`, {table} AS table_name,
    CASE WHEN o.row_key IS NULL THEN 'added' WHEN n.row_key IS NULL THEN 'removed' ELSE 'changed' END AS change,
    CASE WHEN o.row_key IS NULL THEN 'new row' WHEN n.row_key IS NULL THEN 'row no longer counts' ELSE {reason} END
        AS reason,
    {key_json} AS key_json,
    CASE WHEN o.row_key IS NOT NULL THEN {old_json} END AS old_json,
    CASE WHEN n.row_key IS NOT NULL THEN {new_json} END AS new_json,
    @run_id AS run_id, CURRENT_DATETIME('UTC') AS revised_at
FROM {new} AS n FULL JOIN {old} AS o ON n.row_key = o.row_key
WHERE n.row_key IS NULL OR o.row_key IS NULL OR n.row_md5 <> o.row_md5

-- name: row_revisions
-- What a publish adds and removes where copies of a key may stand: whole rows, each as often as it stands.
SELECT CAST(d.{partition} AS STRING) AS `partition`, {table} AS table_name, d.change, {reason} AS reason,
    {key_json} AS key_json, CASE WHEN d.change = 'removed' THEN {row_json} END AS old_json,
    CASE WHEN d.change = 'added' THEN {row_json} END AS new_json,
    @run_id AS run_id, CURRENT_DATETIME('UTC') AS revised_at
FROM (
    SELECT 'removed' AS change, o.* FROM (
        SELECT r.*, {row_text} AS whole, ROW_NUMBER() OVER (PARTITION BY {row_text}) AS copy FROM {old} AS r
    ) AS o LEFT JOIN (
        SELECT {row_text} AS whole, ROW_NUMBER() OVER (PARTITION BY {row_text}) AS copy FROM {new} AS r
    ) AS n ON n.whole = o.whole AND n.copy = o.copy
    WHERE n.whole IS NULL
    UNION ALL
    SELECT 'added' AS change, n.* FROM (
        SELECT r.*, {row_text} AS whole, ROW_NUMBER() OVER (PARTITION BY {row_text}) AS copy FROM {new} AS r
    ) AS n LEFT JOIN (
        SELECT {row_text} AS whole, ROW_NUMBER() OVER (PARTITION BY {row_text}) AS copy FROM {old} AS r
    ) AS o ON n.whole = o.whole AND n.copy = o.copy
    WHERE o.whole IS NULL
) AS d

-- name: row_sums
-- Enough to tell one set of rows from another: how many, and the sums of the words of their hashes.
SELECT CONCAT(COUNT(*), ':', COALESCE(SUM(CAST(CONCAT('0x', SUBSTR(row_md5, 1, 8)) AS INT64)), 0), ':',
    COALESCE(SUM(CAST(CONCAT('0x', SUBSTR(row_md5, 9, 8)) AS INT64)), 0), ':',
    COALESCE(SUM(CAST(CONCAT('0x', SUBSTR(row_md5, 17, 8)) AS INT64)), 0), ':',
    COALESCE(SUM(CAST(CONCAT('0x', SUBSTR(row_md5, 25, 8)) AS INT64)), 0)) AS sums
FROM {relation}

-- name: revised
-- How many of each, per partition.
SELECT `partition` AS part, COUNTIF(change = 'added'), COUNTIF(change = 'removed'), COUNTIF(change = 'changed')
FROM {revisions} GROUP BY 1

-- name: put
-- The staged rows become the partitions.
INSERT INTO {table} ({into}) SELECT {columns} FROM {staged} WHERE {within}

-- name: put_carried
-- The same; a row whose content did not change keeps the stamps of the run that wrote it.
INSERT INTO {table} ({columns})
SELECT {values}
FROM {staged} AS n LEFT JOIN {old} AS o ON o.row_key = n.row_key AND o.row_md5 = n.row_md5
WHERE {within}

-- name: sharing
-- Partitions of one table that hold a value which another table holds in the given partitions.
SELECT DISTINCT CAST({partition} AS STRING) AS part FROM ({table})
WHERE {column} IN (SELECT {column} FROM ({other}))
ORDER BY 1

-- name: unknown_rows
-- Rows of a load that do not stand in the book yet, whatever load brought them.
SELECT n.* FROM {new} AS n LEFT JOIN (SELECT DISTINCT row_md5 FROM {standing}) AS k ON k.row_md5 = n.row_md5
WHERE k.row_md5 IS NULL

-- name: unknown_versions
-- Rows of a load that say something new. A row that stands already does so only if another version of the same came
-- after it: a value corrected to B and back to A must end at A. So the load's last word on a thing lands when it is not
-- the book's last word, and also when an earlier row of the load on that thing lands and would come to stand after it.
SELECT v.* FROM (
    SELECT w.*, w.says_new OR (w.is_last AND LOGICAL_OR(w.says_new) OVER (PARTITION BY w.row_key)) AS lands
    FROM (
        SELECT n.*, n.place = 1 AS is_last,
            k.row_md5 IS NULL OR (n.place = 1 AND l.row_md5 <> n.row_md5) AS says_new
        FROM (
            SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.row_key ORDER BY r.load_row DESC) AS place FROM {new} AS r
        ) AS n
        LEFT JOIN (SELECT DISTINCT row_md5 FROM {standing}) AS k ON k.row_md5 = n.row_md5
        LEFT JOIN (
            SELECT row_key, row_md5,
                ROW_NUMBER() OVER (PARTITION BY row_key ORDER BY loaded_at DESC, load_row DESC) AS place
            FROM {standing}
        ) AS l ON l.place = 1 AND l.row_key = n.row_key
    ) AS w
) AS v
WHERE v.lands
