"""The warehouses that ship, each held to the same suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import FakeClock, files_of, live_files, new_book, shelf_query
from conformance.derived import DerivedConformance
from conformance.publishing import DAY, PublishConformance
from conformance.small_tables import SmallTablesConformance
from gradeonce.errors import LeaseLost
from gradeonce.warehouses.base import Warehouse
from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse


class TestEmbedded(PublishConformance, DerivedConformance, SmallTablesConformance):
    """The book in a folder."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return new_book(tmp_path / "book")

    @pytest.fixture
    def warehouse(self, folder: Path) -> Iterator[Warehouse]:
        warehouse = EmbeddedWarehouse(folder, threads=1, clock=FakeClock())
        yield warehouse
        warehouse.close()

    @pytest.fixture
    def neighbour(self, folder: Path) -> Iterator[Warehouse]:
        neighbour = EmbeddedWarehouse(folder, threads=1, clock=FakeClock())
        yield neighbour
        neighbour.close()

    def test_an_unchanged_publish_writes_no_file(self, warehouse: Warehouse, folder: Path) -> None:
        """The files before and after are the same, and nothing is left in staging."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one")
        before = files_of(folder)
        self.publish(warehouse, shelf_query([DAY], 1), run_id="two")

        assert files_of(folder) == before == live_files(folder)

    def test_a_refused_publish_leaves_no_file(self, warehouse: Warehouse, folder: Path) -> None:
        """Neither staged nor sealed files of a run that lost its lease stay behind."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one", tokens={DAY: 1})

        def successor() -> None:
            self.publish(warehouse, shelf_query([DAY], 3), run_id="three", tokens={DAY: 3})

        with pytest.raises(LeaseLost):
            self.publish(warehouse, shelf_query([DAY], 2), run_id="two", tokens={DAY: 2}, guard=successor)

        assert files_of(folder) == live_files(folder)

    def test_a_dry_run_leaves_no_file(self, warehouse: Warehouse, folder: Path) -> None:
        """What was staged to look at is gone."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one")
        before = files_of(folder)
        self.publish(warehouse, shelf_query([DAY], 2), run_id="two", dry_run=lambda *_: None)

        assert files_of(folder) == before
