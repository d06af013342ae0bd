-- name: create
-- The book's small state. STRICT: SQLite would otherwise take any type in any column.
CREATE TABLE book (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE tables (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL
) STRICT;

CREATE TABLE publish_fences (
    table_name TEXT NOT NULL,
    partition TEXT NOT NULL,
    token INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL DEFAULT 0,
    rows INTEGER NOT NULL DEFAULT 0,
    content_hash TEXT NOT NULL DEFAULT '',
    version TEXT NOT NULL DEFAULT '',
    published_at TEXT,
    PRIMARY KEY (table_name, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
    file_id INTEGER PRIMARY KEY,
    table_name TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    segments INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE segments (
    table_name TEXT NOT NULL,
    partition TEXT NOT NULL,
    file_id INTEGER NOT NULL REFERENCES files (file_id),
    rows INTEGER NOT NULL,
    added_seq INTEGER NOT NULL,
    removed_seq INTEGER,
    PRIMARY KEY (table_name, partition, file_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE segment_values (
    table_name TEXT NOT NULL,
    column_name TEXT NOT NULL,
    value TEXT NOT NULL,
    partition TEXT NOT NULL,
    PRIMARY KEY (table_name, column_name, value, partition)
) STRICT, WITHOUT ROWID;

CREATE INDEX segment_values_by_partition ON segment_values (table_name, column_name, partition);

CREATE TABLE loads (
    content_id TEXT PRIMARY KEY,
    load_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    run_id TEXT NOT NULL,
    table_name TEXT NOT NULL,
    partition TEXT NOT NULL,
    status TEXT NOT NULL,
    token INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    holder TEXT NOT NULL,
    details TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    entry_hash TEXT NOT NULL
) STRICT;

-- name: create_fence
-- Insert-if-absent, in a transaction of its own: the row must exist before two publishes race for it.
INSERT INTO publish_fences (table_name, partition) VALUES (:table, :partition) ON CONFLICT DO NOTHING;

-- name: fences
-- The fences of a table's partitions, oldest first.
SELECT table_name, partition, token, seq, rows, content_hash, version, coalesce(published_at, '')
FROM publish_fences WHERE table_name = :table ORDER BY partition;

-- name: advance_fence
-- The condition of every publish. It always writes a new value (seq + 1): a guard that only reads serialises nothing.
UPDATE publish_fences
SET token = max(token, coalesce(:token, token)), seq = seq + 1, rows = :rows, content_hash = :content_hash,
    version = CASE WHEN :keeps THEN version ELSE :version END,
    published_at = CASE WHEN :keeps THEN published_at ELSE :at END
WHERE table_name = :table AND partition = :partition AND token <= coalesce(:token, token) AND seq = :base_seq;

-- name: fence_now
-- What stands in the way, after advance_fence moved nothing.
SELECT token, seq FROM publish_fences WHERE table_name = :table AND partition = :partition;

-- name: retire_segments
-- The old version of a partition: kept for rollback, read by nobody.
UPDATE segments SET removed_seq = :seq
WHERE table_name = :table AND partition = :partition AND removed_seq IS NULL;

-- name: add_file
-- One immutable Parquet file; it may hold several partitions.
INSERT INTO files (table_name, path, bytes, sha256, segments, created_at)
VALUES (:table, :path, :bytes, :sha256, :segments, :at);

-- name: add_segment
-- The rows of one partition in one file.
INSERT INTO segments (table_name, partition, file_id, rows, added_seq)
VALUES (:table, :partition, :file_id, :rows, :seq);

-- name: standing_rows
-- How many rows of a partition readers now see.
SELECT coalesce(sum(rows), 0) FROM segments
WHERE table_name = :table AND partition = :partition AND removed_seq IS NULL;

-- name: live_segments
-- What readers of a table see, with how many segments each file was written with.
SELECT s.partition, f.path, f.segments, s.rows
FROM segments s JOIN files f USING (file_id)
WHERE s.table_name = :table AND s.removed_seq IS NULL
ORDER BY f.file_id, s.partition;

-- name: size_bytes
-- What readers of a table read, in bytes.
SELECT coalesce(sum(bytes), 0) FROM files
WHERE file_id IN (SELECT file_id FROM segments WHERE table_name = :table AND removed_seq IS NULL);

-- name: replaced_files
-- Files of which no partition is read any more, and all were replaced before an instant. The ledger knows when: the
-- version that replaced a segment is an entry's own, or one of the partitions that it lists.
WITH unread AS (
    SELECT file_id FROM segments GROUP BY file_id HAVING count(*) = count(removed_seq)
), steps AS MATERIALIZED (
    SELECT table_name, partition, seq, at FROM ledger WHERE partition <> '' AND seq > 0
    UNION ALL
    SELECT l.table_name, p.value ->> '$.partition', p.value ->> '$.seq', l.at
    FROM ledger l, json_each(l.details, '$.partitions') p
    WHERE EXISTS (SELECT 1 FROM unread)
)
SELECT f.path, f.bytes, max(t.at)
FROM unread u
JOIN files f USING (file_id)
JOIN segments s USING (file_id)
LEFT JOIN steps t ON t.table_name = s.table_name AND t.partition = s.partition AND t.seq = s.removed_seq
GROUP BY f.file_id
HAVING count(*) = count(t.at) AND max(t.at) < :before
ORDER BY f.path;

-- name: forget_segments
-- Old versions whose file goes.
DELETE FROM segments
WHERE removed_seq IS NOT NULL
    AND file_id IN (SELECT file_id FROM files WHERE path IN (SELECT value FROM json_each(:paths)));

-- name: forget_files
-- The files themselves; a segment that still points at one refuses it.
DELETE FROM files WHERE path IN (SELECT value FROM json_each(:paths));

-- name: set_collected_at
-- When files were collected last.
INSERT INTO book (key, value) VALUES ('collected_at', :at) ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: collected_at
-- The same, to read.
SELECT value FROM book WHERE key = 'collected_at';

-- name: holds_rows
-- Whether readers of a table see any.
SELECT EXISTS (SELECT 1 FROM segments WHERE table_name = :table AND removed_seq IS NULL)
    OR EXISTS (SELECT 1 FROM publish_fences WHERE table_name = :table AND rows > 0);

-- name: add_value
-- Remember that a partition holds a value of an indexed column.
INSERT INTO segment_values (table_name, column_name, value, partition)
VALUES (:table, :column, :value, :partition) ON CONFLICT DO NOTHING;

-- name: sharing
-- Partitions of one table that hold a value which another table holds in the given partitions.
SELECT DISTINCT a.partition
FROM json_each(:partitions) p
CROSS JOIN segment_values b ON b.table_name = :other AND b.column_name = :column AND b.partition = p.value
CROSS JOIN segment_values a ON a.table_name = :table AND a.column_name = :column AND a.value = b.value
ORDER BY a.partition;

-- name: add_load
-- A content that was loaded; the key makes a second load of it impossible.
INSERT INTO loads (content_id, load_id) VALUES (:content_id, :load_id);

-- name: find_load
-- The load that brought this content.
SELECT load_id FROM loads WHERE content_id = :content_id;

-- name: last_entry
-- The end of the chain.
SELECT number, entry_hash FROM ledger ORDER BY number DESC LIMIT 1;

-- name: add_entry
-- One more link.
INSERT INTO ledger VALUES (:number, :at, :kind, :run_id, :table, :partition, :status, :token, :seq, :rows,
    :content_hash, :holder, :details, :previous_hash, :entry_hash);

-- name: last_at
-- The instant of the last link.
SELECT at FROM ledger ORDER BY number DESC LIMIT 1;

-- name: entries
-- The whole chain.
SELECT number, at, kind, run_id, table_name, partition, status, token, seq, rows, content_hash, holder, details,
    previous_hash, entry_hash
FROM ledger ORDER BY number;

-- name: view_grading_runs
-- The ledger's gradings with their counts as columns, for `gradeonce sql` and `gradeonce runs`.
SELECT number AS entry, at AS graded_at, partition, status, run_id, token, seq, holder,
    details ->> '$.counts.predictions' AS predictions, details ->> '$.counts.win' AS win,
    details ->> '$.counts.loss' AS loss, details ->> '$.counts.push' AS push,
    details ->> '$.counts.no_bet' AS no_bet, details ->> '$.counts.void' AS void,
    details ->> '$.counts.ungradable' AS ungradable, details ->> '$.counts.pending' AS pending,
    details ->> '$.revised' AS revised, details ->> '$.mae' AS mae, details ->> '$.bias' AS bias,
    details ->> '$.lock_wait_seconds' AS lock_wait_seconds, details ->> '$.duration_seconds' AS duration_seconds,
    details ->> '$.inputs_read_at' AS inputs_read_at, details ->> '$.rules_version' AS rules_version, details ->> '$.error' AS error, content_hash, entry_hash
FROM ledger WHERE kind = 'grade' ORDER BY number;

-- name: view_loads
-- The ledger's loads.
SELECT number AS entry, at AS loaded_at, run_id AS load_id, table_name, status, rows, holder, details, entry_hash
FROM ledger WHERE kind = 'load' ORDER BY number;

-- name: view_ledger
-- The chain as it stands.
SELECT * FROM ledger ORDER BY number;

-- name: view_publish_fences
-- The fences as they stand.
SELECT * FROM publish_fences ORDER BY table_name, partition;

-- name: view_leases
-- The leases as they stand (instants as seconds since 1970, by this machine's clock).
SELECT * FROM leases ORDER BY key;
