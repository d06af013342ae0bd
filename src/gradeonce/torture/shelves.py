"""The table that is tortured: a few shelves, each replaced whole, whose content tells which run wrote it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gradeonce.model import Query
from gradeonce.schema import Column, ColumnType, Table
from gradeonce.statements import statement
from gradeonce.warehouses.base import Warehouse

TABLE = Table(
    name="torture_rows",
    partition="shelf",
    key=("item",),
    stamps=("written_by",),
    columns=(
        Column("shelf", ColumnType.TEXT, required=True),
        Column("item", ColumnType.INTEGER),
        Column("version", ColumnType.TEXT, required=True),
        Column("amount", ColumnType.INTEGER, required=True),
        Column("written_by", ColumnType.TEXT, required=True),
    ),
)

MOVE_ON_SECONDS = 5.0
"""Every so often a fresh shelf comes into play: the first write of an empty partition is raced again and again."""

SHELVES_IN_PLAY = 3


@dataclass(frozen=True)
class Version:
    """One content of a shelf, different from all others of the same torture.

    Attributes:
        name: In every row.
        number: The amounts start from here.
    """

    name: str
    number: int

    @property
    def rows(self) -> int:
        """How many rows it has: versions differ in size, so that a mixture differs from both."""
        return 5 + self.number % 13

    @property
    def checksum(self) -> int:
        """Sum of the amounts of all rows."""
        return self.rows * self.number + self.rows * (self.rows - 1) // 2

    @classmethod
    def of(cls, slot: int, life: int, turn: int) -> Version:
        """Return the version that a worker makes in one turn of one of its lives."""
        return cls(f"v{slot}.{life}.{turn}", ((slot * 2_000 + life) * 10_000 + turn) % 2_000_000_000)

    def query(self, shelves: Sequence[str], run_id: str) -> Query:
        """Return the SELECT of this version for these shelves."""
        return Query(
            statement(__package__, "torture.sql", "version"),
            {
                "shelves": list(shelves),
                "rows": self.rows,
                "version": self.name,
                "number": self.number,
                "run_id": run_id,
            },
        )


def shelf(number: int) -> str:
    """Return the name of a shelf."""
    return f"shelf-{number:04d}"


def in_play(elapsed_seconds: float, *, before: int = 0) -> list[str]:
    """Return the shelves that are written at this time, with some of those before them."""
    first = int(elapsed_seconds // MOVE_ON_SECONDS)
    return [shelf(number) for number in range(max(0, first - before), first + SHELVES_IN_PLAY)]


def pick(elapsed_seconds: float, chance: random.Random) -> list[str]:
    """Return the shelves of one publish: mostly one, and that mostly the same for all; at times two neighbours."""
    shelves = in_play(elapsed_seconds)
    if chance.random() < 0.15:
        first = chance.randrange(len(shelves) - 1)
        return shelves[first : first + 2]
    return [shelves[0] if chance.random() < 0.5 else chance.choice(shelves)]


def look(warehouse: Warehouse, shelves: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what a reader sees of these shelves in one view, by shelf; an empty one is left out.

    A value is {"rows", "keys", "checksum", "versions", "runs"}. Any: it goes into JSON as it is.
    """
    with warehouse.reader({TABLE.name: tuple(shelves)}) as reader:
        found = reader.query(statement(__package__, "torture.sql", "look"), {"shelves": list(shelves)})
    return {row.pop("shelf"): row for row in found.dicts()}
