"""The dataset and its tables: made and migrated in numbered steps, each safe to be done by two machines at once."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Collection, Mapping, Sequence

from gradeonce.clock import SystemClock
from gradeonce.errors import RefusedForSafety, WarehouseError
from gradeonce.schema import ROW_TABLES, SMALL_TABLES, ColumnType, SmallTable, Table
from gradeonce.statements import statement
from gradeonce.warehouses.bigquery import mapped, state
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.rows import everything, literal, partition_type, quoted
from gradeonce.warehouses.mapped import Asked, Examined

STEPS = ("state", "row_tables", "views")
"""What `init` does, in order; a step that was done is never done again, and a new one goes to the end."""

_STATE_TABLES = (
    *("publish_fences", "row_tables", "loaded_contents", "ledger", "ledger_head", "mapped_tables"),
    *("grading_runs", "loads"),
)
MAKE_ATTEMPTS = 12
"""Times that making is begun again while others make the same."""

_CLUSTERS = ("system_id", "player_lookup")


def migrate(connection: Connection, users: Sequence[Asked] = ()) -> bool:
    """Do the steps that are missing. Return whether any was.

    Every statement makes only what is not there. Of two machines that make the same at once one may be told that it
    failed: then it looks again what is missing, as long as there is ever more.

    Args:
        connection: To the dataset.
        users: Tables of the user's own that are to stand for ours.

    Raises:
        RefusedForSafety: If a newer gradeonce made the dataset, or a table of the user's cannot stand for ours.
    """
    mapped.settle_near(connection, users)
    examined = {asked.table.name: mapped.examine(connection, asked) for asked in users}
    for asked in users:
        examined[asked.table.name].refuse_problems(asked)
    clock, jitter = SystemClock(), random.Random(f"{platform.node()} {os.getpid()}")
    before = connection.tables()
    for attempt in range(1, MAKE_ATTEMPTS + 1):
        try:
            return _migrate_once(connection, users, examined)
        except WarehouseError as error:
            now = connection.tables()
            # Another maker may be at something that does not show yet; what is really wrong fails again.
            if attempt >= (state.UNKNOWN_ATTEMPTS if now == before and not error.is_transient else MAKE_ATTEMPTS):
                raise
            before = now
            clock.sleep(jitter.uniform(0, min(2.0, 0.1 * 2**attempt)))
    raise AssertionError("unreachable")


def _migrate_once(connection: Connection, users: Sequence[Asked], examined: Mapping[str, Examined]) -> bool:
    connection.make_dataset()
    connection.execute(state.as_script([_sql("steps"), mapped.create_text()]))
    done = _steps_done(connection)
    _refuse_newer(done, connection.place.dataset)
    there = connection.tables()
    texts = []
    for asked in users:
        known = mapped.kept(connection).get(asked.table.name)
        if known is None or known.definition != examined[asked.table.name].select:
            if known is None and asked.table.name in there:
                texts.append(_making_way(connection, asked))
            texts += mapped.stand_for(connection, asked, examined[asked.table.name])
    stood_for = {*mapped.kept(connection), *examined}
    for number, step in enumerate(STEPS, start=1):
        texts += _step(connection, step, stood_for) if number > done else []
    texts += [small_table_text(table) for table in SMALL_TABLES if table.name not in there]
    texts += [
        _sql("add_step", number=str(number), name=literal(step))
        for number, step in enumerate(STEPS, 1)
        if number > done
    ]
    if texts:
        connection.execute(state.as_script(texts))
        connection.mapped = None
    return bool(texts)


def make_bare(connection: Connection, tables: Sequence[Table] = ()) -> None:
    """Make a dataset in which one can publish, and of the tables of rows these only: a book to be thrown away."""
    connection.make_dataset()
    connection.execute(
        state.as_script([*_step(connection, "state", ()), mapped.create_text(), *map(table_text, tables)])
    )


def missing(connection: Connection, users: Sequence[Asked] = ()) -> list[str]:
    """Return what `init` would still have to do, one line each; nothing is changed."""
    there = connection.tables()
    if "schema_steps" not in there:
        mapped.settle_near(connection, users)
        problems = [f"{a.table.name}: {what}" for a in users for what in mapped.examine(connection, a).problems]
        return [f"the dataset {connection.place.dataset} holds no book", *problems]
    done = _steps_done(connection)
    _refuse_newer(done, connection.place.dataset)
    lines = [f"step {number} ({step}) was not done" for number, step in enumerate(STEPS, 1) if number > done]
    standing = mapped.kept(connection) if users and "mapped_tables" in there else {}
    for asked in users:
        examined = mapped.examine(connection, asked)
        known = standing.get(asked.table.name)
        found = list(examined.problems)
        if not found and (known is None or known.definition != examined.select):
            found = [f"{asked.physical} does not stand for it yet, or not as it now is; `gradeonce init` sees to it"]
        lines += [f"{asked.table.name}: {what}" for what in found]
    ours = [*(table.name for table in ROW_TABLES), *(table.name for table in SMALL_TABLES)]
    return lines + [f"{name}: it does not exist" for name in (*_STATE_TABLES, *ours) if name not in there]


def table_text(table: Table) -> str:
    """Return what makes a table of rows: partitioned by its day, clustered by what is asked for most."""
    columns = ", ".join(
        f"{quoted(c.name)} {BIGQUERY_TYPES[c.type]}{' NOT NULL' if c.required else ''}" for c in table.columns
    )
    by_day = partition_type(table) is ColumnType.DATE
    clusters = [name for name in _CLUSTERS if name in table.column_names] if by_day else [table.partition]
    clustered = f" CLUSTER BY {', '.join(map(quoted, clusters))}" if clusters else ""
    partitioned = f" PARTITION BY {quoted(table.partition)}" if by_day else ""
    options = " OPTIONS (require_partition_filter = TRUE)" if by_day else ""
    return f"CREATE TABLE IF NOT EXISTS {quoted(table.name)} ({columns}){partitioned}{clustered}{options}"


def small_table_text(table: SmallTable) -> str:
    """Return what makes a small table."""
    columns = ", ".join(f"{quoted(c.name)} {BIGQUERY_TYPES[c.type]}" for c in table.columns)
    return f"CREATE TABLE IF NOT EXISTS {quoted(table.name)} ({columns})"


def view_text(name: str, ledger: str) -> str:
    """Return the SELECT behind one of our views over the ledger."""
    return _sql(name, ledger=ledger)


def _making_way(connection: Connection, asked: Asked) -> str:
    """Return what drops a table of ours for one of the user's, if it holds no rows."""
    name = quoted(asked.table.name)
    if connection.query(f"SELECT COUNT(*) AS n FROM {name} WHERE {everything(asked.table)}", ours=False).rows[0][0]:
        raise RefusedForSafety(
            f"{asked.table.name} holds rows of its own, so {asked.physical} cannot stand for it.",
            hint="Take the line out of [tables], or make the book in another dataset.",
        )
    return f"DROP TABLE {name}"


def _step(connection: Connection, step: str, stood_for: Collection[str]) -> list[str]:
    if step == "row_tables":
        return [table_text(table) for table in ROW_TABLES if table.name not in stood_for]
    if step == "views":
        ledger = f"{quoted(connection.place.project)}.{quoted(connection.place.dataset)}.ledger"
        views = {name: view_text(name, ledger) for name in ("grading_runs", "loads")}
        return _sql("step_views", **views).split(";\n")
    return _sql(f"step_{step}").split(";\n")


def _steps_done(connection: Connection) -> int:
    rows = connection.query(_sql("steps_done"), ours=False).rows
    if not rows:
        raise WarehouseError("BigQuery did not say which steps were done.", hint="Run the same command again.")
    return int(rows[0][0])


def _refuse_newer(done: int, dataset: str) -> None:
    if done > len(STEPS):
        raise RefusedForSafety(
            f"The dataset {dataset} was made by a newer gradeonce (step {done}, this one knows {len(STEPS)}).",
            hint="Upgrade gradeonce.",
        )


def _sql(name: str, /, **slots: str) -> str:
    return statement("gradeonce.warehouses.bigquery.sql", "layout.sql", name, **slots)
