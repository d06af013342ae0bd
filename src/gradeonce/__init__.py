"""gradeonce: grade every prediction exactly once, and be able to prove it.

import gradeonce

with gradeonce.open("book") as book:
    book.load("predictions", "picks.parquet")
    book.load("actuals", "box_scores.csv")
    print(book.grade("2026-01-17").totals)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeonce._version import __version__

if TYPE_CHECKING:
    from gradeonce import errors, leases
    from gradeonce.book import Book
    from gradeonce.book import create_book as create
    from gradeonce.book import open_book as open
    from gradeonce.load import LoadOptions
    from gradeonce.model import Query
    from gradeonce.publish import Derived
    from gradeonce.schema import Column, ColumnType, Table

__all__ = [
    "Book",
    "Column",
    "ColumnType",
    "Derived",
    "LoadOptions",
    "Query",
    "Table",
    "__version__",
    "create",
    "errors",
    "leases",
    "open",
]

# Imported when first used: `gradeonce --help` must not wait for the engine.
_WHERE = {
    "Book": ("gradeonce.book", "Book"),
    "Column": ("gradeonce.schema", "Column"),
    "ColumnType": ("gradeonce.schema", "ColumnType"),
    "Derived": ("gradeonce.publish", "Derived"),
    "LoadOptions": ("gradeonce.load", "LoadOptions"),
    "Query": ("gradeonce.model", "Query"),
    "Table": ("gradeonce.schema", "Table"),
    "create": ("gradeonce.book", "create_book"),
    "errors": ("gradeonce.errors", ""),
    "leases": ("gradeonce.leases", ""),
    "open": ("gradeonce.book", "open_book"),
}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'gradeonce' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _WHERE[name]
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return __all__
