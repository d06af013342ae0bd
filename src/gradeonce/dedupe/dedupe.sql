-- Copies of a key in a table, on every warehouse. Nulls in a key are equal to each other, as GROUP BY takes them.

-- name: affected
-- Partitions in which a key stands more than once.
SELECT CAST({partition} AS VARCHAR) AS partition_name
FROM (SELECT {partition} FROM {table} WHERE {within} GROUP BY {partition}, {key} HAVING count(*) > 1) AS g
GROUP BY 1 ORDER BY 1

-- name: numbered
-- Every row with its place among the copies of its key: the first one stays. Rows equal in every column may take each
-- other's place, since what stays is the same whichever of them it is.
SELECT {columns}, row_number() OVER (PARTITION BY {partition}, {key} ORDER BY {order}) AS copy_number
FROM {table} WHERE {within}

-- name: kept
-- The rows that stay.
SELECT {columns} FROM ({numbered}) AS numbered WHERE copy_number = 1

-- name: standing
-- The rows as they stand.
SELECT {columns} FROM {table} WHERE {within}

-- name: keys_by_copies
-- Per partition and number of copies: how many keys, and of these, whose copies differ in nothing, in stamps only, or in
-- what they say.
SELECT CAST(g.{partition} AS VARCHAR), g.copies, count(*),
    count(*) FILTER (WHERE NOT ({content_differs}) AND NOT ({stamps_differ})),
    count(*) FILTER (WHERE NOT ({content_differs}) AND ({stamps_differ})),
    count(*) FILTER (WHERE {content_differs})
FROM ({groups}) AS g GROUP BY 1, 2 ORDER BY 1, 2

-- name: differing_columns
-- Of how many keys the copies differ, column by column.
SELECT {counts} FROM ({groups}) AS g

-- name: groups
-- Keys that stand more than once, with the columns in which their copies differ.
SELECT {partition}, {key}, count(*) AS copies, {differs}
FROM {table} WHERE {within} GROUP BY {partition}, {key} HAVING count(*) > 1

-- name: differs
-- Whether the copies of a key differ in a column.
(min(CAST({column} AS VARCHAR)) IS DISTINCT FROM max(CAST({column} AS VARCHAR)) OR count({column}) BETWEEN 1 AND count(*) - 1)

-- name: samples
-- The first keys that stand more than once, each with its copies: the one that stays, then those that go.
SELECT CAST({partition} AS VARCHAR), {key_texts}, CAST({by} AS VARCHAR), copy_number, nth
FROM (
    SELECT {partition}, {key_or_by}, copy_number, dense_rank() OVER (ORDER BY {partition}, {key}) AS nth
    FROM (
        SELECT {partition}, {key_or_by}, copy_number, count(*) OVER (PARTITION BY {partition}, {key}) AS copies
        FROM ({numbered}) AS numbered
    ) AS counted
    WHERE copies > 1
) AS ranked
WHERE nth <= {limit} ORDER BY nth, copy_number

-- name: key_drift
-- Keys that stand before and not after, or after and not before.
SELECT count(*) FROM (
    (SELECT {partition}, {key} FROM ({before}) AS b EXCEPT SELECT {partition}, {key} FROM {after} AS a)
    UNION ALL
    (SELECT {partition}, {key} FROM {after} AS a EXCEPT SELECT {partition}, {key} FROM ({before}) AS b)
) AS drift
