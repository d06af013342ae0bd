"""Tables as the engine sees them: a view over the Parquet files that the catalog points at, as of one instant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce.errors import UsageError
from gradeonce.schema import VIEWS, Table
from gradeonce.statements import quote_identifier, quote_literal
from gradeonce.views import view_texts
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.embedded.catalog import LiveSegment
from gradeonce.warehouses.engine import DUCKDB_TYPES, run, translated

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


FETCHED_ROWS = 100_000


def relation(
    table: Table, segments: Sequence[LiveSegment], folder: Path, *, partitions: Sequence[str] | None = None
) -> str:
    """Return a SELECT of the table's rows in these segments, limited to the partitions if any are named.

    A file whose segments are all wanted is read whole; of any other, only the wanted partitions are.
    """
    wanted: dict[str, list[str]] = {}
    size = {}
    for segment in segments:
        if partitions is None or segment.partition in partitions:
            wanted.setdefault(segment.path, []).append(segment.partition)
            size[segment.path] = segment.segments_in_file
    # Files of which the same partitions are wanted share one scan; the empty tuple stands for "all of it".
    scans: dict[tuple[str, ...], list[str]] = {}
    for path, parts in wanted.items():
        scans.setdefault(() if len(parts) == size[path] else tuple(parts), []).append(path)
    columns = ", ".join(quote_identifier(name) for name in table.column_names)
    if not scans:
        empty = ", ".join(f"CAST(NULL AS {DUCKDB_TYPES[c.type]}) AS {quote_identifier(c.name)}" for c in table.columns)
        return f"SELECT {empty} WHERE false"
    selects = []
    for scan, paths in scans.items():
        files = ", ".join(quote_literal(str(folder / path)) for path in paths)
        where = f" WHERE {in_partitions(table, scan)}" if scan else ""
        selects.append(f"SELECT {columns} FROM read_parquet([{files}], hive_partitioning = false){where}")
    return " UNION ALL ".join(selects)


def in_partitions(table: Table, partitions: Sequence[str]) -> str:
    """Return the condition that a row belongs to one of the partitions.

    The literals carry the column's own type, so that the engine can skip the row groups of other partitions.
    """
    kind = next(DUCKDB_TYPES[column.type] for column in table.columns if column.name == table.partition)
    values = ", ".join(f"CAST({quote_literal(partition)} AS {kind})" for partition in partitions)
    return f"{quote_identifier(table.partition)} IN ({values})" if values else "false"


def define_views(
    engine: DuckDBPyConnection,
    tables: Sequence[Table],
    segments: Mapping[str, list[LiveSegment]],
    folder: Path,
    *,
    partitions: Mapping[str, tuple[str, ...] | None],
    names: Mapping[str, str],
    columns: Mapping[str, Mapping[str, str]],
) -> None:
    """Put every table in view under its own name, and under the user's names for it and its columns, if there are."""
    for table in tables:
        select = relation(table, segments[table.name], folder, partitions=partitions.get(table.name))
        run(engine, f"CREATE OR REPLACE TEMP VIEW {quote_identifier(table.name)} AS {select}")
        if names.get(table.name, table.name) != table.name:
            theirs = columns.get(table.name, {})
            listed = ", ".join(
                f"{quote_identifier(name)} AS {quote_identifier(theirs.get(name, name))}" for name in table.column_names
            )
            run(
                engine,
                f"CREATE OR REPLACE TEMP VIEW {quote_identifier(names[table.name])} AS "
                f"SELECT {listed} FROM {quote_identifier(table.name)}",
            )


def define_figures(engine: DuckDBPyConnection) -> None:
    """Put the views with figures in view."""
    for name, select in view_texts().items():
        run(engine, f"CREATE OR REPLACE TEMP VIEW {quote_identifier(name)} AS {select}")


