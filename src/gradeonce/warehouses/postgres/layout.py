"""The tables in PostgreSQL: made and migrated in numbered steps, safe from two machines at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradeonce.errors import RefusedForSafety
from gradeonce.schema import DAILY_PERFORMANCE, ROW_TABLES, SMALL_TABLES, STAGED_PREDICTIONS, VIEWS, Table
from gradeonce.statements import quote_identifier, statement
from gradeonce.views import view_texts
from gradeonce.warehouses.mapped import Asked, asked_for
from gradeonce.warehouses.postgres import belt, mapped, small
from gradeonce.warehouses.postgres.capabilities import POSTGRES_TYPES
from gradeonce.warehouses.postgres.connection import Connections, Session
from gradeonce.warehouses.postgres.mapped import Kept

STEPS = ("state", "row_tables", "views", "staged_predictions", "performance")
"""What `init` does, in order; a step that was done is never done again, and a new one goes to the end."""

_STATE_TABLES = ("publish_fences", "row_tables", "loaded_contents", "ledger", "ledger_head", "grading_runs", "loads")


def migrate(
    connections: Connections, names: Mapping[str, str], columns: Mapping[str, Mapping[str, str]] | None = None
) -> bool:
    """Do the steps that are missing. Return whether any was.

    Args:
        names: Tables of the user's own that stand for ours, by our name; they get indexes, but no column.
        columns: The user's names of our columns, by our table and column.

    Raises:
        RefusedForSafety: If a newer gradeonce made the schema, or a table of the user's cannot stand for ours.
    """
    users = {asked.table.name: asked for asked in asked_for(names, columns or {})}
    with connections.transaction() as session:
        schema = quote_identifier(connections.schema)
        session.query(_sql("turn"), {"key": f"gradeonce layout {connections.schema}"})
        # Asked for only when it is missing: a role may be allowed to use a schema without being allowed to make one.
        if not session.query(_sql("has_schema"), {"schema": connections.schema}).rows[0][0]:
            session.execute(f"CREATE SCHEMA {schema}")
        session.execute(_sql("create_steps"))
        mapped.create(session)
        done = _steps_done(session)
        _refuse_newer(done, connections.schema)
        for number, step in enumerate(STEPS, start=1):
            if number > done:
                _do(session, step, users)
                session.execute(_sql("add_step"), {"number": number, "name": step})
        absent = [table for table in SMALL_TABLES if not small.exists(session, connections.schema, table)]
        for small_table in absent:
            small.create(session, small_table)
        moved = [asked for asked in users.values() if not mapped.stands(session, asked)]
        if moved:
            _drop_views(session)
            for asked in moved:
                _stand_for(session, asked)
            _make_views(session)
        tightened = [belt.tighten(session, table) for table in ROW_TABLES]
        session.commit()
    return done < len(STEPS) or bool(absent) or bool(moved) or any(tightened)


def missing(connections: Connections, names: Mapping[str, str], columns: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what `init` would still have to do, one line each; nothing is changed."""
    with connections.transaction(reads_only=True) as session:
        if not session.query(_sql("has_schema"), {"schema": connections.schema}).rows[0][0]:
            return [f"the schema {connections.schema} does not exist"]
        if not session.query(_sql("has_table"), {"schema": connections.schema, "table": "schema_steps"}).rows[0][0]:
            return [f"the schema {connections.schema} holds no book"]
        done = _steps_done(session)
        _refuse_newer(done, connections.schema)
        lines = [f"step {number} ({step}) was not done" for number, step in enumerate(STEPS, 1) if number > done]
        standing = mapped.kept(session)
        for asked in asked_for(names, columns):
            examined = mapped.examine(session, asked)
            found = list(examined.problems)
            kept = standing.get(asked.table.name)
            if not found and (kept is None or kept.definition != examined.select):
                found = [
                    f"{asked.physical} does not stand for it yet, or not as it now is; `gradeonce init` sees to it"
                ]
            lines += [f"{asked.table.name}: {what}" for what in found]
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
    _make_indexes(session, table, Kept(quote_identifier(table.name), {}, False, ""))
    belt.tighten(session, table)


def _make_indexes(session: Session, table: Table, place: Kept) -> None:
    """Make the indexes that reading needs, unless they are there."""
    of = f"{'gradeonce_' if place.is_the_users else ''}{table.name}"
    if not table.key:
        _make_index(session, f"{of}_{table.partition}", place, (table.partition,))
    for column in table.indexed:
        _make_index(session, f"{of}_{column}", place, (column, table.partition))


def _make_index(session: Session, name: str, place: Kept, columns: Sequence[str]) -> None:
    listed = ", ".join(place.column(column) for column in columns)
    session.execute(f"CREATE INDEX IF NOT EXISTS {quote_identifier(name)} ON {place.physical} ({listed})")


def _do(session: Session, step: str, users: Mapping[str, Asked]) -> None:
    # A step of its own for a table that became one of ours later; a new book has it already, and it stays as it is.
    tables = {
        "row_tables": ROW_TABLES,
        "staged_predictions": (STAGED_PREDICTIONS,),
        "performance": (DAILY_PERFORMANCE,),
    }
    for table in tables.get(step, ()):
        if table.name not in users:
            make_table(session, table)
        elif not mapped.stands(session, users[table.name]):
            _stand_for(session, users[table.name])
    if step == "performance":
        _make_views(session)
    if step in tables:
        return
    for part in _sql(f"step_{step}").split(";\n"):
        session.execute(part)


def _stand_for(session: Session, asked: Asked) -> None:
    mapped.stand_for(session, asked)
    if mapped.examine(session, asked).is_table:
        _make_indexes(session, asked.table, mapped.kept(session)[asked.table.name])


def _make_views(session: Session) -> None:
    for name, select in view_texts().items():
        session.execute(f"CREATE OR REPLACE VIEW {quote_identifier(name)} AS {select}")


def _drop_views(session: Session) -> None:
    """Drop the views over tables that are about to be others; nobody looks before they are back."""
    for name in reversed(view_texts()):
        session.execute(f"DROP VIEW IF EXISTS {quote_identifier(name)}")


def _lacks(session: Session, schema: str, table: Table) -> list[str]:
    values = {"schema": schema, "table": table.name}
    if not session.query(_sql("has_table"), values).rows[0][0]:
        return ["it does not exist"]
    name = f"{quote_identifier(schema)}.{quote_identifier(table.name)}"
    columns = {name for (name,) in session.query(_sql("columns_of"), {"name": name}).rows}
    lines = [f"the column {name} is missing" for name in table.column_names if name not in columns]
    if not lines and (what := belt.lacks(session, table)):
        lines.append(what)
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
