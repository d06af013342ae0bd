"""Books in the BigQuery emulator, which takes the longer for every answer the more tables there are in it.

So a file of tests makes one that has no more than the tables it needs, and empties it from test to test.
"""

from __future__ import annotations

import itertools
import os

from gradeonce.schema import REVISIONS, Table
from gradeonce.warehouses.bigquery import layout
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.state import as_script

_numbers = itertools.count(1)
_FILLED = ("row_tables", "publish_fences", "ledger", REVISIONS.name)
_KEPT = {*_FILLED, "loaded_contents", "ledger_head", "mapped_tables"}


def small_book(*tables: Table) -> str:
    """Make a book that has no more than what publishing needs, and these tables of rows; return its URL."""
    url = f"bigquery://demo/book_{os.getpid()}_{next(_numbers)}"
    connection = Connection(url)
    layout.make_bare(connection, [REVISIONS, *tables])
    connection.close()
    return url


def empty_book(url: str) -> None:
    """Take everything out of a small book."""
    connection = Connection(url)
    texts = [f"DELETE FROM `{name}` WHERE TRUE" for name in _FILLED]
    texts.append("UPDATE ledger_head SET number = 0, entry_hash = REPEAT('0', 64) WHERE TRUE")
    texts += [f"DROP TABLE `{name}`" for name in sorted(connection.tables() - _KEPT)]
    connection.execute(as_script(texts))
    connection.close()
