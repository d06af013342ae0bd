-- name: make
-- A table of one day that goes by itself, and wants a filter on its partitions as ours do.
CREATE TABLE `{table}` (game_date DATE NOT NULL, n INT64 NOT NULL)
PARTITION BY game_date
OPTIONS (require_partition_filter = TRUE, {expiring})

-- name: fill
-- One row, of one partition.
INSERT INTO `{table}` (game_date, n) VALUES (DATE '2026-01-17', 1)

-- name: read
-- The row, by its partition.
SELECT n FROM `{table}` WHERE game_date = DATE '2026-01-17'

-- name: read_all
-- Without a filter: to be refused.
SELECT n FROM `{table}`

-- name: now
-- The server's own instant.
SELECT CURRENT_TIMESTAMP() AS instant

-- name: read_as_of
-- The row as it was.
SELECT n FROM `{table}` FOR SYSTEM_TIME AS OF TIMESTAMP '{instant}' WHERE game_date = DATE '2026-01-17'

-- name: change
-- The row, changed.
UPDATE `{table}` SET n = n + 1 WHERE game_date = DATE '2026-01-17'

-- name: begin
-- Of a transaction in a session.
BEGIN TRANSACTION

-- name: commit
-- Of it.
COMMIT TRANSACTION

-- name: change_nothing
-- A change of another table that touches no row, and yet is one that the transaction must be able to make.
DELETE FROM {elsewhere} AS t WHERE {within} AND FALSE

-- name: rollback
-- Of it.
ROLLBACK TRANSACTION

-- name: drop
-- The table.
DROP TABLE IF EXISTS `{table}`
