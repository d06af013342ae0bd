-- name: create
-- Which tables of the user's stand for ours: under which names, and whether something else fills them.
CREATE TABLE IF NOT EXISTS mapped_tables (
    name STRING NOT NULL,
    physical STRING NOT NULL,
    columns STRING NOT NULL,
    is_external BOOL NOT NULL,
    is_table BOOL NOT NULL,
    definition STRING NOT NULL
)

-- name: mapped
-- All of them.
SELECT name, physical, columns, is_external, is_table, definition FROM mapped_tables ORDER BY name

-- name: remember
-- One of them, as it now is.
DELETE FROM mapped_tables WHERE name = {name};
INSERT INTO mapped_tables (name, physical, columns, is_external, is_table, definition)
VALUES ({name}, {physical}, {columns}, {is_external}, {is_table}, {definition})

-- name: fences
-- What stands in a table that something else fills, in place of the fences that nobody moves there.
SELECT {table}, CAST({partition} AS STRING) AS part, 0, 0, COUNT(*), '', '',
    COALESCE(FORMAT_DATETIME('%Y-%m-%dT%H:%M:%E6S+00:00', MAX(loaded_at)), '')
FROM ({rows}) GROUP BY {partition} ORDER BY part
