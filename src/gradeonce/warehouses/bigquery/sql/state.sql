-- name: declare_last_at
-- The instant of the last link before anything is read: whatever is told of later has a later one. A clock would not tell:
-- a load takes its instant a second and more before others see it.
DECLARE read_at STRING DEFAULT (SELECT COALESCE(MAX(at), '') FROM ledger)

-- name: declare_read_at
-- The server's clock before anything is read, for tables that something else fills: no link tells of them.
DECLARE read_at STRING DEFAULT FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6S+00:00', CURRENT_TIMESTAMP(), 'UTC')

-- name: fences
-- The fences of a table's partitions, in order.
SELECT table_name, `partition`, token, seq, `rows`, content_hash, version, COALESCE(published_at, '') AS published_at
FROM publish_fences {moment} WHERE table_name = @table ORDER BY `partition`

-- name: all_fences
-- The fences of all tables.
SELECT table_name, `partition`, token, seq, `rows`, content_hash, version, COALESCE(published_at, '') AS published_at
FROM publish_fences {moment} ORDER BY table_name, `partition`

-- name: known_fences
-- The fences of a table's partitions, in order, and what is remembered of the table, in one answer: a row without a
-- partition where there is no fence.
SELECT d.definition, d.table_name, f.`partition`, f.token, f.seq, f.`rows`, f.content_hash, f.version,
    COALESCE(f.published_at, '') AS published_at
FROM (SELECT @table AS table_name, (SELECT MAX(definition) FROM row_tables WHERE name = @table) AS definition) AS d
LEFT JOIN publish_fences AS f ON f.table_name = d.table_name ORDER BY f.`partition`

-- name: begin
-- The first change of every transaction is to one row that is always there. BigQuery aborts a transaction that changed a
-- table which another one changed meanwhile; inserts alone do not conflict.
BEGIN TRANSACTION;
UPDATE ledger_head SET touched = touched + 1 WHERE TRUE;

-- name: create_fences
-- Insert-if-absent: the rows must exist before two publishes race for them.
INSERT INTO publish_fences (table_name, `partition`, token, seq, `rows`, content_hash, version)
SELECT @table, p, 0, 0, 0, '', '' FROM UNNEST(@partitions) AS p
WHERE p NOT IN (SELECT `partition` FROM publish_fences WHERE table_name = @table);

-- name: remember_table
-- The definition of a table of rows, so that whoever verifies the book knows its columns.
INSERT INTO row_tables (name, definition)
SELECT * FROM (SELECT @name AS name, @definition AS definition) AS n
WHERE n.name NOT IN (SELECT name FROM row_tables);

-- name: forget_fences
-- The fences of a table that was dropped.
DELETE FROM publish_fences WHERE table_name = @table;

-- name: forget_table
-- Its definition.
DELETE FROM row_tables WHERE name = @table;

-- name: end
COMMIT TRANSACTION;

