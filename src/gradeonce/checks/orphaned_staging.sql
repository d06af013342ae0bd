-- check: orphaned_staging
-- number: 13
-- severity: warn
-- about: Nothing staged is left behind by a run that died.
-- fix: Merge a batch (`gradeonce stage consolidate --batch B`) or remove it (`gradeonce stage sweep`); files: `gradeonce gc`.

-- name: considered
-- Entries of the ledger: something was staged for each of them.
SELECT count(*) FROM ledger

-- name: findings
-- Files of runs that ended without publishing, and batches that nobody has merged; older than any run takes.
SELECT o.name, o.kind, o.rows, o.bytes, CAST(o.hours AS DECIMAL(18, 1)) AS hours_old
FROM (
    SELECT (CAST($leftovers AS VARCHAR[]))[i] AS name, (CAST($leftover_kinds AS VARCHAR[]))[i] AS kind,
        CAST(NULL AS BIGINT) AS rows, (CAST($leftover_bytes AS BIGINT[]))[i] AS bytes,
        (CAST($leftover_hours AS FLOAT8[]))[i] AS hours
    FROM generate_series(1, $leftover_count) AS n (i)
    UNION ALL
    SELECT split_part(f.partition, '/', 1), 'staged batch', CAST(sum(f.rows) AS BIGINT), NULL,
        CAST(
            extract(epoch FROM CAST($now AS TIMESTAMP) - CAST(substr(max(f.published_at), 1, 26) AS TIMESTAMP)) AS FLOAT8
        ) / 3600
    FROM publish_fences f
    WHERE f.table_name = 'staged_predictions' AND f.rows > 0
    GROUP BY split_part(f.partition, '/', 1)
) AS o
WHERE o.hours > CAST($orphan_hours AS FLOAT8)
ORDER BY o.hours DESC, o.name
