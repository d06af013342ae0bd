"""What BigQuery would read, told by dry runs: they are free and read nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradeonce.model import Query
from gradeonce.schema import Table
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.mapped import held
from gradeonce.warehouses.bigquery.rows import quoted, scoped, sql
from gradeonce.warehouses.bigquery.spelling import spelled


class BigQueryEstimator:
    """See `gradeonce.warehouses.base.Estimator`."""

    def __init__(self, connection: Connection, inputs: Callable[[Query], dict[str, Table]]) -> None:
        self._connection, self._inputs = connection, inputs

    def staging(self, query: Query) -> int:
        """See `Estimator.staging`."""
        text = scoped(spelled(query.sql, query.params), scopes_of(self._connection, query, self._inputs(query)))
        return self._connection.estimate(text, query.params, ours=False)

    def sharing(self, table: Table, column: str, other: Table, partitions: Sequence[str]) -> int:
        """See `Estimator.sharing`."""
        return self._connection.estimate(sharing_sql(self._connection, table, column, other, partitions), ours=False)


def scopes_of(connection: Connection, query: Query, inputs: dict[str, Table]) -> dict[str, str]:
    """Return the SELECT of each input of a query, as far as the query asks for it."""
    return {
        name: held(connection, inputs[name]).rows(partitions)
        for name, partitions in query.inputs.items()
        if name in inputs
    }


def sharing_sql(
    connection: Connection, table: Table, column: str, other: Table, partitions: Sequence[str], *, moment: str = ""
) -> str:
    """Return the SELECT behind `Warehouse.sharing`; `moment` is the clause that says as of when, or empty: now."""
    return sql(
        "sharing",
        table=held(connection, table).rows(moment=moment),
        partition=quoted(table.partition),
        column=quoted(column),
        other=held(connection, other).rows(partitions, moment=moment),
    )