def define_small_state(engine: DuckDBPyConnection, state: Mapping[str, tuple[tuple[str, ...], str]]) -> None:
    """Put the catalog's small tables in view: their rows cross as one JSON text, no extension is needed."""
    for name, (columns, rows_json) in state.items():
        picked = ", ".join(f"r[{i}] AS {quote_identifier(c)}" for i, c in enumerate(columns, start=1))
        run(
            engine,
            f"CREATE OR REPLACE TEMP TABLE {quote_identifier(name)} AS "
            f"SELECT {picked} FROM (SELECT unnest(from_json($rows, '[[\"VARCHAR\"]]')) AS r)",
            {"rows": rows_json},
        )
        for column in columns:
            kind = _SMALL_TYPES.get(column)
            if kind:
                run(
                    engine,
                    f"ALTER TABLE {quote_identifier(name)} ALTER {quote_identifier(column)} "
                    f"TYPE {kind} USING TRY_CAST({quote_identifier(column)} AS {kind})",
                )


_SMALL_TYPES = {
    **dict.fromkeys(
        ("entry", "number", "token", "seq", "rows", "predictions", "win", "loss", "push", "no_bet", "void"), "BIGINT"
    ),
    **dict.fromkeys(("ungradable", "pending", "revised", "rules_version", "took_over"), "BIGINT"),
    **dict.fromkeys(("mae", "bias", "lock_wait_seconds", "duration_seconds", "ttl_seconds"), "DOUBLE"),
    **dict.fromkeys(("acquired_at", "renewed_at", "released_at"), "DOUBLE"),
}


class EngineReader:
    """Queries over the views of one engine."""

    def __init__(self, engine: DuckDBPyConnection) -> None:
        # Some functions that a SELECT may call change settings, and could so make the engine write its logs to a file.
        run(engine, "SET lock_configuration = true")
        self._engine = engine
        self._has_figures = False

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """See `Reader.query`."""
        # To define a view the engine opens the files below it, which most queries would wait for in vain.
        if not self._has_figures and _ASKS_FOR_FIGURES.search(sql):
            define_figures(self._engine)
            self._has_figures = True
        require_select(self._engine, sql)
        return fetch(self._engine, sql, params)


_ASKS_FOR_FIGURES = re.compile(rf"{'|'.join(VIEWS)}|show|describe|duckdb_|information_schema", re.IGNORECASE)
"""A query that names one of the views, or asks what there is."""

_EXPLAIN = re.compile(r"(\s|--[^\n]*\n|/\*.*?\*/)*EXPLAIN\s*(ANALYZE\b|\([^()]*\))?", re.IGNORECASE | re.DOTALL)


def require_select(engine: DuckDBPyConnection, sql: str) -> None:
    """Refuse anything but one SELECT (or EXPLAIN): a query must not be able to write a file, not even a new one.

    Raises:
        UsageError: If the text is not valid, holds several statements, or does something else.
    """
    import duckdb

    try:
        found = engine.extract_statements(sql)
    except duckdb.Error as error:
        raise translated(error) from error
    types = [part.type for part in found]
    if types == [duckdb.StatementType.SELECT]:
        return
    if types == [duckdb.StatementType.EXPLAIN] and (explain := _EXPLAIN.match(sql)):
        # EXPLAIN ANALYZE runs what it explains.
        require_select(engine, sql[explain.end() :])
        return
    kinds = ", ".join(kind.name for kind in types) or "nothing"
    raise UsageError(f"Only one SELECT is allowed here, not {kinds}.", hint="The book is changed by load and grade.")


def fetch(engine: DuckDBPyConnection, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
    """Run one SELECT and return its rows; instants with an offset come as UTC."""
    cursor = run(engine, sql, params)
    if cursor.description is None:
        raise UsageError("The query returns nothing.", hint="Only SELECT is allowed here.")
    names = tuple(column[0] for column in cursor.description)
    zoned = [column[0] for column in cursor.description if str(column[1]) == "TIMESTAMP WITH TIME ZONE"]
    if zoned:
        # The driver needs a further package to hand these over; we keep every instant in UTC anyway.
        as_utc = ", ".join(f"timezone('UTC', {quote_identifier(name)}) AS {quote_identifier(name)}" for name in zoned)
        cursor = run(engine, f"SELECT * REPLACE ({as_utc}) FROM (\n{sql.rstrip().rstrip(';')}\n)", params)
    rows: list[tuple[Any, ...]] = []
    # In between a signal is heard: the engine goes on working out rows while they are fetched.
    while some := cursor.fetchmany(FETCHED_ROWS):
        rows += some
    return Rows(names, rows)
