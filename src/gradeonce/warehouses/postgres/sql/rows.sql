-- name: row_text
-- One text per row, the same on every engine: unit separator between values, record separator for null.
concat_ws(chr(31), {values})

-- name: facts
-- Rows per partition, and for each of the 16 bytes of a row's hash the sum over the rows: the content hash is put together
-- from these sums, and they do not depend on the order of rows.
SELECT coalesce(CAST({partition} AS text), 'null') AS partition, count(*) AS rows, {sums}
FROM {relation}
GROUP BY {partition} ORDER BY 1

-- name: hashed
-- Rows with the hash of their content. The rows are made first (OFFSET 0): merged into this SELECT, everything that makes
-- them would be worked out twice, for the column and for the hash.
SELECT {columns}, decode(md5({row_text}), 'hex') AS row_md5 FROM (SELECT * FROM {relation} AS made OFFSET 0) AS r

-- name: identified
-- Rows with their key as one text (null parts equal) and the hash of their content.
SELECT {columns}, {row_key} AS row_key, decode(md5({row_text}), 'hex') AS row_md5 FROM {relation} AS r

-- name: revisions
-- What a publish adds, removes and changes against what stands. Only rows whose like is not on the other side are matched
-- by their keys, and only for those is anything written.
WITH o AS (
    SELECT r.*, {row_key} AS row_key FROM old r
    WHERE NOT EXISTS (SELECT 1 FROM staged s WHERE s.row_md5 = r.row_md5)
),
n AS (
    SELECT r.*, {row_key} AS row_key FROM staged r
    WHERE {within} AND NOT EXISTS (SELECT 1 FROM old s WHERE s.row_md5 = r.row_md5)
)
SELECT CAST(coalesce(n.{partition}, o.{partition}) AS text) AS partition, {table} AS table_name,
    CASE WHEN o.row_key IS NULL THEN 'added' WHEN n.row_key IS NULL THEN 'removed' ELSE 'changed' END AS change,
    CASE WHEN o.row_key IS NULL THEN 'new row' WHEN n.row_key IS NULL THEN 'row no longer counts' ELSE {reason} END
        AS reason,
    {key_json} AS key_json,
    CASE WHEN o.row_key IS NOT NULL THEN {old_json} END AS old_json,
    CASE WHEN n.row_key IS NOT NULL THEN {new_json} END AS new_json,
    CAST($run_id AS text) AS run_id, statement_timestamp() AT TIME ZONE 'UTC' AS revised_at,
    o.row_key AS old_key, n.row_md5 AS new_md5
FROM n FULL JOIN o ON n.row_key = o.row_key

-- name: row_revisions
-- What a publish adds and removes where copies of a key may stand: whole rows, each as often as it stands.
SELECT CAST(d.{partition} AS text) AS partition, {table} AS table_name, d.change, {reason} AS reason,
    {key_json} AS key_json, CASE WHEN d.change = 'removed' THEN {row_json} END AS old_json,
    CASE WHEN d.change = 'added' THEN {row_json} END AS new_json,
    CAST($run_id AS text) AS run_id, statement_timestamp() AT TIME ZONE 'UTC' AS revised_at
FROM (
    SELECT 'removed' AS change, r.* FROM (SELECT {columns} FROM {old} AS o EXCEPT ALL SELECT {columns} FROM {new} AS n) AS r
    UNION ALL
    SELECT 'added' AS change, r.* FROM (SELECT {columns} FROM {new} AS n EXCEPT ALL SELECT {columns} FROM {old} AS o) AS r
) AS d

-- name: revised
-- How many of each, per partition.
SELECT partition, count(*) FILTER (WHERE change = 'added'), count(*) FILTER (WHERE change = 'removed'),
    count(*) FILTER (WHERE change = 'changed')
FROM revisions GROUP BY partition

-- name: remove
-- The old version of partitions.
DELETE FROM {table} WHERE {partition} = ANY({partitions})

-- name: put
-- The staged rows become the partitions. In the order of the key, so that its index grows at one end instead of everywhere.
INSERT INTO {table} ({columns}) SELECT {columns} FROM {staged} WHERE {partition} = ANY({partitions}) ORDER BY {order}

-- name: remove_revised
-- Rows that are gone or come in another version. A row that did not change is not touched: it keeps the stamps of the run
-- that wrote it.
DELETE FROM {table} r USING revisions v
WHERE r.{partition} = ANY({partitions}) AND v.old_key = {row_key}

-- name: put_revised
-- Rows that are new or come in another version.
INSERT INTO {table} ({columns})
SELECT {columns} FROM staged WHERE row_md5 IN (SELECT new_md5 FROM revisions WHERE new_md5 IS NOT NULL)

-- name: put_revisions
-- The revisions that follow.
INSERT INTO {table} ({columns}) SELECT {columns} FROM revisions

-- name: counted
-- How many rows now stand in partitions.
SELECT CAST({partition} AS text), count(*) FROM {table} WHERE {partition} = ANY({partitions}) GROUP BY {partition}

-- name: sharing
-- Partitions of one table that hold a value which another table holds in the given partitions. For each value the index is
-- asked for its next partition again and again, instead of reading every row that has it.
SELECT DISTINCT CAST(near.partition AS text)
FROM (SELECT DISTINCT {column} AS value FROM {other} WHERE {other_partition} = ANY({partitions})) AS wanted,
    LATERAL (
        WITH RECURSIVE hop (partition) AS (
            (SELECT {partition} FROM {table} WHERE {column} = wanted.value ORDER BY {partition} LIMIT 1)
            UNION ALL
            SELECT (
                SELECT n.{partition} FROM {table} n WHERE n.{column} = wanted.value AND n.{partition} > hop.partition
                ORDER BY n.{partition} LIMIT 1
            )
            FROM hop WHERE hop.partition IS NOT NULL
        )
        SELECT partition FROM hop WHERE partition IS NOT NULL
    ) AS near
ORDER BY 1

-- name: leave_out_older
-- Rows of a load that a standing row with the same key comes before.
DELETE FROM {new} n
WHERE EXISTS (SELECT 1 FROM {standing} s WHERE {same_key} AND {stands_before})

-- name: unknown_rows
-- Rows of a load that do not stand in the book yet, whatever load brought them.
SELECT n.* FROM {new} n WHERE NOT EXISTS (SELECT 1 FROM {standing} s WHERE s.row_md5 = n.row_md5)

-- name: unknown_versions
-- Rows of a load that say something new. A row that stands already does so only if another version of the same came
-- after it: a value corrected to B and back to A must end at A. So the load's last word on a thing lands when it is not
-- the book's last word, and also when an earlier row of the load on that thing lands and would come to stand after it.
SELECT v.* FROM (
    SELECT w.*, w.says_new OR (w.is_last AND bool_or(w.says_new) OVER (PARTITION BY w.row_key)) AS lands
    FROM (
        SELECT n.*, n.place = 1 AS is_last,
            k.row_md5 IS NULL OR (n.place = 1 AND l.row_md5 <> n.row_md5) AS says_new
        FROM (
            SELECT r.*, row_number() OVER (PARTITION BY r.row_key ORDER BY r.load_row DESC) AS place FROM {new} r
        ) n
        LEFT JOIN (SELECT DISTINCT row_md5 FROM {standing}) k ON k.row_md5 = n.row_md5
        LEFT JOIN (
            SELECT row_key, row_md5,
                row_number() OVER (PARTITION BY row_key ORDER BY loaded_at DESC, load_row DESC) AS place
            FROM {standing}
        ) l ON l.place = 1 AND l.row_key = n.row_key
    ) w
) v
WHERE v.lands
