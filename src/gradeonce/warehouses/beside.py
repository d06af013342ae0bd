"""What a warehouse can do with tables in the same place that are not the book's: no fences stand around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gradeonce.errors import RefusedForSafety, ValidationFailed
from gradeonce.model import EntryDraft
from gradeonce.schema import Column
from gradeonce.warehouses.base import OnStep

PART_END, NULL_PART = chr(31), chr(30)
"""In the text of a key: what stands between its parts, and what stands for a part that is null."""


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

    @classmethod
    def counted(
        cls,
        by_copies: Iterable[tuple[int, int, int]],
        samples: Iterable[tuple[str, str | None, int]],
        *,
        rows: int,
        rows_digest: str,
        digest: str,
    ) -> Doubled:
        """Return what was counted on a server.

        Args:
            by_copies: Number of copies, keys that have so many, and how many of these have equal copies.
            samples: Text of a key, what decides in a row of it, and the row's place: 1 for the one that stays.
            rows: See the class.
            rows_digest: See the class.
            digest: See the class.
        """
        counted = list(by_copies)
        keys: dict[str, DoubledKey] = {}
        for text, when, place in samples:
            if place == 1:
                parts = tuple(None if part == NULL_PART else part for part in text.split(PART_END))
                keys[text] = DoubledKey(parts, when, ())
            else:
                first = keys[text]
                keys[text] = DoubledKey(first.key, first.kept_by, (*first.removed_by, when))
        return cls(
            rows=rows,
            keys={copies: number for copies, number, _ in counted},
            identical=sum(identical for _, _, identical in counted),
            rows_digest=rows_digest,
            digest=digest,
            samples=tuple(keys.values()),
        )

    def refuse_others(self, table: str, found: Doubled) -> None:
        """Raise RefusedForSafety if what is found now is not what was looked at."""
        if (found.digest, found.rows_deleted) != (self.digest, self.rows_deleted):
            raise RefusedForSafety(f"The copies in {table} are no longer those that were looked at.")

    def is_backed_up(self, saved: Sequence[object]) -> bool:
        """Say whether a backup holds the rows of these keys.

        Args:
            saved: Its rows and their hash.
        """
        return tuple(saved) == (self.doubled_rows, self.rows_digest)

    def refuse_broken(self, backup: str, saved: Sequence[object]) -> None:
        """Raise ValidationFailed if a backup does not hold the rows of these keys; see `is_backed_up`."""
        if not self.is_backed_up(saved):
            raise ValidationFailed(
                f"The backup {backup} is not whole.", failures=["it does not hold the rows that stood"]
            )


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
