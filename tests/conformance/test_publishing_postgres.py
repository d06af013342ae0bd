"""The PostgreSQL warehouse, held to the suite of publishing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from conformance.derived import DerivedConformance
from conformance.publishing import DAY, PublishConformance
from conformance.small_tables import SmallTablesConformance
from gradeonce.warehouses.base import Warehouse
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema
from servers import Postgres

__all__ = ["postgres", "schema"]


class TestPostgres(PublishConformance, DerivedConformance, SmallTablesConformance):
    """A schema of a database."""

    halves, doubled, type_of = "1.5::float8", "generate_series(1, 2)", ("CAST(pg_typeof(kg) AS text)", "numeric")

    @pytest.fixture
    def warehouse(self, postgres: Postgres, schema: str) -> Iterator[Warehouse]:
        warehouse = PostgresWarehouse(postgres.url, schema=schema, threads=1)
        yield warehouse
        warehouse.close()

    @pytest.fixture
    def neighbour(self, postgres: Postgres, schema: str) -> Iterator[Warehouse]:
        neighbour = PostgresWarehouse(postgres.url, schema=schema, threads=1)
        yield neighbour
        neighbour.close()

    def stands(self, warehouse: Warehouse, day: str = DAY) -> list[tuple[Any, ...]]:
        sql = "SELECT shelf, item, marker, counted_by FROM shelf_counts WHERE day = $day ORDER BY shelf, item, marker"
        with warehouse.reader() as reader:
            return reader.query(sql, {"day": day}).rows

    def revisions(self, warehouse: Warehouse) -> list[tuple[Any, ...]]:
        sql = (
            "SELECT partition, change, reason, key_json, old_json::json ->> 'marker', new_json::json ->> 'marker', "
            "run_id FROM grade_revisions ORDER BY 1, 2, 3, 4"
        )
        with warehouse.reader() as reader:
            return reader.query(sql).rows
