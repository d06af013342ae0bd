-- name: fences
-- The fences of a table's partitions, in order.
SELECT table_name, partition, token, seq, rows, content_hash, version, coalesce(published_at, '')
FROM publish_fences WHERE table_name = $table ORDER BY partition;

-- name: fences_of
-- Some of them, each with what is remembered of the table.
SELECT table_name, partition, token, seq, rows, content_hash, version, coalesce(published_at, ''),
    (SELECT definition FROM row_tables WHERE name = $table)
FROM publish_fences WHERE table_name = $table AND partition = ANY($partitions);

-- name: create_fences
-- Insert-if-absent, in a transaction of its own: the rows must exist before two publishes race for them.
INSERT INTO publish_fences (table_name, partition)
SELECT $table, p FROM unnest($absent::text[]) AS t (p) ORDER BY p ON CONFLICT DO NOTHING;

-- name: remember_table
-- The definition of a table of rows, so that whoever verifies the book knows its columns.
INSERT INTO row_tables (name, definition) VALUES ($table, $definition) ON CONFLICT DO NOTHING;

-- name: definition
-- What is remembered of a table.
SELECT definition FROM row_tables WHERE name = $name;

-- name: tables
-- The definition of every table that was ever written.
SELECT definition FROM row_tables ORDER BY name;

-- name: size_bytes
-- A table with its indexes, in bytes; null where there is none.
SELECT pg_total_relation_size(to_regclass($name));

-- name: forget_table
-- A table that was dropped.
DELETE FROM row_tables WHERE name = $name;

-- name: forget_fences
-- Its fences.
DELETE FROM publish_fences WHERE table_name = $table;

-- name: lock_fences
-- The fences of a commit, in one order for everybody, so that two commits wait for each other and never in a circle.
SELECT f.table_name, f.partition, f.token, f.seq, f.rows, f.content_hash, f.version, coalesce(f.published_at, '')
FROM publish_fences f
WHERE (f.table_name, f.partition) IN (SELECT * FROM unnest($tables::text[], $partitions::text[]) AS t (a, b))
ORDER BY f.table_name, f.partition
FOR UPDATE;

-- name: advance_fences
-- The condition of every publish. It always writes a new value (seq + 1): a guard that only reads serialises nothing.
UPDATE publish_fences f
SET token = greatest(f.token, coalesce(m.token, f.token)), seq = f.seq + 1, rows = m.rows,
    content_hash = m.content_hash,
    version = CASE WHEN m.keeps THEN f.version ELSE $version END,
    published_at = CASE WHEN m.keeps THEN f.published_at ELSE
        to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') END
FROM unnest(
    $tables::text[], $partitions::text[], $tokens::bigint[], $base_seqs::bigint[], $rows::bigint[],
    $hashes::text[], $keeps::boolean[]
) AS m (table_name, partition, token, base_seq, rows, content_hash, keeps)
WHERE f.table_name = m.table_name AND f.partition = m.partition AND f.token <= coalesce(m.token, f.token)
    AND f.seq = m.base_seq
RETURNING f.table_name, f.partition;

-- name: add_to_fences
-- Rows that were added to partitions that nobody replaces (revisions): made if missing, counted up.
INSERT INTO publish_fences AS f (table_name, partition, seq, rows, version, published_at)
SELECT $table, p, 1, n, $version, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
FROM unnest($partitions::text[], $rows::bigint[]) AS t (p, n) ORDER BY p
ON CONFLICT (table_name, partition) DO UPDATE
SET seq = f.seq + 1, rows = f.rows + excluded.rows, version = excluded.version, published_at = excluded.published_at;

-- name: now
-- The server's clock, ISO 8601 UTC.
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"');

-- name: read_at
-- The server's clock once every load into these partitions that was under way has ended: what a later one stamps is later,
-- and what was stamped before is there to be read. The fences are let go of at once.
SAVEPOINT before_reading;
WITH held AS MATERIALIZED (
    SELECT 1 FROM publish_fences f
    WHERE f.table_name = ANY($whole)
        OR (f.table_name, f.partition) IN (SELECT * FROM unnest($tables::text[], $partitions::text[]) AS t (a, b))
    ORDER BY f.table_name, f.partition
    FOR SHARE
)
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') FROM (SELECT count(*) FROM held) AS all_of_them;
ROLLBACK TO SAVEPOINT before_reading;

-- name: add_load
-- A content that was loaded; the key makes a second load of it impossible, and waits for one under way.
INSERT INTO loaded_contents (content_id, load_id) VALUES ($content_id, $load_id) ON CONFLICT DO NOTHING;

-- name: find_load
-- The load that brought this content.
SELECT load_id FROM loaded_contents WHERE content_id = $content_id;

-- name: lock_head
-- The end of the chain, held until the commit: whoever appends next waits here, and only here. The clock is read when the
-- row is ours, so that instants rise with the numbers.
WITH head AS MATERIALIZED (SELECT number, entry_hash FROM ledger_head FOR UPDATE)
SELECT number, entry_hash, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') FROM head;

-- name: add_entries
-- More links, and the new end of the chain.
WITH moved AS (UPDATE ledger_head SET number = $number, entry_hash = $entry_hash)
INSERT INTO ledger (number, at, kind, run_id, table_name, partition, status, token, seq, rows, content_hash, holder,
    details, previous_hash, entry_hash)
SELECT number, at, kind, run_id, table_name, partition, status, token, seq, rows, content_hash, holder,
    details, previous_hash, entry_hash
FROM json_to_recordset($entries::json) AS e (number bigint, at text, kind text, run_id text, table_name text,
    partition text, status text, token bigint, seq bigint, rows bigint, content_hash text, holder text, details text,
    previous_hash text, entry_hash text);

-- name: entries
-- The whole chain.
SELECT number, at, kind, run_id, table_name, partition, status, token, seq, rows, content_hash, holder, details,
    previous_hash, entry_hash
FROM ledger ORDER BY number;
