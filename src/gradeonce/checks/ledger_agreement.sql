-- check: ledger_agreement
-- number: 12
-- severity: fail
-- about: Rows, fences and ledger agree: nobody else's hand was in the tables.
-- fix: `gradeonce ledger verify --deep` names each finding; grade the date again, or restore the book from a backup.

-- name: considered
-- Partitions in the range that were held against the ledger: rows counted and hashed.
SELECT $partitions_verified

-- name: findings
-- What the verification found.
SELECT finding FROM unnest(CAST($ledger_findings AS VARCHAR[])) AS f (finding)
