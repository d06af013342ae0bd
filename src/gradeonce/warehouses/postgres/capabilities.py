"""What PostgreSQL can do, and what our types are called there."""

from __future__ import annotations

from gradeonce.schema import ColumnType
from gradeonce.warehouses.base import Capabilities

CAPABILITIES = Capabilities(local_engine=False, shares_tables=True, threads=True)

POSTGRES_TYPES = {
    # Byte order, as the engine sorts: ties between ids must end the same way on every warehouse.
    ColumnType.TEXT: 'text COLLATE "C"',
    ColumnType.DATE: "date",
    ColumnType.INSTANT: "timestamp",
    ColumnType.DECIMAL: "numeric(18, 9)",
    ColumnType.SUM: "numeric(38, 18)",
    ColumnType.INTEGER: "integer",
    ColumnType.BOOLEAN: "boolean",
}

CAST_TYPES = {**POSTGRES_TYPES, ColumnType.TEXT: "text"}
"""The same for CAST, which takes no collation."""
