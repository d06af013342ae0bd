"""A torture of the BigQuery warehouse: in a dataset of its own in the user's project."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit, urlunsplit

from gradeonce.chain import Entry
from gradeonce.clock import Clock
from gradeonce.errors import TransientWarehouseError
from gradeonce.leases import LeaseStore
from gradeonce.leases.opening import store_beside
from gradeonce.model import Copies, EntryDraft, Move
from gradeonce.schema import REVISIONS
from gradeonce.torture.orders import Orders
from gradeonce.torture.plan import Step
from gradeonce.torture.scratch_book import ScratchBook
from gradeonce.torture.shelves import shelf
from gradeonce.torture.stores import Off, firestore_url, lock_faults
from gradeonce.torture.team_locks import TeamLocks
from gradeonce.torture.unfenced_bigquery import UnfencedBigQuery
from gradeonce.warehouses.base import OnStep, Params, Warehouse
from gradeonce.warehouses.bigquery import layout
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.stage import BigQueryStage
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse

SETTLE_SECONDS = 120.0
SETTLE_POLL_SECONDS = 0.2

_PUBLISH = (
    # Before the look at the lease that precedes the commit.
    Step("publish.based", 1),
    Step("publish.staged", 2),
    Step("publish.compared", 1),
    # Between that look and the script: a pause here is what only a fence can catch. A cut: BigQuery never hears of it.
    Step("commit.begun", 9, cut=True),
    # BigQuery has the script and runs it, whatever becomes of us. A cut: we are not told what came of it, and come
    # again while it is still under way.
    Step("commit.sent", 4, brief=True, cut=True),
    # It is done, and nobody was told.
    Step("commit.done", 2, brief=True, cut=True),
)

_JOBS = (
    Step("publish.staged", 2),
    Step("commit.begun", 4),
    # Without a transaction there is a time between DELETE and INSERT.
    Step("commit.removed", 4),
    Step("commit.done", 1, brief=True),
)


class BigQueryPlace(ScratchBook):
    """A dataset of its own, with the tables that a publish needs; it is deleted at the end."""

    name = "a book in BigQuery"

    def __init__(self, orders: Orders) -> None:
        parts = urlsplit(orders.server)
        self._url = urlunsplit(parts._replace(path=f"/{orders.name}"))
        super().__init__(orders, lock_faults(orders.store, in_the_book=_NoLeases(orders.server), name=orders.name))
        self.is_careless = orders.algorithm == "lock-only" and orders.store.startswith("firestore")

    def steps(self, role: str) -> Sequence[Step]:
        """See `Place.steps`."""
        return _PUBLISH if self._orders.algorithm == "gradeonce" else _JOBS

    def create(self) -> None:
        """See `Place.create`."""
        # Leases first: a store that is out of reach must not cost a dataset.
        self._locks.reach()
        connection = Connection(self._url)
        try:
            layout.make_bare(connection, [REVISIONS])
        finally:
            connection.close()
        self.floors([shelf(0)])

    def warm_up(self) -> None:
        """See `Place.warm_up`."""
        import google.cloud.bigquery  # noqa: F401 (imported for those who are forked)

        self._locks.warm_up()

    def warehouse(self, clock: Clock, *, fenced: bool) -> Warehouse:
        """See `Place.warehouse`."""
        build = StruckBigQuery if fenced else UnfencedBigQuery
        return build(self._url, clock=clock, threads=self._orders.threads)

    def leases(self, clock: Clock) -> LeaseStore | None:
        """See `Place.leases`."""
        if self.is_careless:
            return TeamLocks(firestore_url(self._orders.store, self._orders.name), clock=clock)
        return super().leases(clock)

    def settle(self) -> None:
        """See `Place.settle`. BigQuery goes on with the script of a process that was killed."""
        connection = Connection(self._url)
        try:
            wait_until_idle(connection)
        finally:
            connection.close()

    def _open(self) -> Warehouse:
        return BigQueryWarehouse(self._url)

    def _discard(self) -> None:
        connection = Connection(self._url)
        try:
            connection.delete_dataset()
        finally:
            connection.close()


def wait_until_idle(connection: Connection) -> None:
    """Wait until no job is under way in the dataset, whoever sent it.

    Raises:
        TransientWarehouseError: If that takes too long.
    """
    gives_up_at = time.monotonic() + SETTLE_SECONDS
    while connection.is_busy():
        if time.monotonic() > gives_up_at:
            raise TransientWarehouseError(f"BigQuery is still at work after {SETTLE_SECONDS:.0f} s.")
        time.sleep(SETTLE_POLL_SECONDS)


class _NoLeases(Off):
    """What `sqlite` means for this book: an error that says where leases may be."""

    def __init__(self, book: str) -> None:
        self._book = book

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        return store_beside(self._book, "")


class StruckConnection(Connection):
    """The real connection, which tells when BigQuery has taken the script of a commit and not yet answered.

    Attributes:
        on_sent: Called then; None while no commit is under way.
    """

    on_sent: Callable[[], None] | None = None

    def execute(self, sql: str, params: Params | None = None) -> int:
        """See `Connection.execute`. A commit is sent by one request and asked for by another."""
        if self.on_sent is None:
            return super().execute(sql, params)
        return self.execute_apart(sql, params, on_sent=self.on_sent)


class StruckStage(BigQueryStage):
    """The real stage, with one more step in the middle of a commit."""

    def commit(
        self, moves: Sequence[Move], entries: Sequence[EntryDraft], *, copies: Copies = Copies.NONE, on_step: OnStep
    ) -> list[Entry]:
        """See `Stage.commit`."""
        connection = self._connection
        assert isinstance(connection, StruckConnection)
        connection.on_sent = lambda: on_step("commit.sent")
        try:
            return super().commit(moves, entries, copies=copies, on_step=on_step)
        finally:
            connection.on_sent = None


class StruckBigQuery(BigQueryWarehouse):
    """The real warehouse, that can also be struck while BigQuery is at work on a commit."""

    stage_type = StruckStage

    def __init__(
        self, url: str, *, clock: Clock | None = None, threads: int = 0, maximum_bytes_billed: int = 0
    ) -> None:
        super().__init__(url, clock=clock, threads=threads)
        self._connection = StruckConnection(url, maximum_bytes_billed=maximum_bytes_billed)
