"""What every warehouse can do. The kernel and the operations know this protocol and never a backend by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Params = Mapping[str, Any]
"""Values bound by name (`$name` in the text). Any: whatever the driver can bind (str, int, Decimal, date, list)."""


@dataclass(frozen=True)
class Rows:
    """The answer to a query: column names and rows, in order.

    A row is a tuple of Any because its types are the query's own.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries, for JSON."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Reader(Protocol):
    """A consistent, read-only view of the book: every table under its own name, as of one instant."""

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """Run one SELECT; errors of the driver arrive as WarehouseError."""
        ...
