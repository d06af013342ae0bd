"""Which partitions hold grades that were adopted: brought in as they stood, and computed by nobody we know."""

from __future__ import annotations

from gradeonce.schema import ACCURACY, Table
from gradeonce.warehouses.base import Warehouse

# Details are canonical JSON: no spaces, and quotes inside a text escaped. So this text is there exactly when the key
# is, and every kind of SQL can look for it.
MARK = '"adopted":true'

# What stands was written by the last entry that says so; a grading that found the same rows has made them its own.
_LAST_ENTRIES = """
SELECT l.partition
FROM ledger l
JOIN (
    SELECT partition, max(number) AS number FROM ledger
    WHERE table_name = $table AND partition <> '' AND status IN ('published', 'unchanged') GROUP BY partition
) AS latest ON latest.number = l.number
WHERE l.details LIKE $mark AND l.rows > 0
ORDER BY l.partition
"""


def adopted_partitions(warehouse: Warehouse, table: Table = ACCURACY) -> list[str]:
    """Return the partitions whose rows were adopted and not graded by us since, in order."""
    with warehouse.reader() as reader:
        rows = reader.query(_LAST_ENTRIES, {"table": table.name, "mark": f"%{MARK}%"}).rows
    return [partition for (partition,) in rows]
