"""What BigQuery can do, and what our types are called there."""

from __future__ import annotations

from gradeonce.schema import ColumnType
from gradeonce.warehouses.base import Capabilities

CAPABILITIES = Capabilities(local_engine=False, shares_tables=True, threads=False)

BIGQUERY_TYPES = {
    ColumnType.TEXT: "STRING",
    ColumnType.DATE: "DATE",
    ColumnType.INSTANT: "DATETIME",
    ColumnType.DECIMAL: "NUMERIC",
    ColumnType.SUM: "BIGNUMERIC",
    ColumnType.INTEGER: "INT64",
    ColumnType.BOOLEAN: "BOOL",
}

_DIGITS = (
    "CONCAT(SPLIT(CAST({{0}} AS STRING), '.')[OFFSET(0)], '.', "
    "RPAD(COALESCE(SPLIT(CAST({{0}} AS STRING), '.')[SAFE_OFFSET(1)], ''), {places}, '0'))"
)
"""All digits of a decimal, zeros at the end included: put together from its text, never from a binary fraction."""

TEXT_PATTERNS = {
    # The same texts as on the other warehouses, so that content hashes compare: nine places, eighteen, and instants
    # with as many digits behind the second as they have.
    ColumnType.DECIMAL: _DIGITS.format(places=9),
    ColumnType.SUM: _DIGITS.format(places=18),
    ColumnType.INSTANT: "RTRIM(RTRIM(FORMAT_DATETIME('%Y-%m-%d %H:%M:%E6S', {0}), '0'), '.')",
}
"""How a value becomes the text that is hashed; every other type is cast."""
