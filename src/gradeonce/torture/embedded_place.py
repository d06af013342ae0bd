"""A torture of the embedded warehouse: a book of its own, beside the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gradeonce.clock import Clock
from gradeonce.torture.copies import COPIES, crates_in_play
from gradeonce.torture.orders import Orders
from gradeonce.torture.plan import Step
from gradeonce.torture.scratch_book import ScratchBook
from gradeonce.torture.shelves import TABLE, shelf
from gradeonce.torture.stores import InTheCatalog, lock_faults
from gradeonce.torture.unfenced_embedded import UnfencedWarehouse
from gradeonce.warehouses.base import Warehouse
from gradeonce.warehouses.embedded.catalog import CATALOG_FILE
from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse

_PUBLISH = (
    # Before the look at the lease that precedes the commit.
    Step("publish.based", 1),
    Step("publish.staged", 2),
    Step("publish.compared", 1),
    # Between that look and the commit: a pause here is what only a fence can catch.
    Step("seal.written", 3),
    Step("seal.torture_rows", 7),
    # Within the commit, where everybody else waits; and after it, before anybody was told.
    Step("commit.begun", 1, brief=True),
    Step("commit.pointed", 1, brief=True),
    Step("commit.ledgered", 1, brief=True),
    Step("commit.done", 3, brief=True),
)

_DEDUPE = (
    Step("dedupe.leased", 3),
    *(replace(step, name=step.name.replace(TABLE.name, COPIES.name)) for step in _PUBLISH),
)

_CONSOLIDATE = (
    Step("stage.read", 1),
    Step("consolidate.read", 1),
    Step("consolidate.leased", 3),
    # Between the look at the lease and the commit.
    Step("seal.written", 3),
    Step("land.staged", 5),
    Step("commit.begun", 1, brief=True),
    Step("commit.pointed", 1, brief=True),
    Step("commit.ledgered", 1, brief=True),
    Step("commit.done", 3, brief=True),
)

_STEPS = {"w": _PUBLISH, "d": _DEDUPE, "c": _CONSOLIDATE}


class EmbeddedPlace(ScratchBook):
    """A book of its own, beside the user's: on the same disk, with the same settings."""

    name = "a book in a folder"
    is_careless = False

    def __init__(self, orders: Orders) -> None:
        self._folder = Path(orders.folder) / "book"
        catalog = InTheCatalog(self._folder / CATALOG_FILE)
        super().__init__(orders, lock_faults(orders.store, in_the_book=catalog, name=orders.name))

    def steps(self, role: str) -> Sequence[Step]:
        """See `Place.steps`."""
        return _STEPS[role]

    def create(self) -> None:
        """See `Place.create`."""
        EmbeddedWarehouse.create(self._folder, allow_network_filesystem=self._orders.allow_network_filesystem)
        self.floors([shelf(0)])
        self._book.fences(COPIES, crates_in_play(0.0))
        self._locks.reach()

    def warm_up(self) -> None:
        """See `Place.warm_up`."""
        import duckdb  # noqa: F401 (imported for those who are forked)

        self._locks.warm_up()

    def warehouse(self, clock: Clock, *, fenced: bool) -> Warehouse:
        """See `Place.warehouse`."""
        build = EmbeddedWarehouse if fenced else UnfencedWarehouse
        return build(
            self._folder,
            clock=clock,
            threads=self._orders.threads,
            minimum_free_megabytes=self._orders.minimum_free_megabytes,
            allow_network_filesystem=self._orders.allow_network_filesystem,
        )

    def settle(self) -> None:
        """See `Place.settle`. What a process began ends with it."""

    def _open(self) -> Warehouse:
        return EmbeddedWarehouse(self._folder, allow_network_filesystem=self._orders.allow_network_filesystem)

    def _discard(self) -> None:
        """See `ScratchBook._discard`: it lies in the scratch folder."""
