"""The dataset and its tables: made and migrated in numbered steps, each safe to be done by two machines at once."""

from __future__ import annotations

from gradeonce.errors import RefusedForSafety, WarehouseError
from gradeonce.schema import ROW_TABLES, SMALL_TABLES, ColumnType, SmallTable, Table
from gradeonce.statements import statement
from gradeonce.warehouses.bigquery import state
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.rows import literal, partition_type, quoted

STEPS = ("state", "row_tables", "views")
"""What `init` does, in order; a step that was done is never done again, and a new one goes to the end."""

_STATE_TABLES = ("publish_fences", "row_tables", "loaded_contents", "ledger", "ledger_head", "grading_runs", "loads")
_CLUSTERS = ("system_id", "player_lookup")


def migrate(connection: Connection) -> bool:
    """Do the steps that are missing. Return whether any was.

    Every statement makes only what is not there, so two machines that do a step at once both end well.

    Raises:
        RefusedForSafety: If a newer gradeonce made the dataset.
    """
    place = connection.place
    location = f" OPTIONS (location = '{place.location}')" if place.location else ""
    connection.execute(
        state.as_script(
            [
                f"CREATE SCHEMA IF NOT EXISTS {quoted(place.project)}.{quoted(place.dataset)}{location}",
                _sql("steps"),
            ]
        )
    )
    done = _steps_done(connection)
    _refuse_newer(done, place.dataset)
    there = connection.tables()
    texts = [text for number, step in enumerate(STEPS, start=1) if number > done for text in _step(connection, step)]
    texts += [small_table_text(table) for table in SMALL_TABLES if table.name not in there]
    texts += [
        _sql("add_step", number=str(number), name=literal(step))
        for number, step in enumerate(STEPS, 1)
        if number > done
    ]
    if texts:
        connection.execute(state.as_script(texts))
    return bool(texts)


def missing(connection: Connection) -> list[str]:
    """Return what `init` would still have to do, one line each; nothing is changed."""
    there = connection.tables()
    if "schema_steps" not in there:
        return [f"the dataset {connection.place.dataset} holds no book"]
    done = _steps_done(connection)
    _refuse_newer(done, connection.place.dataset)
    lines = [f"step {number} ({step}) was not done" for number, step in enumerate(STEPS, 1) if number > done]
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


def _step(connection: Connection, step: str) -> list[str]:
    if step == "row_tables":
        return [table_text(table) for table in ROW_TABLES]
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
