"""The BigQuery warehouse, held to the suite of publishing, against an emulator."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from bigquery_book import empty_book, small_book
from builders import FakeClock
from conformance.derived import DerivedConformance
from conformance.publishing import DAY, NEXT_DAY, PublishConformance
from conformance.small_tables import SmallTablesConformance
from gradeonce.model import Query
from gradeonce.publish import publish
from gradeonce.schema import Column, ColumnType, Table
from gradeonce.warehouses.base import Warehouse
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse
from servers import BigQuery, only_with_all_bigquery

ALWAYS = {
    "test_first_publish_of_a_partition",
    "test_a_staged_key_that_stands_twice_is_refused",
    "test_a_correction_changes_exactly_the_rows_it_touches",
    "test_several_partitions_are_published_all_or_none",
    "test_the_commit_itself_refuses_a_token_below_the_accepted_one",
    "test_of_two_writers_at_one_base_the_second_starts_again",
    "test_rows_are_kept_in_the_types_the_table_declares",
    "test_all_that_is_read_in_a_steady_block_is_of_one_instant",
    "test_what_follows_is_published_with_the_rows",
    "test_a_key_stands_once",
}
"""One test of each promise; an emulator answers so slowly that the others run only when they are asked for.

Stale tokens, lost answers and aborted commits are in `integration/test_bigquery_edge.py`, which always runs.
"""


@pytest.fixture(scope="module")
def url(bigquery: BigQuery) -> Iterator[str]:
    """A book for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        yield small_book()


class TestBigQuery(PublishConformance, SmallTablesConformance, DerivedConformance):
    """A dataset of an emulator."""

    doubled = "generate_series(1, 2) AS t (n)"

    @pytest.fixture
    def warehouse(self, url: str, request: pytest.FixtureRequest) -> Iterator[Warehouse]:
        if request.node.name not in ALWAYS:
            only_with_all_bigquery(request.config)
        warehouse = BigQueryWarehouse(url, threads=1)
        yield warehouse
        warehouse.close()
        empty_book(url)

    @pytest.fixture
    def neighbour(self, url: str) -> Iterator[Warehouse]:
        neighbour = BigQueryWarehouse(url, threads=1)
        yield neighbour
        neighbour.close()

    def test_rows_are_kept_in_the_types_the_table_declares(self, warehouse: Warehouse) -> None:
        """A day of whole numbers before a day of halves: what is read are decimals, and the same in another type is."""
        columns = (Column("day", ColumnType.DATE), Column("item", ColumnType.TEXT), Column("kg", ColumnType.DECIMAL))
        table = Table("weights", columns, partition="day", key=("item",))
        for day, kg in ((DAY, "1"), (NEXT_DAY, "CAST(1.5 AS DOUBLE)")):
            query = Query(f"SELECT '{day}' AS day, 'nut' AS item, {kg} AS kg")
            publish(warehouse, table, query, [day], run_id=day, clock=FakeClock())

        with warehouse.reader() as reader:
            rows = reader.query("SELECT kg FROM weights ORDER BY day").rows
        assert rows == [(Decimal(1),), (Decimal("1.5"),)]
        assert all(isinstance(kg, Decimal) for (kg,) in rows)

        query = Query(f"SELECT DATE '{NEXT_DAY}' AS day, 'nut' AS item, 1.50::DECIMAL(9,2) AS kg")
        assert publish(warehouse, table, query, [NEXT_DAY], run_id="again")[NEXT_DAY].status == "unchanged"

    def stands(self, warehouse: Warehouse, day: str = DAY) -> list[tuple[Any, ...]]:
        sql = "SELECT shelf, item, marker, counted_by FROM shelf_counts WHERE day = $day ORDER BY shelf, item, marker"
        with warehouse.reader() as reader:
            return reader.query(sql, {"day": day}).rows

    def revisions(self, warehouse: Warehouse) -> list[tuple[Any, ...]]:
        sql = (
            "SELECT partition, change, reason, key_json, JSON_VALUE(old_json, '$.marker'), "
            "JSON_VALUE(new_json, '$.marker'), run_id FROM grade_revisions ORDER BY 1, 2, 3, 4"
        )
        with warehouse.reader() as reader:
            return reader.query(sql).rows
