-- name: row_hash_text
-- One text per row, the same on every engine: unit separator between values, record separator for null.
concat_ws(chr(31), {values})

-- name: facts
-- Rows and content hash per partition. Sums of row hashes do not depend on the order of rows. A row that names no
-- partition is counted under a name that nobody asks for.
SELECT coalesce(CAST({partition} AS VARCHAR), 'null') AS partition, count(*) AS rows,
    sum(CAST(md5_number_lower(row_text) AS HUGEINT)) AS low, sum(CAST(md5_number_upper(row_text) AS HUGEINT)) AS high
FROM (SELECT {partition}, {row_text} AS row_text FROM {relation})
GROUP BY {partition} ORDER BY 1

-- name: values
-- Values of an indexed column, per partition.
SELECT DISTINCT CAST({column} AS VARCHAR), CAST({partition} AS VARCHAR) FROM {relation} WHERE {column} IS NOT NULL

-- name: standing_rows
-- The rows that a load is held against.
SELECT *, md5({row_text}) AS row_md5 FROM {old}

-- name: latest_rows
-- Rows of a load that no standing row with the same key comes before.
SELECT n.* FROM {new} n
WHERE NOT EXISTS (SELECT 1 FROM standing_rows s WHERE {same_key} AND {stands_before})

-- name: unknown_rows
-- Rows of a load that do not stand in the book yet, whatever load brought them.
SELECT n.* FROM (SELECT *, md5({row_text}) AS row_md5 FROM {new}) n
ANTI JOIN standing_rows USING (row_md5)

-- name: unknown_versions
-- Rows of a load that say something new. A row that stands already does so only if another version of the same came
-- after it: a value corrected to B and back to A must end at A. So the load's last word on a thing lands when it is not
-- the book's last word, and also when an earlier row of the load on that thing lands and would come to stand after it.
SELECT v.* FROM (
    SELECT w.*, w.says_new OR (w.is_last AND bool_or(w.says_new) OVER (PARTITION BY {version_of})) AS lands
    FROM (
        SELECT n.*, n.place = 1 AS is_last,
            k.row_md5 IS NULL OR (n.place = 1 AND l.row_md5 <> n.row_md5) AS says_new
        FROM (
            SELECT *, md5({row_text}) AS row_md5,
                row_number() OVER (PARTITION BY {version_of} ORDER BY load_row DESC) AS place
            FROM {new}
        ) n
        LEFT JOIN (SELECT DISTINCT row_md5 FROM standing_rows) k ON k.row_md5 = n.row_md5
        LEFT JOIN (
            SELECT *, row_number() OVER (PARTITION BY {version_of} ORDER BY loaded_at DESC, load_row DESC) AS place
            FROM standing_rows
        ) l ON l.place = 1 AND {same_thing}
    ) w
) v
WHERE v.lands

-- name: revisions
-- What a publish adds, removes and changes against what stands; keys are compared null-safe, as whole tuples.
SELECT CAST({partition} AS VARCHAR) AS partition, {table} AS table_name,
    CASE WHEN o.present IS NULL THEN 'added' WHEN n.present IS NULL THEN 'removed' ELSE 'changed' END AS change,
    CASE WHEN o.present IS NULL THEN 'new row' WHEN n.present IS NULL THEN 'row no longer counts' ELSE {reason} END
        AS reason,
    CAST(to_json({key_struct}) AS VARCHAR) AS key_json,
    CASE WHEN o.present THEN CAST(to_json({old_struct}) AS VARCHAR) END AS old_json,
    CASE WHEN n.present THEN CAST(to_json({new_struct}) AS VARCHAR) END AS new_json,
    $run_id AS run_id, CAST($revised_at AS TIMESTAMP) AS revised_at
FROM (SELECT *, true AS present FROM {new}) n FULL JOIN (SELECT *, true AS present FROM {old}) o ON {same_key}
WHERE n.present IS NULL OR o.present IS NULL OR {differs}

-- name: row_revisions
-- What a publish adds and removes where copies of a key may stand: whole rows, each as often as it stands.
SELECT CAST(d.{partition} AS VARCHAR) AS partition, {table} AS table_name, d.change, {reason} AS reason,
    CAST(to_json({key_struct}) AS VARCHAR) AS key_json,
    CASE WHEN d.change = 'removed' THEN CAST(to_json({row_struct}) AS VARCHAR) END AS old_json,
    CASE WHEN d.change = 'added' THEN CAST(to_json({row_struct}) AS VARCHAR) END AS new_json,
    $run_id AS run_id, CAST($revised_at AS TIMESTAMP) AS revised_at
FROM (
    SELECT 'removed' AS change, * FROM (SELECT {columns} FROM {old} AS o EXCEPT ALL SELECT {columns} FROM {new} AS n)
    UNION ALL
    SELECT 'added' AS change, * FROM (SELECT {columns} FROM {new} AS n EXCEPT ALL SELECT {columns} FROM {old} AS o)
) d

-- name: carried
-- The rows to publish: a row whose content did not change keeps the stamps of the run that wrote it.
SELECT {columns}
FROM {new} n LEFT JOIN {old} o ON {same_key} AND NOT ({differs})
