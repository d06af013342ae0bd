"""The table that is deduplicated: a few crates, filled with known copies, so that every look can be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gradeonce.model import Query
from gradeonce.schema import Column, ColumnType, Table
from gradeonce.statements import statement
from gradeonce.warehouses.base import Warehouse

COPIES = Table(
    name="torture_copies",
    partition="crate",
    key=("item",),
    columns=(
        Column("crate", ColumnType.TEXT, required=True),
        Column("item", ColumnType.INTEGER),
        Column("version", ColumnType.TEXT, required=True),
        Column("amount", ColumnType.INTEGER, required=True),
        Column("copy", ColumnType.INTEGER, required=True),
    ),
)

MOVE_ON_SECONDS = 15.0
"""Every so often a fresh crate comes into play."""

CRATES_IN_PLAY = 2


@dataclass(frozen=True)
class Filling:
    """What a crate is filled with: items of one, two or three copies; one item is null.

    Attributes:
        name: In every row.
        number: The amounts start from here.
    """

    name: str
    number: int

    @property
    def keys(self) -> int:
        """How many items it has."""
        return 4 + self.number % 7

    @property
    def rows(self) -> int:
        """How many rows, copies included: place p has 1 + p % 3 of them."""
        return sum(1 + place % 3 for place in range(self.keys))

    @property
    def checksum(self) -> int:
        """Sum of the amounts of all rows."""
        return sum(
            self.number + 10 * place + copy for place in range(self.keys) for copy in range(1 + place % 3)
        )  # fmt: skip

    @property
    def kept_checksum(self) -> int:
        """Sum of the amounts of the rows that stay when the copies are removed: the first of each."""
        return sum(self.number + 10 * place for place in range(self.keys))

    @classmethod
    def of(cls, slot: int, life: int, turn: int) -> Filling:
        """Return the filling that a deduplicator makes in one turn of one of its lives."""
        return cls(f"f{slot}.{life}.{turn}", ((slot * 2_000 + life) * 1_000 + turn) % 100_000_000)

    def query(self, crate: str) -> Query:
        """Return the SELECT of its rows for a crate."""
        params = {"crate": crate, "keys": self.keys, "version": self.name, "number": self.number}
        return Query(statement(__package__, "torture.sql", "copies"), params)


def crates_in_play(elapsed_seconds: float, *, before: int = 0) -> list[str]:
    """Return the crates that are worked on at this time, with some of those before them."""
    first = int(elapsed_seconds // MOVE_ON_SECONDS)
    return [f"crate-{number:04d}" for number in range(max(0, first - before), first + CRATES_IN_PLAY)]


def look_at_crates(
    warehouse: Warehouse, crates: Sequence[str], *, table: str = COPIES.name
) -> dict[str, dict[str, Any]]:
    """Return what a reader sees of these crates in one view, by crate; an empty one is left out.

    A value is {"rows", "keys", "checksum", "versions"}. Any: it goes into JSON as it is.

    Args:
        table: Another table of the same columns: a backup.
    """
    sql = statement(__package__, "torture.sql", "crates", table=table)
    with warehouse.reader({table: tuple(crates)}) as reader:
        found = reader.query(sql, {"crates": list(crates)})
    return {row.pop("crate"): row for row in found.dicts()}
