"""What a warehouse can do with tables in the same place that are not the book's: no fences stand around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gradeonce.model import EntryDraft
from gradeonce.schema import Column
from gradeonce.warehouses.base import OnStep


@dataclass(frozen=True)
class DoubledKey:
    """A key that stands more than once: its values, and what decides in the row that stays and in those that go."""

    key: tuple[str | None, ...]
    kept_by: str | None
    removed_by: tuple[str | None, ...]


@dataclass(frozen=True)
class Doubled:
    """Copies of a key in a table that is not the book's.

    Attributes:
        rows: Rows that stand in the table.
        keys: Keys that stand more than once, by number of copies.
        identical: Of these, how many have copies equal in every column.
        rows_digest: Hash over all rows of these keys.
        digest: The same, with which of them stay.
        samples: The first keys.
    """

    rows: int
    keys: Mapping[int, int]
    identical: int
    rows_digest: str
    digest: str
    samples: tuple[DoubledKey, ...] = ()

    @property
    def doubled_rows(self) -> int:
        """Rows of the keys that stand more than once."""
        return sum(copies * keys for copies, keys in self.keys.items())

    @property
    def rows_deleted(self) -> int:
        """Rows that are one copy too many."""
        return sum((copies - 1) * keys for copies, keys in self.keys.items())


@dataclass(frozen=True)
class Restored:
    """What bringing rows back did: rows that came back, rows written since that went, rows that stand."""

    restored: int
    undone: int
    rows: int


@dataclass(frozen=True)
class Reading:
    """A table that is not the book's, to be read in columns of ours.

    Attributes:
        relation: Its quoted name; in `values` it is called `t`.
        within: Condition that every row fulfils, and without which it may refuse to be read.
        columns: Its own columns, in order.
        values: By our column: the SQL of its column as it is, and as a value of our type, null where it cannot be read.
    """

    relation: str
    within: str
    columns: tuple[str, ...]
    values: Mapping[str, tuple[str, str]]


class BesideTables(Protocol):
    """Tables in the same place as the book that are not its own, and that nobody is fenced from writing to."""

    def columns(self, table: str) -> tuple[str, list[str]]:
        """Return the quoted name of a table, and the columns that can be written.

        Raises:
            UsageError: If there is no such table.
        """
        ...

    def reading(self, table: str, columns: Mapping[str, Column]) -> Reading:
        """Return how a table, or a view, is read in columns of ours. No row is read yet.

        Args:
            table: Its name.
            columns: Our column by the name of theirs; those that it does not have are left out.

        Raises:
            UsageError: If there is no such table.
        """
        ...

    def look(self, table: str, key: Sequence[str], by: str, *, latest: bool) -> Doubled:
        """Return which keys stand more than once, and which row of each would stay."""
        ...

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
        """Back the copies up, remove all but the one that stays, and append the entry; return the rows that stand.

        Raises:
            RefusedForSafety: If the copies are not those expected. Nothing changed.
            ValidationFailed: If what would stand is not what was planned. Nothing changed.
        """
        ...

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
        """Let exactly the rows of a backup stand under their keys; without an entry, only say what would happen.

        Raises:
            ValidationFailed: If the backup does not hold what stood. Nothing changed.
        """
        ...

    def backup(self, name: str) -> tuple[int, str, int] | None:
        """Return rows, hash and bytes of a backup; None if it is not there."""
        ...

    def drop(self, name: str, entry: EntryDraft) -> None:
        """Drop a backup and append the entry."""
        ...
