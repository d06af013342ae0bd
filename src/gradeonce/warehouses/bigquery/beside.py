"""Tables that BigQuery holds and that are not the book's: no fences there, so each step checks what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradeonce.clock import Clock
from gradeonce.errors import UsageError, ValidationFailed
from gradeonce.model import EntryDraft
from gradeonce.schema import Column, ColumnType
from gradeonce.statements import statement
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.beside import NULL_PART, Doubled, Reading, Restored
from gradeonce.warehouses.bigquery import state
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.rows import quoted

if TYPE_CHECKING:
    from google.cloud import bigquery


@dataclass(frozen=True)
class BigQueryBeside:
    """See `BesideTables`.

    Guarantee: a removal or a restoration is one transaction with its ledger entry; it first looks whether the rows
    under the keys concerned are those that were planned for, and is aborted if somebody changes the table meanwhile.
    Limit: rows that somebody only adds meanwhile are not refused: they stand, and the next plan finds them. The backup
    is made before the transaction, because none can make a table; one that nothing came of is made anew the next time.
    """

    connection: Connection
    clock: Clock

    def columns(self, table: str) -> tuple[str, list[str]]:
        """See `BesideTables.columns`."""
        found = self._find(table)
        if found.table_type != "TABLE":
            raise UsageError(f"{table} is no table.", hint="Name the table behind it.")
        return _relation(found), [field.name for field in found.schema]

    def reading(self, table: str, columns: Mapping[str, Column]) -> Reading:
        """See `BesideTables.reading`."""
        found = self._find(table)
        kinds = {field.name: field.field_type for field in found.schema}
        return Reading(
            relation=_relation(found),
            within=_within(found),
            columns=tuple(kinds),
            values={
                ours.name: _value(theirs, kinds[theirs], ours.type)
                for theirs, ours in columns.items()
                if theirs in kinds
            },
        )

    def look(self, table: str, key: Sequence[str], by: str, *, latest: bool) -> Doubled:
        """See `BesideTables.look`."""
        place = self._place(table, key)
        doubled = _sql("doubled", **place, by=quoted(by), order=_order("k.decides", latest=latest))
        by_copies = self._rows("by_copies", doubled=doubled)
        rows, rows_digest, digest = self._rows(
            "digests", table=place["table"], within=place["within"], doubled=doubled
        )[0]
        samples = self._rows("samples", doubled=doubled)
        return Doubled.counted(by_copies, samples, rows=rows, rows_digest=rows_digest, digest=digest)

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
        found = self.look(table, key, by, latest=latest)
        expected.refuse_others(table, found)
        on_step("beside.looked")
        place = {**self._place(table, key), "backup": quoted(backup)}
        self.connection.execute(_sql("back_up", **place))
        on_step("beside.backed_up")
        if not found.is_backed_up(self._rows("backup_digest", backup=quoted(backup))[0]):
            raise ValidationFailed(
                f"{table}: the backup does not hold the rows as they stand.", failures=["somebody writes to the table"]
            )
        columns = ", ".join(map(quoted, self.columns(table)[1]))
        kept = _sql(
            "put_kept", **_without(place, "within"), columns=columns, order=_order(f"t.{quoted(by)}", latest=latest)
        )
        put = _sql("refuse_others", expected=str(sum(found.keys.values())))
        self._commit([*self._taking_out(place, found), kept, put], entry)
        on_step("beside.done")
        return found.rows - found.rows_deleted

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
        saved = self._rows("backup_digest", backup=quoted(backup))[0]
        expected.refuse_broken(backup, saved)
        place = {**self._place(table, key), "backup": quoted(backup)}
        rows, taken, common = self._rows("restorable", **place)[0]
        restored = Restored(saved[0] - common, taken - common, rows - taken + saved[0])
        on_step("beside.looked")
        if entry is not None:
            columns = ", ".join(map(quoted, self.columns(table)[1]))
            out = [_sql("take_out", **place), _sql("refuse_others", expected=str(taken))]
            self._commit([*out, _sql("put_back", table=place["table"], backup=place["backup"], columns=columns)], entry)
            on_step("beside.done")
        return restored

    def backup(self, name: str) -> tuple[int, str, int] | None:
        """See `BesideTables.backup`."""
        size = sum(size for size, _ in self.connection.size_and_age(name))
        if not size:
            return None
        rows, digest = self._rows("backup_digest", backup=quoted(name))[0]
        return rows, digest, size

    def drop(self, name: str, entry: EntryDraft) -> None:
        """See `BesideTables.drop`. No transaction drops a table: a death in between leaves neither entry nor backup."""
        self.connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
        self._commit([], entry)

    def _taking_out(self, place: Mapping[str, str], found: Doubled) -> list[str]:
        """Return what takes the copies out, if they are still those that were looked at."""
        digest = _sql("standing_digest", **place)
        return [
            _sql("refuse_changed", digest=digest, expected=found.rows_digest),
            _sql("take_out", **place),
            _sql("refuse_others", expected=str(found.doubled_rows)),
        ]

    def _commit(self, texts: Sequence[str], entry: EntryDraft) -> None:
        state.Commit(entry.run_id, [], [entry], texts).run(self.connection, self.clock)

    def _place(self, table: str, key: Sequence[str]) -> dict[str, str]:
        """Return the slots that nearly every statement has."""
        found = self._find(table)
        parts = ", ".join(f"COALESCE(CAST(t.{quoted(name)} AS STRING), CHR({ord(NULL_PART)}))" for name in key)
        return {"table": _relation(found), "within": _within(found), "key_text": _sql("key_text", parts=parts)}

    def _rows(self, name: str, **slots: str) -> list[tuple[Any, ...]]:
        # Any: what the statement selects.
        return self.connection.query(_sql(name, **slots), ours=False).rows

    def _find(self, table: str) -> bigquery.Table:
        place, parts = self.connection.place, table.replace("`", "").replace(":", ".").split(".")
        if not 1 <= len(parts) <= 3:
            raise UsageError(f"{table!r} names no table.", hint="Write it as PROJECT.DATASET.TABLE.")
        names = [place.project, place.dataset][: 3 - len(parts)] + parts
        found = self.connection.table(".".join(names))
        if found is None:
            raise UsageError(f"There is no table {'.'.join(names)}.", hint="Write it as PROJECT.DATASET.TABLE.")
        ours = self.connection.location
        if ours and found.location and found.location.lower() != ours.lower():
            raise UsageError(
                f"{'.'.join(names)} is in {found.location} and the book in {ours}: no statement reaches both.",
                hint=f"Take a book in {found.location}, or copy the table's dataset to {ours}.",
            )
        return found


def _relation(table: bigquery.Table) -> str:
    return ".".join(map(quoted, (table.project, table.dataset_id, table.table_id)))


def _within(table: bigquery.Table) -> str:
    """Return the condition that every row fulfils, for a table that refuses to be read without one."""
    partitioned = table.time_partitioning
    if partitioned is None or not (table.require_partition_filter or partitioned.require_partition_filter):
        return "TRUE"
    if partitioned.field is None:
        return "_PARTITIONTIME >= TIMESTAMP('0001-01-01')"
    kind = next(field.field_type for field in table.schema if field.name == partitioned.field)
    return f"({quoted(partitioned.field)} >= {kind}('0001-01-01') OR {quoted(partitioned.field)} IS NULL)"


def _value(name: str, kind: str, wanted: ColumnType) -> tuple[str, str]:
    """Return the SQL of a column as it is, and as a value of the type wanted: null where it cannot be read as one."""
    raw = f"t.{quoted(name)}"
    if wanted is ColumnType.TEXT:
        raw = f"NULLIF(TRIM(CAST({raw} AS STRING)), '')"
        return raw, raw
    if wanted is ColumnType.INSTANT and kind == "TIMESTAMP":
        return raw, f"DATETIME({raw}, 'UTC')"
    return raw, f"SAFE_CAST({raw} AS {BIGQUERY_TYPES[wanted]})"


def _order(decides: str, *, latest: bool) -> str:
    return f"{decides} {'DESC' if latest else 'ASC'} NULLS LAST"


def _without(slots: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: text for name, text in slots.items() if name not in names}


def _sql(name: str, /, **slots: str) -> str:
    return statement("gradeonce.warehouses.bigquery.sql", "beside.sql", name, **slots)
