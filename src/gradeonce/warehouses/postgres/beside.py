"""Tables of the database that are not the book's: no fences there, so each step is one transaction under a lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradeonce.errors import UsageError, ValidationFailed
from gradeonce.model import EntryDraft
from gradeonce.schema import Column, ColumnType
from gradeonce.statements import quote_identifier, statement
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.beside import NULL_PART, PART_END, Doubled, Reading, Restored
from gradeonce.warehouses.postgres import state
from gradeonce.warehouses.postgres.capabilities import POSTGRES_TYPES
from gradeonce.warehouses.postgres.connection import Connections, Session


@dataclass(frozen=True)
class PostgresBeside:
    """See `BesideTables`.

    Guarantee: a removal or a restoration is one transaction that first locks the table against every writer; what it
    does is held against what was planned before it commits, and its ledger entry is part of it.
    Limit: nobody is fenced from writing before and after. Rows are told apart by where they lie, within the lock only.
    """

    connections: Connections

    def columns(self, table: str) -> tuple[str, list[str]]:
        """See `BesideTables.columns`."""
        with self.connections.transaction(reads_only=True) as session:
            return _columns(session, table)

    def reading(self, table: str, columns: Mapping[str, Column]) -> Reading:
        """See `BesideTables.reading`. A text that is no value of our type is an error of the query that reads it."""
        with self.connections.transaction(reads_only=True) as session:
            name = ".".join(quote_identifier(part) for part in table.replace('"', "").split("."))
            found = session.query(_sql("kind"), {"name": name}).rows
            if not found:
                raise UsageError(f"There is no table {table!r}.", hint="Name it with its schema, e.g. public.grades.")
            relation = found[0][1]
            kinds = dict(session.query(_sql("column_types"), {"name": relation}).rows)
        values = {
            ours.name: _value(theirs, kinds[theirs], ours.type) for theirs, ours in columns.items() if theirs in kinds
        }
        return Reading(relation, "true", tuple(kinds), values)

    def look(self, table: str, key: Sequence[str], by: str, *, latest: bool) -> Doubled:
        """See `BesideTables.look`."""
        with self.connections.transaction() as session:
            return _look(session, table, key, by, latest=latest)

    def remove(
        self,
        table: str,
        key: Sequence[str],
        by: str,
        *,
        latest: bool,
        expected: Doubled,
        backup: str,
        entry: EntryDraft,
        on_step: OnStep,
    ) -> int:
        """See `BesideTables.remove`."""
        with self.connections.transaction() as session:
            _lock(session, table)
            on_step("beside.locked")
            found = _look(session, table, key, by, latest=latest)
            expected.refuse_others(table, found)
            keys = _one(session, "keys", table=table, key_text=_key_text(key, "t"))
            session.execute(_sql("back_up", table=table, backup=quote_identifier(backup)))
            saved = session.query(_sql("backup_digest", backup=quote_identifier(backup))).rows[0]
            on_step("beside.backed_up")
            removed = session.execute(_sql("remove", table=table))
            on_step("beside.removed")
            failures = []
            if not found.is_backed_up(saved):
                failures.append("the backup does not hold the rows as they stand")
            if removed != expected.rows_deleted:
                failures.append(f"{removed} rows were removed, {expected.rows_deleted} were planned")
            if _one(session, "still_doubled", table=table, key_text=_key_text(key, "t")):
                failures.append("keys would still stand more than once")
            if _one(session, "keys", table=table, key_text=_key_text(key, "t")) != keys:
                failures.append("keys would appear or disappear")
            if failures:
                raise ValidationFailed(f"{table}: {'; '.join(failures)}.", failures=failures)
            state.append(session, [entry])
            on_step("beside.ledgered")
            rows = _one(session, "rows", table=table)
            session.commit()
        on_step("beside.done")
        return rows

    def restore(
        self,
        table: str,
        key: Sequence[str],
        *,
        backup: str,
        expected: Doubled,
        entry: EntryDraft | None,
        on_step: OnStep,
    ) -> Restored:
        """See `BesideTables.restore`."""
        with self.connections.transaction() as session:
            _lock(session, table)
            on_step("beside.locked")
            saved = session.query(_sql("backup_digest", backup=quote_identifier(backup))).rows[0]
            expected.refuse_broken(backup, saved)
            _, columns = _columns(session, table)
            backed_up = f"SELECT ROW(b.*)::text FROM {quote_identifier(backup)} AS b"
            stood = Counter(text for (text,) in session.query(backed_up).rows)
            taken = session.query(
                _sql(
                    "take_out",
                    table=table,
                    key_text=_key_text(key, "t"),
                    backup_key_text=_key_text(key, "b"),
                    backup=quote_identifier(backup),
                )
            )
            undone = sum((Counter(text for (text,) in taken.rows) - stood).values())
            on_step("beside.taken_out")
            listed = ", ".join(quote_identifier(name) for name in columns)
            put = session.execute(_sql("put_back", table=table, columns=listed, backup=quote_identifier(backup)))
            rows = _one(session, "rows", table=table)
            restored = Restored(put - (len(taken.rows) - undone), undone, rows)
            if entry is not None:
                state.append(session, [entry])
                on_step("beside.ledgered")
                session.commit()
        if entry is not None:
            on_step("beside.done")
        return restored

    def backup(self, name: str) -> tuple[int, str, int] | None:
        """See `BesideTables.backup`."""
        quoted = quote_identifier(name)
        with self.connections.transaction(reads_only=True) as session:
            size = session.query(state.sql("size_bytes"), {"name": quoted}).rows[0][0]
            if size is None:
                return None
            rows, digest = session.query(_sql("backup_digest", backup=quoted)).rows[0]
        return rows, digest, int(size)

    def drop(self, name: str, entry: EntryDraft) -> None:
        """See `BesideTables.drop`."""
        with self.connections.transaction() as session:
            session.execute(f"DROP TABLE {quote_identifier(name)}")
            state.append(session, [entry])
            session.commit()


def _columns(session: Session, table: str) -> tuple[str, list[str]]:
    name = ".".join(quote_identifier(part) for part in table.replace('"', "").split("."))
    found = session.query(_sql("kind"), {"name": name}).rows
    if not found:
        raise UsageError(
            f"There is no table {table!r}, neither in the book nor in its database.",
            hint="Name it with its schema, e.g. public.grades.",
        )
    kind, quoted = found[0]
    if kind not in ("r", "p"):
        raise UsageError(f"{table} is no table.", hint="Name the table behind it.")
    rows = session.query(_sql("columns"), {"name": quoted}).rows
    return quoted, [column for column, is_written in rows if is_written]


def _lock(session: Session, table: str) -> None:
    # Readers go on; everybody who writes waits, so that rows lie still until the commit.
    session.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def _look(session: Session, table: str, key: Sequence[str], by: str, *, latest: bool) -> Doubled:
    decides = f"t.{quote_identifier(by)}"
    order = f"{decides} {'DESC' if latest else 'ASC'} NULLS LAST, ROW(t.*)::text"
    session.execute(_sql("doubled", table=table, key_text=_key_text(key, "t"), by=decides, order=order))
    by_copies = session.query(_sql("by_copies")).rows
    rows_digest, digest = session.query(_sql("digests")).rows[0]
    samples = session.query(_sql("samples")).rows
    rows = _one(session, "rows", table=table)
    return Doubled.counted(by_copies, samples, rows=rows, rows_digest=rows_digest, digest=digest)


def _value(name: str, kind: str, wanted: ColumnType) -> tuple[str, str]:
    raw = f"t.{quote_identifier(name)}"
    if wanted is ColumnType.TEXT:
        raw = f"nullif(trim(CAST({raw} AS text)), '')"
        return raw, raw
    if wanted is ColumnType.INSTANT and kind == "timestamp with time zone":
        return raw, f"({raw} AT TIME ZONE 'UTC')"
    return raw, f"CAST({raw} AS {POSTGRES_TYPES[wanted]})"


def _key_text(key: Sequence[str], alias: str) -> str:
    parts = ", ".join(f"coalesce({alias}.{quote_identifier(name)}::text, chr({ord(NULL_PART)}))" for name in key)
    return f"concat_ws(chr({ord(PART_END)}), {parts})"


def _one(session: Session, name: str, **slots: str) -> int:
    return int(session.query(_sql(name, **slots)).rows[0][0])


def _sql(name: str, **slots: str) -> str:
    return statement("gradeonce.warehouses.postgres.sql", "beside.sql", name, **slots)
