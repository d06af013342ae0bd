"""The local engine: DuckDB in memory, set up the same way everywhere, its errors translated once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce.errors import GradeonceError, TransientWarehouseError, UsageError, WarehouseError
from gradeonce.schema import ColumnType, Table
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.interrupts import held_back, interruptible

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DUCKDB_TYPES = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.DATE: "DATE",
    ColumnType.INSTANT: "TIMESTAMP",
    ColumnType.DECIMAL: "DECIMAL(18,9)",
    ColumnType.SUM: "DECIMAL(38,18)",
    ColumnType.INTEGER: "INTEGER",
    ColumnType.BOOLEAN: "BOOLEAN",
}


@contextmanager
def open_engine(*, threads: int = 0, scratch: Path | None = None) -> Iterator[DuckDBPyConnection]:
    """Open an engine of its own, closed at the end; a signal ends what it does.

    Args:
        threads: How many it may use; 0: one per core.
        scratch: Folder for what does not fit in memory; None: the engine's own choice.
    """
    with held_back():
        import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        # Nothing is ever fetched from the network, not even by a query that a user types.
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if threads:
        config["threads"] = str(threads)
    if scratch is not None:
        config["temp_directory"] = str(scratch)
    engine = duckdb.connect(":memory:", config=config)
    try:
        with interruptible(engine):
            # The engine's own bar would appear in the middle of our output.
            engine.execute("SET enable_progress_bar = false")
            yield engine
    finally:
        engine.close()


def run(engine: DuckDBPyConnection, sql: str, params: Mapping[str, Any] | None = None) -> DuckDBPyConnection:
    """Execute one statement; the driver's error becomes ours, with the driver's as its cause.

    Parameters that the text does not name are left out, because the engine refuses them.
    """
    import duckdb

    try:
        if params:
            used = {name: value for name, value in params.items() if re.search(rf"\${name}\b", sql)}
            return engine.execute(sql, used) if used else engine.execute(sql)
        return engine.execute(sql)
    except duckdb.Error as error:
        raise translated(error) from error


def rows_by_partition(engine: DuckDBPyConnection, table: Table, relation: str) -> dict[str, int]:
    """Return how many rows of a relation each partition of the table would get, in the order of partitions."""
    part = quote_identifier(table.partition)
    return dict(
        run(engine, f"SELECT CAST({part} AS VARCHAR), count(*) FROM {relation} GROUP BY 1 ORDER BY 1").fetchall()
    )


def translated(error: Exception) -> GradeonceError:
    """Return our error for one of the engine's."""
    import duckdb

    text = str(error).split("\n\n")[0].strip()
    if isinstance(error, duckdb.IOException):
        return TransientWarehouseError(
            f"The engine could not read or write a file: {text}", hint="Check disk space and permissions, then rerun."
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return TransientWarehouseError(
            f"The engine ran out of memory: {text}", hint="Lower [grading] chunk_rows, or close other programs."
        )
    if isinstance(error, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException):
        return UsageError(f"The query is not valid: {text}")
    return WarehouseError(f"The engine failed: {text}")
