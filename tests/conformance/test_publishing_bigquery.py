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
from servers import BigQuery


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
    def warehouse(self, url: str) -> Iterator[Warehouse]:
        warehouse = BigQueryWarehouse(url, threads=1)
        yield warehouse
        warehouse.close()
        empty_book(url)

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
