"""The test build without the fence: what the guarantees rest on, taken out, so that the tests are seen to notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gradeonce import publish
from gradeonce.statements import statements
from gradeonce.torture.unfenced_bigquery import UnfencedBigQuery
from gradeonce.torture.unfenced_postgres import UnfencedPostgres
from gradeonce.warehouses.bigquery import warehouse as bigquery
from gradeonce.warehouses.embedded import catalog
from gradeonce.warehouses.postgres import warehouse as postgres

_CONDITION = "AND token <= coalesce(:token, token) AND seq = :base_seq"


def switch_fence_off() -> None:
    """Let every commit of this process through, whatever its token and base, and skip the look at what stands."""
    sql = statements("gradeonce.warehouses.embedded", "catalog.sql")
    assert _CONDITION in sql["advance_fence"], "the fence's condition has moved: this build would still be fenced"
    sql["advance_fence"] = sql["advance_fence"].replace(_CONDITION, "")
    catalog._verify = lambda connection, move: None
    publish._refuse_stale = lambda table, bases, tokens: None
    postgres.PostgresWarehouse = UnfencedPostgres  # type: ignore[misc]
    bigquery.BigQueryWarehouse = UnfencedBigQuery  # type: ignore[misc]


@contextmanager
def fence_switched_off() -> Iterator[None]:
    """Switch the fence off in this process while the block runs."""
    sql = statements("gradeonce.warehouses.embedded", "catalog.sql")
    warehouses = postgres.PostgresWarehouse, bigquery.BigQueryWarehouse
    before = sql["advance_fence"], catalog._verify, publish._refuse_stale
    switch_fence_off()
    try:
        yield
    finally:
        sql["advance_fence"], catalog._verify, publish._refuse_stale = before
        postgres.PostgresWarehouse, bigquery.BigQueryWarehouse = warehouses  # type: ignore[misc]
