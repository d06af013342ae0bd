"""The alert suite over the embedded book and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import FakeClock, new_book
from conformance.alert_memory import AlertMemorySuite
from gradeonce.warehouses.base import Warehouse
from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse
from postgres_book import schema
from servers import Postgres

__all__ = ["schema"]


class TestEmbeddedAlerts(AlertMemorySuite):
    """In the book's catalog."""

    @pytest.fixture
    def warehouse(self, tmp_path: Path) -> Iterator[Warehouse]:
        """An empty book."""
        warehouse = EmbeddedWarehouse(new_book(tmp_path / "book"), clock=FakeClock())
        yield warehouse
        warehouse.close()


class TestPostgresAlerts(AlertMemorySuite):
    """In tables of a real server."""

    @pytest.fixture
    def warehouse(self, postgres: Postgres, schema: str) -> Iterator[Warehouse]:
        """An empty book in a schema of its own."""
        from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse

        warehouse = PostgresWarehouse(postgres.url, schema=schema)
        yield warehouse
        warehouse.close()
