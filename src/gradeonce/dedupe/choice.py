"""The statements of a deduplication for one table: which rows are copies of each other, and which of them stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gradeonce.errors import UsageError
from gradeonce.schema import Column, ColumnType, Table
from gradeonce.statements import fill, quote_identifier, quote_literal, statements

COMMON_TYPES = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.DATE: "DATE",
    ColumnType.INSTANT: "TIMESTAMP",
    ColumnType.DECIMAL: "DECIMAL(18, 9)",
    ColumnType.SUM: "DECIMAL(38, 18)",
    ColumnType.INTEGER: "INTEGER",
    ColumnType.BOOLEAN: "BOOLEAN",
}
"""Names of types that every warehouse knows."""

LONGEST_NAME = 28
"""Characters of a table's name in the name of its backup: PostgreSQL cuts names off at 63 bytes."""


class Keep(StrEnum):
    """Which of several copies stays."""

    EARLIEST = "earliest"
    LATEST = "latest"

    @classmethod
    def _missing_(cls, value: object) -> Keep:
        raise UsageError(f"{value!r} does not say which row is to stay; expected {', '.join(cls)}.")


@dataclass(frozen=True)
class Choice:
    """What counts as a copy, and which one stays.

    Attributes:
        table: The table.
        key: Columns that make rows copies of each other, beside the partition.
        keep: Whether the first or the last stays.
        by: Column that tells first from last; a row without a value there never stays beside one with. Ties are settled
            by the other columns in order, so that the choice is the same every time and everywhere.
    """

    table: Table
    key: tuple[str, ...]
    keep: Keep
    by: str

    def __post_init__(self) -> None:
        """Refuse columns that the table does not have.

        Raises:
            UsageError: If one is named.
        """
        strangers = {*self.key, self.by} - set(self.table.column_names)
        if strangers:
            raise UsageError(
                f"{self.table.name} has no column {', '.join(sorted(strangers))}.",
                hint=f"Its columns: {', '.join(self.table.column_names)}.",
            )
        if not self.key:
            raise UsageError(f"{self.table.name} declares no key.", hint="Name one: --key player_lookup,game_id")

    @property
    def whole(self) -> Table:
        """The table with every column in its content, so that hashes cover stamps too."""
        return replace(self.table, key=(), stamps=(), indexed=(), version_of=())

    def backup(self, plan_id: str) -> Table:
        """Return the table that keeps the rows as they stood."""
        name = f"{self.table.name[:LONGEST_NAME]}_backup_{plan_id}"
        columns = tuple(Column(c.name, c.type, required=c.name == self.table.partition) for c in self.table.columns)
        return Table(name=name, columns=columns, partition=self.table.partition)

    def affected(self, partitions: Sequence[str] | None) -> str:
        """Return the SELECT of the partitions that hold copies."""
        within = "true" if partitions is None else self._within(partitions)
        return self._sql("affected", table=self._table, within=within)

    def kept(self, partitions: Sequence[str]) -> str:
        """Return the SELECT of the rows that stay."""
        return self._sql("kept", columns=self._columns, numbered=self._numbered(partitions))

    def standing(self, partitions: Sequence[str], *, table: Table | None = None) -> str:
        """Return the SELECT of the rows as they stand, in the table or in a backup of it."""
        name = self._table if table is None else quote_identifier(table.name)
        return self._sql("standing", columns=self._columns, table=name, within=self._within(partitions))

    def keys_by_copies(self, partitions: Sequence[str]) -> str:
        """Return the SELECT of counts per partition and number of copies."""
        return self._sql(
            "keys_by_copies",
            groups=self._groups(partitions),
            content_differs=self._any_differs(self.table.content),
            stamps_differ=self._any_differs(self.table.stamps),
        )

    def differing_columns(self, partitions: Sequence[str]) -> str:
        """Return the SELECT of one row: per column but the key's, in order, of how many keys the copies differ."""
        counts = ", ".join(f"count(*) FILTER (WHERE {_flag(name)})" for name in self.compared)
        return self._sql("differing_columns", counts=counts, groups=self._groups(partitions))

    @property
    def compared(self) -> tuple[str, ...]:
        """Columns in which copies may differ."""
        return tuple(n for n in self.table.column_names if n not in (self.table.partition, *self.key))

    def samples(self, partitions: Sequence[str], limit: int) -> str:
        """Return the SELECT of the first keys with their copies: partition, the key's values as texts, when, place."""
        key_or_by = dict.fromkeys((*self.key, self.by))
        return self._sql(
            "samples",
            key_texts=", ".join(f"CAST({quote_identifier(name)} AS VARCHAR)" for name in self.key),
            by=quote_identifier(self.by),
            key_or_by=", ".join(quote_identifier(name) for name in key_or_by if name != self.table.partition),
            numbered=self._numbered(partitions),
            limit=str(limit),
        )

    def key_drift(self, before: str, after: str) -> str:
        """Return the SELECT of how many keys stand on one side only; `before` is a SELECT, `after` a relation."""
        return self._sql("key_drift", before=before, after=after)

    def _numbered(self, partitions: Sequence[str]) -> str:
        direction = "ASC" if self.keep is Keep.EARLIEST else "DESC"
        order = [f"{quote_identifier(self.by)} {direction} NULLS LAST"]
        order += [f"{quote_identifier(name)} ASC NULLS LAST" for name in self.compared if name != self.by]
        return self._sql(
            "numbered",
            columns=self._columns,
            order=", ".join(order),
            table=self._table,
            within=self._within(partitions),
        )

    def _groups(self, partitions: Sequence[str]) -> str:
        differs = ", ".join(
            f"{self._sql('differs', column=quote_identifier(name))} AS {_flag(name)}" for name in self.compared
        )
        return self._sql("groups", table=self._table, within=self._within(partitions), differs=differs)

    def _any_differs(self, names: Sequence[str]) -> str:
        return " OR ".join(f"g.{_flag(name)}" for name in self.compared if name in names) or "false"

    def _within(self, partitions: Sequence[str]) -> str:
        kind = next(COMMON_TYPES[column.type] for column in self.table.columns if column.name == self.table.partition)
        values = ", ".join(f"CAST({quote_literal(partition)} AS {kind})" for partition in partitions)
        return f"{quote_identifier(self.table.partition)} IN ({values})" if values else "false"

    @property
    def _table(self) -> str:
        return quote_identifier(self.table.name)

    @property
    def _columns(self) -> str:
        return ", ".join(quote_identifier(name) for name in self.table.column_names)

    def _sql(self, name: str, **slots: str) -> str:
        common = {
            "partition": quote_identifier(self.table.partition),
            "key": ", ".join(quote_identifier(name) for name in self.key),
        }
        body = statements(__package__, "dedupe.sql")[name]
        return fill(body, **{slot: text for slot, text in {**common, **slots}.items() if f"{{{slot}}}" in body})


def _flag(name: str) -> str:
    return quote_identifier(f"differs_{name}")
