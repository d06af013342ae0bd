-- name: version
-- One version of some shelves: every row carries the version, so that a mixture shows; one key has a null part.
SELECT shelf, CASE WHEN place > 0 THEN CAST(place AS INTEGER) END AS item, CAST($version AS VARCHAR) AS version,
    CAST($number + place AS INTEGER) AS amount, CAST($run_id AS VARCHAR) AS written_by
FROM unnest(CAST($shelves AS VARCHAR[])) AS s (shelf), generate_series(0, $rows - 1) AS r (place)

-- name: look
-- What stands on each shelf, in one row: enough to tell a whole version from anything else.
SELECT shelf, count(*) AS rows, count(DISTINCT coalesce(item, -1)) AS keys, CAST(sum(amount) AS BIGINT) AS checksum,
    array_agg(DISTINCT version ORDER BY version) AS versions,
    array_agg(DISTINCT written_by ORDER BY written_by) AS runs
FROM torture_rows WHERE shelf IN (SELECT unnest(CAST($shelves AS VARCHAR[]))) GROUP BY shelf ORDER BY shelf

-- name: revisions
-- Every revision, summed up per run: which version it says stood before, which after, and on how many rows.
SELECT partition, run_id, change, CAST(old_json AS JSON) ->> 'version' AS old,
    CAST(new_json AS JSON) ->> 'version' AS new, count(*) AS rows
FROM grade_revisions WHERE table_name = 'torture_rows' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5

-- name: copies
-- The rows of a crate, with copies: place p stands 1 + p % 3 times, and the item of place 1 is null.
SELECT CAST($crate AS VARCHAR) AS crate, CASE WHEN place <> 1 THEN CAST(place AS INTEGER) END AS item,
    CAST($version AS VARCHAR) AS version, CAST($number + 10 * place + copy AS INTEGER) AS amount,
    CAST(copy AS INTEGER) AS copy
FROM generate_series(0, $keys - 1) AS r (place), generate_series(0, 2) AS c (copy)
WHERE copy <= place % 3

-- name: crates
-- What stands in each crate, in one row.
SELECT crate, count(*) AS rows, count(DISTINCT coalesce(item, -1)) AS keys, CAST(sum(amount) AS BIGINT) AS checksum,
    array_agg(DISTINCT version ORDER BY version) AS versions
FROM {table} WHERE crate IN (SELECT unnest(CAST($crates AS VARCHAR[]))) GROUP BY crate ORDER BY crate

-- name: batches
-- Where each prediction of some batches is: staged, merged, or both, as often as it is there.
SELECT prediction_id, 'staged' AS place FROM staged_predictions
WHERE batch IN (SELECT unnest(CAST($batches AS VARCHAR[])))
UNION ALL
SELECT prediction_id, 'merged' AS place FROM player_prop_predictions
WHERE game_date IN (SELECT unnest(CAST($dates AS DATE[])))
ORDER BY 2, 1
