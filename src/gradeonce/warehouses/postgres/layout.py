"""The tables in PostgreSQL: made and migrated in numbered steps, safe from two machines at once."""

from __future__ import annotations

from collections.abc import Mapping

from gradeonce.errors import RefusedForSafety
from gradeonce.schema import DAILY_PERFORMANCE, ROW_TABLES, SMALL_TABLES, STAGED_PREDICTIONS, VIEWS, Table
from gradeonce.statements import quote_identifier, statement
from gradeonce.views import view_texts
from gradeonce.warehouses.postgres import belt, small
from gradeonce.warehouses.postgres.capabilities import POSTGRES_TYPES
from gradeonce.warehouses.postgres.connection import Connections, Session

STEPS = ("state", "row_tables", "views", "staged_predictions", "performance")
"""What `init` does, in order; a step that was done is never done again, and a new one goes to the end."""

_STATE_TABLES = ("publish_fences", "row_tables", "loaded_contents", "ledger", "ledger_head", "grading_runs", "loads")


def migrate(connections: Connections, names: Mapping[str, str]) -> bool:
    """Do the steps that are missing. Return whether any was.

    Args:
        names: Tables of the user's own that stand for ours, by our name; they get what they lack, but no column.

    Raises:
        RefusedForSafety: If a newer gradeonce made the schema, or a table of the user's lacks columns.
    """
    with connections.transaction() as session:
        schema = quote_identifier(connections.schema)
        session.query(_sql("turn"), {"key": f"gradeonce layout {connections.schema}"})
        # Asked for only when it is missing: a role may be allowed to use a schema without being allowed to make one.
        if not session.query(_sql("has_schema"), {"schema": connections.schema}).rows[0][0]:
            session.execute(f"CREATE SCHEMA {schema}")
        session.execute(_sql("create_steps"))
        done = _steps_done(session)
        for number, step in enumerate(STEPS, start=1):
            if number > done:
                _do(session, step, names)
                session.execute(_sql("add_step"), {"number": number, "name": step})
        absent = [table for table in SMALL_TABLES if not small.exists(session, connections.schema, table)]
        for small_table in absent:
            small.create(session, small_table)
        _refuse_newer(done, connections.schema)
        session.commit()
    return done < len(STEPS) or bool(absent)


def missing(connections: Connections) -> list[str]:
    """Return what `init` would still have to do, one line each; nothing is changed."""
    with connections.transaction(reads_only=True) as session:
        if not session.query(_sql("has_schema"), {"schema": connections.schema}).rows[0][0]:
            return [f"the schema {connections.schema} does not exist"]
        if not session.query(_sql("has_table"), {"schema": connections.schema, "table": "schema_steps"}).rows[0][0]:
            return [f"the schema {connections.schema} holds no book"]
        done = _steps_done(session)
        _refuse_newer(done, connections.schema)
        lines = [f"step {number} ({step}) was not done" for number, step in enumerate(STEPS, 1) if number > done]
        for table in ROW_TABLES:
            lines += [f"{table.name}: {what}" for what in _lacks(session, connections.schema, table)]
        for name in (*_STATE_TABLES, *VIEWS):
            if not session.query(_sql("has_table"), {"schema": connections.schema, "table": name}).rows[0][0]:
                lines.append(f"{name}: it does not exist")
        for small_table in SMALL_TABLES:
            if not small.exists(session, connections.schema, small_table):
                lines.append(f"{small_table.name}: it does not exist")
    return lines


def make_table(session: Session, table: Table) -> None:
    """Make a table of rows unless it is there, with the index that refuses a second row of the same key."""
    columns = ", ".join(
        f"{quote_identifier(c.name)} {POSTGRES_TYPES[c.type]}{' NOT NULL' if c.required else ''}" for c in table.columns
    )
    session.execute(f"CREATE TABLE IF NOT EXISTS {quote_identifier(table.name)} ({columns})")
    _make_indexes(session, table, table.name)


