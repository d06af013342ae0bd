"""The definition of a table as text, as a warehouse remembers it."""

from __future__ import annotations

import json

from gradeonce.chain import canonical_json
from gradeonce.schema import Column, ColumnType, Table


def definition(table: Table) -> str:
    """Return a table's definition as text."""
    return canonical_json(
        {
            "name": table.name,
            "partition": table.partition,
            "key": table.key,
            "stamps": table.stamps,
            "indexed": table.indexed,
            "columns": [[column.name, column.type.value, column.required] for column in table.columns],
        }
    )


def defined_table(text: str) -> Table:
    """Return the table that a definition describes."""
    raw = json.loads(text)
    return Table(
        name=raw["name"],
        partition=raw["partition"],
        key=tuple(raw["key"]),
        stamps=tuple(raw["stamps"]),
        indexed=tuple(raw["indexed"]),
        columns=tuple(Column(name, ColumnType(kind), required) for name, kind, required in raw["columns"]),
    )
