"""Their table as a SELECT of our columns: read where it lies, changed by nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gradeonce.config import Settings
from gradeonce.dedupe.choice import COMMON_TYPES
from gradeonce.errors import UsageError
from gradeonce.loading.grades import made_value
from gradeonce.migrate.columns import Mapped, mapped
from gradeonce.schema import ACCURACY
from gradeonce.statements import quote_identifier, statement
from gradeonce.warehouses.base import Warehouse
from gradeonce.warehouses.beside import Reading

_BY_NAME = {column.name: column for column in ACCURACY.columns}


@dataclass(frozen=True)
class Theirs:
    """A table of grades that is not the book's.

    Attributes:
        source: Its quoted name.
        mapped: Which of its columns is which of ours.
        reading: How it is read.
        select: SELECT of all columns of a grade, as the rows will stand; those without a date, too.
    """

    source: str
    mapped: Mapped
    reading: Reading
    select: str

    @property
    def overview(self) -> str:
        """SELECT of one row: rows, those without a date, and those that cannot be read, by column of `read`."""
        unread = "".join(
            f", count(*) FILTER (WHERE {raw} IS NOT NULL AND {value} IS NULL)"
            for raw, value in (self.reading.values[name] for name in self.read)
        )
        return _sql(
            "overview",
            game_date=self.reading.values[ACCURACY.partition][1],
            unread=unread,
            relation=self.source,
            within=self.reading.within,
        )

    @property
    def read(self) -> tuple[str, ...]:
        """Columns of ours that they have, in order."""
        return tuple(name for name in ACCURACY.column_names if name in self.reading.values)


def read_theirs(
    warehouse: Warehouse, table: str, named: Mapping[str, str], *, run_id: str, adopted_at: datetime
) -> Theirs:
    """Find out how a table is read. No row is read yet.

    Args:
        table: Its name, e.g. `project.dataset.prediction_accuracy`.
        named: Their name of a column by ours, where it is neither ours nor one that many use.
        run_id: Stands in rows that name no run.
        adopted_at: Stands in rows that name no instant of grading.

    Raises:
        UsageError: If there is no such table, it holds no grades, or it is the book's own.
    """
    if not warehouse.capabilities.shares_tables:
        raise UsageError(
            "A book in a folder has no tables beside it.",
            hint="Export the table to a file, and adopt that: gradeonce adopt dump.parquet",
        )
    beside = warehouse.beside()
    known = mapped(beside.reading(table, {}).columns, named)
    reading = beside.reading(table, {theirs: _BY_NAME[ours] for theirs, ours in known.columns.items()})
    values = ", ".join(f"{_value(name, reading)} AS v_{name}" for name in ACCURACY.column_names)
    read = _sql("read", values=values, relation=reading.relation, within=reading.within)
    columns = ", ".join(
        f"{made_value(name, reading.values, run_id, adopted_at, lookup='NULL')} AS {quote_identifier(name)}"
        for name in ACCURACY.column_names
    )
    return Theirs(reading.relation, known, reading, _sql("made", columns=columns, read=read))


def _value(name: str, reading: Reading) -> str:
    if name in reading.values:
        return reading.values[name][1]
    return f"CAST(NULL AS {COMMON_TYPES[_BY_NAME[name].type]})"


def refuse_own(warehouse: Warehouse, settings: Settings, theirs: Theirs) -> None:
    """Raise if the table holds the book's own grades: what stands there is adopted in place.

    Raises:
        UsageError: If it does.
    """
    own = warehouse.beside().reading(settings.tables.get(ACCURACY.name, ACCURACY.name), {}).relation
    if theirs.source == own:
        raise UsageError(
            f"{theirs.source} is the book's own table of grades.",
            hint=f"Take its rows over where they stand: gradeonce adopt {ACCURACY.name}",
        )


def _sql(name: str, **slots: str) -> str:
    return statement(__package__, "migrate.sql", name, **slots)