-- name: now_and_tables
-- The server's clock, and the definition of every table that was ever written: a row without one where none was.
SELECT n.now, t.definition
FROM (SELECT FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6S+00:00', CURRENT_TIMESTAMP(), 'UTC') AS now) AS n
LEFT JOIN row_tables AS t ON TRUE ORDER BY t.name

-- name: head
-- The end of the chain, and the server's clock read with it, so that instants rise with the numbers.
SELECT number, entry_hash, touched, FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6S+00:00', CURRENT_TIMESTAMP(), 'UTC') AS at
FROM ledger_head

-- name: move_head
-- The condition that nobody appended since the links were made: they cover the hash of the link before them.
UPDATE ledger_head SET number = @number, entry_hash = @entry_hash, touched = touched + 1
WHERE number = @old_number AND entry_hash = @old_hash;
IF @@row_count <> 1 THEN RAISE USING MESSAGE = 'gradeonce: the chain moved'; END IF;

-- name: advance_fences
-- The condition of every publish. It always writes a new value (seq + 1): a guard that only reads serialises nothing.
UPDATE publish_fences AS f
SET token = GREATEST(f.token, COALESCE(m.token, f.token)), seq = f.seq + 1, `rows` = m.row_count,
    content_hash = m.content_hash,
    version = IF(m.keeps, f.version, @version),
    published_at = IF(m.keeps, f.published_at, @at)
FROM (
    SELECT JSON_VALUE(j, '$.table') AS table_name, JSON_VALUE(j, '$.partition') AS part,
        CAST(JSON_VALUE(j, '$.token') AS INT64) AS token, CAST(JSON_VALUE(j, '$.base_seq') AS INT64) AS base_seq,
        CAST(JSON_VALUE(j, '$.rows') AS INT64) AS row_count, JSON_VALUE(j, '$.content_hash') AS content_hash,
        CAST(JSON_VALUE(j, '$.keeps') AS BOOL) AS keeps
    FROM UNNEST(JSON_QUERY_ARRAY(@moves)) AS j
) AS m
WHERE f.table_name = m.table_name AND f.`partition` = m.part AND f.token <= COALESCE(m.token, f.token)
    AND f.seq = m.base_seq;
IF @@row_count <> @stepping THEN RAISE USING MESSAGE = 'gradeonce: a fence moved'; END IF;

-- name: watch_fences
-- Partitions that must still be at their base; whoever moves one changes the same table, and one of us is aborted.
IF (
    SELECT COUNT(*) FROM publish_fences AS f JOIN UNNEST(JSON_QUERY_ARRAY(@watches)) AS j
        ON f.table_name = JSON_VALUE(j, '$.table') AND f.`partition` = JSON_VALUE(j, '$.partition')
        AND f.seq = CAST(JSON_VALUE(j, '$.base_seq') AS INT64)
) <> @watching THEN RAISE USING MESSAGE = 'gradeonce: a watched fence moved'; END IF;

-- name: standing
-- How many rows of replaced partitions stand in one table.
SELECT {name} AS table_name, CAST({partition} AS STRING) AS part, COUNT(*) AS row_count
FROM ({rows}) GROUP BY 1, 2

-- name: counted
-- What now stands is counted inside the transaction, for all tables at once; other than was staged takes it back.
IF (
    SELECT COUNT(*) FROM (
        SELECT COALESCE(s.row_count, 0) AS has, COALESCE(w.row_count, 0) AS wanted
        FROM ({standing}) AS s
        FULL JOIN (
            SELECT JSON_VALUE(j, '$.table') AS table_name, JSON_VALUE(j, '$.partition') AS part,
                CAST(JSON_VALUE(j, '$.rows') AS INT64) AS row_count
            FROM UNNEST(JSON_QUERY_ARRAY(@moves)) AS j WHERE JSON_VALUE(j, '$.replaces') = 'true'
        ) AS w ON w.table_name = s.table_name AND w.part = s.part
    ) WHERE has <> wanted
) <> 0 THEN RAISE USING MESSAGE = 'gradeonce: other rows stand than were staged'; END IF;

-- name: add_to_fences
-- Rows that were added to partitions that nobody replaces (revisions): made if missing, counted up.
INSERT INTO publish_fences (table_name, `partition`, token, seq, `rows`, content_hash, version)
SELECT DISTINCT {table}, r.`partition`, 0, 0, 0, '', '' FROM {revisions} AS r
WHERE r.`partition` NOT IN (SELECT `partition` FROM publish_fences WHERE table_name = {table});
UPDATE publish_fences AS f
SET seq = f.seq + 1, `rows` = f.`rows` + r.added, version = @version, published_at = @at
FROM (SELECT `partition` AS part, COUNT(*) AS added FROM {revisions} GROUP BY 1) AS r
WHERE f.table_name = {table} AND f.`partition` = r.part;

-- name: add_load
-- A content that was loaded; one that came before stops the load.
IF (SELECT COUNT(*) FROM loaded_contents WHERE content_id = @content_id) <> 0
THEN RAISE USING MESSAGE = 'gradeonce: loaded before'; END IF;
INSERT INTO loaded_contents (content_id, load_id) VALUES (@content_id, @version);

-- name: find_load
-- The load that brought this content.
SELECT load_id FROM loaded_contents WHERE content_id = @content_id

-- name: add_entries
-- More links.
INSERT INTO ledger (number, at, kind, run_id, table_name, `partition`, status, token, seq, `rows`, content_hash, holder,
    details, previous_hash, entry_hash)
SELECT CAST(JSON_VALUE(j, '$.number') AS INT64), JSON_VALUE(j, '$.at'), JSON_VALUE(j, '$.kind'),
    JSON_VALUE(j, '$.run_id'), JSON_VALUE(j, '$.table_name'), JSON_VALUE(j, '$.partition'), JSON_VALUE(j, '$.status'),
    CAST(JSON_VALUE(j, '$.token') AS INT64), CAST(JSON_VALUE(j, '$.seq') AS INT64),
    CAST(JSON_VALUE(j, '$.rows') AS INT64), JSON_VALUE(j, '$.content_hash'), JSON_VALUE(j, '$.holder'),
    JSON_VALUE(j, '$.details'), JSON_VALUE(j, '$.previous_hash'), JSON_VALUE(j, '$.entry_hash')
FROM UNNEST(JSON_QUERY_ARRAY(@entries)) AS j;

-- name: found_entries
-- Which of some links are in the chain: the answer of a commit may have been lost on its way.
SELECT entry_hash FROM ledger WHERE number >= @number AND entry_hash IN UNNEST(@hashes)

-- name: entries
-- The whole chain.
SELECT number, at, kind, run_id, table_name, `partition`, status, token, seq, `rows`, content_hash, holder, details,
    previous_hash, entry_hash
FROM ledger {moment} ORDER BY number