def _make_indexes(session: Session, table: Table, physical: str) -> None:
    part = quote_identifier(table.partition)
    on = ".".join(quote_identifier(piece) for piece in physical.split("."))
    if table.key:
        key = ", ".join(quote_identifier(name) for name in (table.partition, *table.key))
        name = quote_identifier(f"{table.name}_key")
        session.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {on} ({key}) NULLS NOT DISTINCT")
    else:
        name = quote_identifier(f"{table.name}_{table.partition}")
        session.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {on} ({part})")
    for column in table.indexed:
        name = quote_identifier(f"{table.name}_{column}")
        session.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {on} ({quote_identifier(column)}, {part})")


def _do(session: Session, step: str, names: Mapping[str, str]) -> None:
    # A step of its own for a table that became one of ours later; a new book has it already, and it stays as it is.
    tables = {
        "row_tables": ROW_TABLES,
        "staged_predictions": (STAGED_PREDICTIONS,),
        "performance": (DAILY_PERFORMANCE,),
    }
    for table in tables.get(step, ()):
        physical = names.get(table.name, table.name)
        if physical == table.name:
            make_table(session, table)
        else:
            _stand_for(session, table, physical)
    if step == "performance":
        for name, select in view_texts().items():
            session.execute(f"CREATE OR REPLACE VIEW {quote_identifier(name)} AS {select}")
    if step in tables:
        return
    for part in _sql(f"step_{step}").split(";\n"):
        session.execute(part)


def _stand_for(session: Session, table: Table, physical: str) -> None:
    """Put a view in our schema over a table of the user's; rows written to the view go to the table."""
    on = ".".join(quote_identifier(piece) for piece in physical.split("."))
    if session.query("SELECT to_regclass($name) IS NULL", {"name": on}).rows[0][0]:
        raise RefusedForSafety(
            f"[tables] {table.name} names {physical}, which is not in the database.",
            hint="Name the table as schema.table, or take the line out: then gradeonce makes its own.",
        )
    columns = [name for (name,) in session.query(_sql("columns_of"), {"name": on}).rows]
    lacking = [name for name in table.column_names if name not in columns]
    if lacking:
        raise RefusedForSafety(
            f"The table {physical} lacks columns of {table.name}: {', '.join(lacking)}.",
            hint="Add them with ALTER TABLE ADD COLUMN, or take the line out of [tables].",
        )
    _make_indexes(session, table, physical)
    listed = ", ".join(quote_identifier(name) for name in table.column_names)
    session.execute(f"CREATE OR REPLACE VIEW {quote_identifier(table.name)} AS SELECT {listed} FROM {on}")


def _lacks(session: Session, schema: str, table: Table) -> list[str]:
    values = {"schema": schema, "table": table.name}
    if not session.query(_sql("has_table"), values).rows[0][0]:
        return ["it does not exist"]
    name = f"{quote_identifier(schema)}.{quote_identifier(table.name)}"
    columns = {name for (name,) in session.query(_sql("columns_of"), {"name": name}).rows}
    lines = [f"the column {name} is missing" for name in table.column_names if name not in columns]
    if belt.is_missing(session, table):
        lines.append(
            f"the unique index {table.name}_key is missing, so copies may stand; the `gradeonce dedupe apply` that "
            "removes the last of them makes it"
        )
    return lines


def _steps_done(session: Session) -> int:
    return int(session.query(_sql("steps_done")).rows[0][0])


def _refuse_newer(done: int, schema: str) -> None:
    if done > len(STEPS):
        raise RefusedForSafety(
            f"The schema {schema} was made by a newer gradeonce (step {done}, this one knows {len(STEPS)}).",
            hint="Upgrade gradeonce.",
        )


def _sql(name: str) -> str:
    return statement("gradeonce.warehouses.postgres.sql", "layout.sql", name)
