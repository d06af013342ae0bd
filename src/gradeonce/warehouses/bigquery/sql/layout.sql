-- name: steps
-- Which steps were done.
CREATE TABLE IF NOT EXISTS schema_steps (number INT64 NOT NULL, name STRING NOT NULL, done_at TIMESTAMP NOT NULL)

-- name: steps_done
-- The last step that was done.
SELECT COALESCE(MAX(number), 0) AS done FROM schema_steps

-- name: add_step
-- Remember a step; a second maker of the same adds nothing.
INSERT INTO schema_steps (number, name, done_at)
SELECT * FROM (SELECT {number} AS number, {name} AS name, CURRENT_TIMESTAMP() AS done_at) AS n
WHERE n.number NOT IN (SELECT number FROM schema_steps)

-- name: step_state
-- The small state: fences, loads and the ledger with its head. The head is made with its one row, or not at all: two makers
-- that put the row into a table that is there could both do so.
CREATE TABLE IF NOT EXISTS row_tables (name STRING NOT NULL, definition STRING NOT NULL);

CREATE TABLE IF NOT EXISTS publish_fences (
    table_name STRING NOT NULL,
    `partition` STRING NOT NULL,
    token INT64 NOT NULL,
    seq INT64 NOT NULL,
    `rows` INT64 NOT NULL,
    content_hash STRING NOT NULL,
    version STRING NOT NULL,
    published_at STRING
) CLUSTER BY table_name, `partition`;

CREATE TABLE IF NOT EXISTS loaded_contents (content_id STRING NOT NULL, load_id STRING NOT NULL) CLUSTER BY content_id;

CREATE TABLE IF NOT EXISTS ledger (
    number INT64 NOT NULL,
    at STRING NOT NULL,
    kind STRING NOT NULL,
    run_id STRING NOT NULL,
    table_name STRING NOT NULL,
    `partition` STRING NOT NULL,
    status STRING NOT NULL,
    token INT64 NOT NULL,
    seq INT64 NOT NULL,
    `rows` INT64 NOT NULL,
    content_hash STRING NOT NULL,
    holder STRING NOT NULL,
    details STRING NOT NULL,
    previous_hash STRING NOT NULL,
    entry_hash STRING NOT NULL
) CLUSTER BY number;

CREATE TABLE IF NOT EXISTS ledger_head (number INT64 NOT NULL, entry_hash STRING NOT NULL, touched INT64 NOT NULL) AS
SELECT 0 AS number, REPEAT('0', 64) AS entry_hash, 0 AS touched

-- name: step_views
-- The ledger's gradings and loads with their counts as columns, for queries and `gradeonce runs`.
CREATE OR REPLACE VIEW grading_runs AS
{grading_runs};

CREATE OR REPLACE VIEW loads AS
{loads}

-- name: grading_runs
-- The ledger's gradings.
SELECT number AS entry, at AS graded_at, `partition`, status, run_id, token, seq, holder,
    CAST(JSON_VALUE(details, '$.counts.predictions') AS INT64) AS predictions,
    CAST(JSON_VALUE(details, '$.counts.win') AS INT64) AS win,
    CAST(JSON_VALUE(details, '$.counts.loss') AS INT64) AS loss,
    CAST(JSON_VALUE(details, '$.counts.push') AS INT64) AS push,
    CAST(JSON_VALUE(details, '$.counts.no_bet') AS INT64) AS no_bet,
    CAST(JSON_VALUE(details, '$.counts.void') AS INT64) AS void,
    CAST(JSON_VALUE(details, '$.counts.ungradable') AS INT64) AS ungradable,
    CAST(JSON_VALUE(details, '$.counts.pending') AS INT64) AS pending,
    CAST(JSON_VALUE(details, '$.revised') AS INT64) AS revised,
    CAST(JSON_VALUE(details, '$.mae') AS FLOAT64) AS mae, CAST(JSON_VALUE(details, '$.bias') AS FLOAT64) AS bias,
    CAST(JSON_VALUE(details, '$.lock_wait_seconds') AS FLOAT64) AS lock_wait_seconds,
    CAST(JSON_VALUE(details, '$.duration_seconds') AS FLOAT64) AS duration_seconds,
    JSON_VALUE(details, '$.inputs_read_at') AS inputs_read_at,
    CAST(JSON_VALUE(details, '$.rules_version') AS INT64) AS rules_version, JSON_VALUE(details, '$.error') AS error,
    content_hash, entry_hash, CAST(JSON_VALUE(details, '$.bytes_billed') AS INT64) AS bytes_billed,
    CAST(JSON_VALUE(details, '$.slot_milliseconds') AS INT64) AS slot_milliseconds
FROM {ledger} WHERE kind = 'grade'

-- name: loads
-- The ledger's loads.
SELECT number AS entry, at AS loaded_at, run_id AS load_id, table_name, status, `rows`, holder, details, entry_hash
FROM {ledger} WHERE kind = 'load'
