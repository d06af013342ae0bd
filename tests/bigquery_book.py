"""Books in the BigQuery emulator, which takes the longer for every answer the more tables there are in it.

So a file of tests makes one, leaves out the tables that it does not need, and empties it from test to test.
"""

from __future__ import annotations

import itertools
import os

from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse

_numbers = itertools.count(1)
_FILLED = ("row_tables", "publish_fences", "loaded_contents", "ledger", "grade_revisions")
_KEPT = {*_FILLED, "ledger_head", "schema_steps"}
_VIEWS = ("grading_runs", "loads")


def small_book() -> str:
    """Make a book that has no more than what publishing needs; return its URL."""
    url = f"bigquery://demo/book_{os.getpid()}_{next(_numbers)}"
    BigQueryWarehouse.create(url)
    connection = Connection(url)
    connection.execute(";\n".join(f"DROP VIEW `{name}`" for name in _VIEWS))
    _drop_others(connection)
    connection.close()
    return url


def empty_book(url: str) -> None:
    """Take everything out of a small book."""
    connection = Connection(url)
    texts = [f"DELETE FROM `{name}` WHERE TRUE" for name in _FILLED]
    texts.append("UPDATE ledger_head SET number = 0, entry_hash = REPEAT('0', 64) WHERE TRUE")
    connection.execute(";\n".join(texts))
    _drop_others(connection)
    connection.close()


def _drop_others(connection: Connection) -> None:
    others = sorted(connection.tables() - _KEPT)
    if others:
        connection.execute(";\n".join(f"DROP TABLE `{name}`" for name in others))
