-- name: is_kept
-- Whether it is remembered anywhere which tables of the user's stand for ours.
SELECT to_regclass('mapped_tables') IS NOT NULL;

-- name: create
-- Which tables of the user's stand for ours: under which names, and whether something else fills them.
CREATE TABLE IF NOT EXISTS mapped_tables (
    name text COLLATE "C" PRIMARY KEY,
    physical text NOT NULL,
    columns text NOT NULL,
    is_external boolean NOT NULL,
    definition text NOT NULL
);

-- name: mapped
-- All of them.
SELECT name, physical, columns, is_external, definition FROM mapped_tables ORDER BY name;

-- name: remember
-- One of them, as it now is.
INSERT INTO mapped_tables (name, physical, columns, is_external, definition)
VALUES ($name, $physical, $columns, $is_external, $definition)
ON CONFLICT (name) DO UPDATE SET physical = excluded.physical, columns = excluded.columns,
    is_external = excluded.is_external, definition = excluded.definition;

-- name: shape
-- The columns of a table or view of the user's: name, type, what the type was narrowed to, whether an INSERT must give it a
-- value, and what kind of relation it is.
SELECT a.attname::text AS name, b.typname::text AS type, format_type(a.atttypid, a.atttypmod) AS shown,
    CASE WHEN a.atttypmod > 4 THEN (a.atttypmod - 4) & 65535 END AS scale,
    CASE WHEN a.atttypmod > 4 THEN ((a.atttypmod - 4) >> 16) & 65535 END AS precision,
    a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS is_asked_for, c.relkind::text AS kind
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
WHERE a.attrelid = to_regclass($name) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: row_of_a_table
-- Which row of a table of the user's it is, for as long as a statement runs: where it lies.
CAST(u.tableoid AS text) || '/' || split_part(CAST(u.ctid AS text), ',', 1)

-- name: place_of_a_table
-- The rest of it, as a number.
CAST(rtrim(split_part(CAST(u.ctid AS text), ',', 2), ')') AS integer)

-- name: place_of_a_view
-- A view has no places: a number made of all the row says, so that ties at least end the same way always.
hashtext(CAST(u AS text)) & 2147483647

-- name: fences
-- What stands in a table that something else fills, in place of the fences that nobody moves there.
SELECT {table}, CAST({partition} AS text), 0, 0, count(*), '', '',
    coalesce(to_char(max(loaded_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), '')
FROM {name} GROUP BY {partition} ORDER BY 2
