-- name: turn
-- One machine at a time makes or migrates the tables; let go of at the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended($key, 0));

-- name: has_schema
-- Whether the schema is there.
SELECT count(*) > 0 FROM pg_namespace WHERE nspname = $schema;

-- name: has_table
-- Whether a table or view is there.
SELECT count(*) > 0 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $schema AND c.relname = $table;

-- name: columns_of
-- The columns of a table or view.
SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($name) AND attnum > 0 AND NOT attisdropped;

-- name: key_index
-- The indexes, quoted, that refuse a second row of a key: unique, over exactly these columns, nulls equal.
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = to_regclass($table) AND i.indisunique AND i.indisvalid AND i.indnullsnotdistinct
    AND i.indpred IS NULL AND i.indexprs IS NULL
    AND (
        SELECT array_agg(CAST(a.attname AS text) ORDER BY CAST(a.attname AS text) COLLATE "C") FROM pg_attribute a
        WHERE a.attrelid = i.indrelid AND a.attnum = ANY(CAST(i.indkey AS int2[]))
    ) = CAST($columns AS text[]);

-- name: create_steps
-- Which steps were done.
CREATE TABLE IF NOT EXISTS schema_steps (
    number integer PRIMARY KEY,
    name text NOT NULL,
    done_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: steps_done
-- The last step that was done.
SELECT coalesce(max(number), 0) FROM schema_steps;

-- name: add_step
-- Remember a step.
INSERT INTO schema_steps (number, name) VALUES ($number, $name);

-- name: step_state
-- The small state: fences, loads and the ledger with its head.
CREATE TABLE row_tables (
    name text COLLATE "C" PRIMARY KEY,
    definition text NOT NULL
);

CREATE TABLE publish_fences (
    table_name text COLLATE "C" NOT NULL,
    partition text COLLATE "C" NOT NULL,
    token bigint NOT NULL DEFAULT 0,
    seq bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    content_hash text NOT NULL DEFAULT '',
    version text NOT NULL DEFAULT '',
    published_at text,
    PRIMARY KEY (table_name, partition)
);

CREATE TABLE loaded_contents (
    content_id text COLLATE "C" PRIMARY KEY,
    load_id text NOT NULL
);

CREATE TABLE ledger (
    number bigint PRIMARY KEY,
    at text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    run_id text NOT NULL,
    table_name text COLLATE "C" NOT NULL,
    partition text COLLATE "C" NOT NULL,
    status text NOT NULL,
    token bigint NOT NULL,
    seq bigint NOT NULL,
    rows bigint NOT NULL,
    content_hash text NOT NULL,
    holder text NOT NULL,
    details text NOT NULL,
    previous_hash text NOT NULL,
    entry_hash text NOT NULL
);

CREATE TABLE ledger_head (
    is_head boolean PRIMARY KEY DEFAULT true CHECK (is_head),
    number bigint NOT NULL,
    entry_hash text NOT NULL
);

INSERT INTO ledger_head (number, entry_hash) VALUES (0, repeat('0', 64))

-- name: step_views
-- The ledger's gradings and loads with their counts as columns, for queries and `gradeonce runs`.
CREATE VIEW grading_runs AS
SELECT number AS entry, at AS graded_at, partition, status, run_id, token, seq, holder,
    (d -> 'counts' ->> 'predictions')::bigint AS predictions, (d -> 'counts' ->> 'win')::bigint AS win,
    (d -> 'counts' ->> 'loss')::bigint AS loss, (d -> 'counts' ->> 'push')::bigint AS push,
    (d -> 'counts' ->> 'no_bet')::bigint AS no_bet, (d -> 'counts' ->> 'void')::bigint AS void,
    (d -> 'counts' ->> 'ungradable')::bigint AS ungradable, (d -> 'counts' ->> 'pending')::bigint AS pending,
    (d ->> 'revised')::bigint AS revised, (d ->> 'mae')::double precision AS mae,
    (d ->> 'bias')::double precision AS bias,
    (d ->> 'lock_wait_seconds')::double precision AS lock_wait_seconds,
    (d ->> 'duration_seconds')::double precision AS duration_seconds,
    d ->> 'inputs_read_at' AS inputs_read_at, (d ->> 'rules_version')::bigint AS rules_version, d ->> 'error' AS error, content_hash, entry_hash
FROM (SELECT *, details::json AS d FROM ledger WHERE kind = 'grade') AS graded;

CREATE VIEW loads AS
SELECT number AS entry, at AS loaded_at, run_id AS load_id, table_name, status, rows, holder, details, entry_hash
FROM ledger WHERE kind = 'load'
