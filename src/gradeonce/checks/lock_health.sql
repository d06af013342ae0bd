-- check: lock_health
-- number: 10
-- severity: warn
-- about: Leases are had in time, kept, and let go.
-- fix: `gradeonce locks list --all` shows who holds what; docs/howto/when-a-lease-is-stuck.md says what to do.

-- name: considered
-- Runs on dates of the range, and leases that are held or were left.
SELECT (
    SELECT count(*) FROM ledger
    WHERE partition BETWEEN CAST(CAST($first_date AS DATE) AS VARCHAR) AND CAST(CAST($last_date AS DATE) AS VARCHAR)
        AND kind <> 'load'
) + $lease_count

-- name: findings
-- Runs: not had in time, lost, taken over, waited for too long. Leases as they stand now, whatever the range: held for
-- too long, and left behind by a holder that died.
SELECT e.at, e.problem, e.partition AS lease, e.holder, e.seconds
FROM (
    SELECT "at", partition, holder, CAST(CAST(details AS JSON) ->> 'lock_wait_seconds' AS FLOAT8) AS seconds,
        CASE
            WHEN CAST(details AS JSON) ->> 'error_kind' = 'LeaseHeld' THEN 'not had in time'
            WHEN CAST(details AS JSON) ->> 'error_kind' = 'LeaseLost' THEN 'lost during a run'
            WHEN CAST(details AS JSON) ->> 'took_over' = 'true' THEN 'taken over from a holder that was gone'
            WHEN CAST(CAST(details AS JSON) ->> 'lock_wait_seconds' AS FLOAT8) > CAST($lease_wait_warn_seconds AS FLOAT8)
                THEN 'waited for too long'
        END AS problem
    FROM ledger
    WHERE partition BETWEEN CAST(CAST($first_date AS DATE) AS VARCHAR) AND CAST(CAST($last_date AS DATE) AS VARCHAR)
) AS e
WHERE e.problem IS NOT NULL
UNION ALL
SELECT l.since, CASE WHEN l.is_held THEN 'held for too long' ELSE 'stuck: never released, and run out' END,
    l.lease, l.holder, l.seconds
FROM (
    SELECT (CAST($leases AS VARCHAR[]))[i] AS lease, (CAST($lease_holders AS VARCHAR[]))[i] AS holder,
        (CAST($lease_since AS VARCHAR[]))[i] AS since, (CAST($lease_seconds AS FLOAT8[]))[i] AS seconds,
        (CAST($lease_is_held AS BOOLEAN[]))[i] AS is_held
    FROM generate_series(1, $lease_count) AS n (i)
) AS l
WHERE NOT l.is_held OR l.seconds > CAST($lease_held_warn_seconds AS FLOAT8)
ORDER BY 1, 3
