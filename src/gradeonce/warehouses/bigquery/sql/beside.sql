-- Copies of a key in a table that is not the book's. `{table}` is its quoted name, `{within}` the condition without which it
-- may refuse to be read, `{key_text}` one text for a row's key (nulls equal), `{order}` says which copy comes first. A row
-- is known by its whole content: equal ones may take each other's place.

-- name: key_text
-- A row's key as one text.
ARRAY_TO_STRING([{parts}], CHR(31))

-- name: doubled
-- Every row whose key stands more than once, with its place among the copies.
SELECT * FROM (
    SELECT k.*, ROW_NUMBER() OVER (PARTITION BY k.key_text ORDER BY {order}, k.row_text) AS copy_number,
        COUNT(*) OVER (PARTITION BY k.key_text) AS copies
    FROM (
        SELECT {key_text} AS key_text, t.{by} AS decides, TO_JSON_STRING(t) AS row_text FROM {table} AS t WHERE {within}
    ) AS k
) AS numbered
WHERE numbered.copies > 1

-- name: by_copies
-- Per number of copies: how many keys, and of these, whose copies are equal in every column.
SELECT copies, COUNT(*) AS n, COUNTIF(is_identical) AS identical FROM (
    SELECT copies, MIN(row_text) = MAX(row_text) AS is_identical FROM ({doubled}) AS d GROUP BY key_text, copies
) AS by_key
GROUP BY copies ORDER BY copies

-- name: digests
-- How many rows stand, a hash over those whose key stands more than once, and one that also covers which of them stay.
SELECT (SELECT COUNT(*) FROM {table} WHERE {within}) AS row_count,
    TO_HEX(MD5(COALESCE(STRING_AGG(d.row_md5, ',' ORDER BY d.row_md5), ''))) AS rows_digest,
    TO_HEX(MD5(COALESCE(STRING_AGG(CONCAT(d.row_md5, CAST(d.copy_number AS STRING)), ',' ORDER BY d.row_md5, d.copy_number), '')))
        AS digest
FROM (SELECT TO_HEX(MD5(row_text)) AS row_md5, copy_number FROM ({doubled}) AS numbered) AS d

-- name: samples
-- The first keys, each with its copies: the one that stays, then those that go.
SELECT key_text, CAST(decides AS STRING) AS decides, copy_number FROM (
    SELECT d.*, DENSE_RANK() OVER (ORDER BY d.key_text) AS nth FROM ({doubled}) AS d
) AS ranked
WHERE nth <= 5 ORDER BY key_text, copy_number

-- name: back_up
-- The rows as they stand, whose key stands more than once.
CREATE OR REPLACE TABLE {backup} AS
SELECT t.* FROM {table} AS t WHERE {within} AND {key_text} IN (
    SELECT {key_text} FROM {table} AS t WHERE {within} GROUP BY 1 HAVING COUNT(*) > 1
)

-- name: backup_digest
-- How many rows a backup holds, and the hash over all of them.
SELECT COUNT(*) AS row_count, TO_HEX(MD5(COALESCE(STRING_AGG(b.row_md5, ',' ORDER BY b.row_md5), ''))) AS digest
FROM (SELECT TO_HEX(MD5(TO_JSON_STRING(t))) AS row_md5 FROM {backup} AS t) AS b

-- name: standing_digest
-- The same hash over the rows that stand under the keys of a backup.
SELECT TO_HEX(MD5(COALESCE(STRING_AGG(s.row_md5, ',' ORDER BY s.row_md5), ''))) AS digest
FROM (
    SELECT TO_HEX(MD5(TO_JSON_STRING(t))) AS row_md5 FROM {table} AS t
    WHERE {within} AND {key_text} IN (SELECT {key_text} FROM {backup} AS t)
) AS s

-- name: take_out
-- Whatever stands under the keys of a backup.
DELETE FROM {table} AS t WHERE {within} AND {key_text} IN (SELECT {key_text} FROM {backup} AS t)

-- name: refuse_others
-- Other rows than were looked at take everything back.
IF @@row_count <> {expected} THEN RAISE USING MESSAGE = 'gradeonce: other rows stand than were looked at'; END IF

-- name: refuse_changed
-- The same for what they hold, before any of them goes.
IF ({digest}) <> '{expected}' THEN RAISE USING MESSAGE = 'gradeonce: other rows stand than were looked at'; END IF

-- name: put_kept
-- The copies that stay.
INSERT INTO {table} ({columns})
SELECT {columns} FROM (
    SELECT t.*, ROW_NUMBER() OVER (PARTITION BY {key_text} ORDER BY {order}, TO_JSON_STRING(t)) AS gradeonce_copy_number
    FROM {backup} AS t
) AS numbered
WHERE gradeonce_copy_number = 1

-- name: put_back
-- The rows as they stood.
INSERT INTO {table} ({columns}) SELECT {columns} FROM {backup}

-- name: restorable
-- Rows that stand, those of them under the keys of a backup, and how many of these are among the backup's rows.
SELECT (SELECT COUNT(*) FROM {table} WHERE {within}) AS row_count, COALESCE(SUM(s.n), 0) AS taken,
    COALESCE(SUM(LEAST(s.n, COALESCE(b.n, 0))), 0) AS common
FROM (
    SELECT TO_JSON_STRING(t) AS row_text, COUNT(*) AS n FROM {table} AS t
    WHERE {within} AND {key_text} IN (SELECT {key_text} FROM {backup} AS t) GROUP BY 1
) AS s
LEFT JOIN (SELECT TO_JSON_STRING(t) AS row_text, COUNT(*) AS n FROM {backup} AS t GROUP BY 1) AS b ON b.row_text = s.row_text
