-- Copies of a key in a table of the database that is not the book's. `{table}` is its quoted name, `{key_text}` one text for a
-- row's key (nulls equal), `{order}` says which copy comes first.

-- name: columns
-- The columns that can be written, and all of them, in order.
SELECT attname::text, attgenerated = '' FROM pg_attribute
WHERE attrelid = to_regclass($name) AND attnum > 0 AND NOT attisdropped ORDER BY attnum

-- name: column_types
-- All columns with their types, in order.
SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = to_regclass($name) AND attnum > 0 AND NOT attisdropped ORDER BY attnum

-- name: kind
-- What stands behind a name: r is a table, p a partitioned one.
SELECT c.relkind::text, format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($name)

-- name: doubled
-- Every row whose key stands more than once, with its place among the copies. Rows are told apart by where they lie.
CREATE TEMP TABLE doubled ON COMMIT DROP AS
SELECT * FROM (
    SELECT t.tableoid AS part, t.ctid AS place, {key_text} AS key_text, ROW(t.*)::text AS row_text,
        CAST({by} AS text) AS decides,
        row_number() OVER (PARTITION BY {key_text} ORDER BY {order}) AS copy_number,
        count(*) OVER (PARTITION BY {key_text}) AS copies
    FROM {table} AS t
) AS numbered
WHERE copies > 1

-- name: rows
-- How many rows stand in the table.
SELECT count(*) FROM {table}

-- name: keys
-- How many keys stand in the table, nulls equal.
SELECT count(DISTINCT {key_text}) FROM {table} AS t

-- name: by_copies
-- Per number of copies: how many keys, and of these, whose copies are equal in every column.
SELECT copies, count(*), count(*) FILTER (WHERE is_identical) FROM (
    SELECT copies, min(row_text) = max(row_text) AS is_identical FROM doubled GROUP BY key_text, copies
) AS keys GROUP BY copies ORDER BY copies

-- name: digests
-- A hash over all of these rows, and one that also covers which of them stay.
SELECT md5(coalesce(string_agg(md5(row_text), ',' ORDER BY md5(row_text)), '')),
    md5(coalesce(string_agg(md5(row_text) || copy_number, ',' ORDER BY md5(row_text), copy_number), ''))
FROM doubled

-- name: samples
-- The first keys, each with its copies: the one that stays, then those that go.
SELECT key_text, decides, copy_number FROM doubled
WHERE key_text IN (SELECT key_text FROM doubled GROUP BY key_text ORDER BY key_text LIMIT 5)
ORDER BY key_text, copy_number

-- name: back_up
-- The rows as they stand.
CREATE TABLE {backup} AS
SELECT t.* FROM {table} AS t JOIN doubled d ON d.part = t.tableoid AND d.place = t.ctid

-- name: backup_digest
-- How many rows a backup holds, and the hash over all of them.
SELECT count(*), md5(coalesce(string_agg(md5(ROW(b.*)::text), ',' ORDER BY md5(ROW(b.*)::text)), '')) FROM {backup} AS b

-- name: remove
-- All copies but the one that stays.
DELETE FROM {table} AS t USING doubled d WHERE d.part = t.tableoid AND d.place = t.ctid AND d.copy_number > 1

-- name: still_doubled
-- Keys that stand more than once.
SELECT count(*) FROM (SELECT 1 FROM {table} AS t GROUP BY {key_text} HAVING count(*) > 1) AS g

-- name: take_out
-- Whatever stands under the keys of a backup.
DELETE FROM {table} AS t USING (SELECT DISTINCT {backup_key_text} AS key_text FROM {backup} AS b) AS k
WHERE {key_text} = k.key_text
RETURNING ROW(t.*)::text

-- name: put_back
-- The rows as they stood.
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {backup}
