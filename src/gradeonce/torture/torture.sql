-- name: version
-- One version of some shelves: every row carries the version, so that a mixture shows; one key has a null part.
SELECT shelf, CASE WHEN place > 0 THEN CAST(place AS INTEGER) END AS item, $version AS version,
    CAST($number + place AS INTEGER) AS amount, $run_id AS written_by
FROM unnest($shelves) AS s (shelf), range($rows) AS r (place)

-- name: look
-- What stands on each shelf, in one row: enough to tell a whole version from anything else.
SELECT shelf, count(*) AS rows, count(DISTINCT coalesce(item, -1)) AS keys, CAST(sum(amount) AS BIGINT) AS checksum,
    list_sort(list(DISTINCT version)) AS versions, list_sort(list(DISTINCT written_by)) AS runs
FROM torture_rows WHERE shelf IN (SELECT unnest($shelves)) GROUP BY shelf ORDER BY shelf

-- name: revisions
-- Every revision, summed up per run: which version it says stood before, which after, and on how many rows.
SELECT partition, run_id, change, old_json ->> '$.version' AS old, new_json ->> '$.version' AS new, count(*) AS rows
FROM grade_revisions WHERE table_name = 'torture_rows' GROUP BY ALL ORDER BY ALL
