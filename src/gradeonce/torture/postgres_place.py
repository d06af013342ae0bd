"""A torture of the PostgreSQL warehouse: in a schema of its own in the user's database."""

from __future__ import annotations

from collections.abc import Sequence

from gradeonce.chain import Entry
from gradeonce.clock import Clock
from gradeonce.config import mask_secrets
from gradeonce.errors import TransientWarehouseError
from gradeonce.model import Copies, EntryDraft, Move
from gradeonce.statements import quote_identifier
from gradeonce.torture.copies import COPIES, crates_in_play
from gradeonce.torture.orders import LEASE_SECONDS, Orders
from gradeonce.torture.plan import Step
from gradeonce.torture.scratch_book import ScratchBook
from gradeonce.torture.shelves import TABLE, shelf
from gradeonce.torture.stores import InPostgres, lock_faults
from gradeonce.torture.unfenced_postgres import UnfencedPostgres
from gradeonce.warehouses.base import OnStep, Warehouse
from gradeonce.warehouses.postgres.connection import Connections
from gradeonce.warehouses.postgres.stage import PostgresStage
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse

PATIENCE_SECONDS = 1.3 * LEASE_SECONDS
"""How long the server lets a commit that holds the fence stand still, before it takes it back.

The real commit allows half a minute. Pauses inside the commit last 1.2 to 1.4 lengths of a lease, so some go on where
they were, and others wake up to a transaction that is no more.
"""

DROP_SECONDS = 60


_PUBLISH = (
    # Before the look at the lease that precedes the commit.
    Step("publish.based", 1),
    Step("publish.staged", 2),
    Step("publish.compared", 1),
    # Between that look and the fence: a pause here is what only a fence can catch.
    Step("commit.begun", 10),
    # With the fence in hand, where everybody who wants it waits; and after the commit, before anybody was told.
    Step("commit.fenced", 1, brief=True),
    Step("commit.removed", 1, brief=True),
    Step("commit.pointed", 1, brief=True, cut=True),
    Step("commit.ledgered", 1, brief=True),
    Step("commit.done", 3, brief=True, cut=True),
)

_DEDUPE = (Step("dedupe.leased", 3), *_PUBLISH)

_CONSOLIDATE = (
    Step("stage.read", 1),
    Step("consolidate.read", 1),
    Step("consolidate.leased", 3),
    Step("land.sent", 5),
    # With the fences in hand.
    Step("land.locked", 1, brief=True),
    Step("land.staged", 1, brief=True, cut=True),
    Step("commit.fenced", 1, brief=True),
    Step("commit.pointed", 1, brief=True, cut=True),
    Step("commit.ledgered", 1, brief=True),
    Step("commit.done", 3, brief=True, cut=True),
)

_STEPS = {"w": _PUBLISH, "d": _DEDUPE, "c": _CONSOLIDATE}


class PostgresPlace(ScratchBook):
    """A schema of its own, with the tables that `gradeonce init` makes; it is dropped at the end."""

    name = "a book in PostgreSQL"
    is_careless = False

    def __init__(self, orders: Orders) -> None:
        self._schema = orders.name
        leases = InPostgres(orders.server, f"{self._schema}.leases")
        super().__init__(orders, lock_faults(orders.store, in_the_book=leases, name=orders.name))

    def steps(self, role: str) -> Sequence[Step]:
        """See `Place.steps`."""
        return _STEPS[role]

    def create(self) -> None:
        """See `Place.create`."""
        PostgresWarehouse.create(self._orders.server, schema=self._schema)
        self.floors([shelf(0)])
        self._book.fences(COPIES, crates_in_play(0.0))
        if self._orders.algorithm != "gradeonce":
            # The index that refuses a second row of a key: many a table in the field has none.
            self._execute(f"DROP INDEX {quote_identifier(self._schema)}.{quote_identifier(f'{TABLE.name}_key')}")
        self._locks.reach()

    def warm_up(self) -> None:
        """See `Place.warm_up`."""
        import psycopg  # noqa: F401 (imported for those who are forked)

        if self._orders.keepers:
            import duckdb  # noqa: F401 (consolidators read files by it)
        self._locks.warm_up()

    def warehouse(self, clock: Clock, *, fenced: bool) -> Warehouse:
        """See `Place.warehouse`."""
        build = ImpatientPostgres if fenced else UnfencedPostgres
        return build(self._orders.server, schema=self._schema)

    def settle(self) -> None:
        """See `Place.settle`. The server takes back what a connection began that is gone."""

    def _open(self) -> Warehouse:
        return PostgresWarehouse(self._orders.server, schema=self._schema)

    def _discard(self) -> None:
        drop = f"DROP SCHEMA IF EXISTS {quote_identifier(self._schema)} CASCADE"
        try:
            self._execute(drop)
        except TransientWarehouseError as error:
            raise TransientWarehouseError(
                f"The schema of the torture could not be dropped from {mask_secrets(self._orders.server)}: "
                f"{error.message}",
                state="Nothing else was touched.",
                hint=f"Drop it by hand: {drop};",
            ) from error

    def _execute(self, sql: str) -> None:
        connections = Connections(self._orders.server, self._schema)
        try:
            with connections.transaction() as session:
                session.execute(f"SET LOCAL lock_timeout TO '{DROP_SECONDS}s'")
                session.execute(sql)
                session.commit()
        finally:
            connections.close()


class ImpatientStage(PostgresStage):
    """The real stage, with less patience from the moment on in which it holds the fence."""

    def commit(
        self, moves: Sequence[Move], entries: Sequence[EntryDraft], *, copies: Copies = Copies.NONE, on_step: OnStep
    ) -> list[Entry]:
        """See `Stage.commit`."""

        def shortened(step: str) -> None:
            if step == "commit.fenced":
                patience = f"{PATIENCE_SECONDS * 1000:.0f}ms"
                self._session.execute(f"SET LOCAL idle_in_transaction_session_timeout TO '{patience}'")
            on_step(step)

        return super().commit(moves, entries, copies=copies, on_step=shortened)


class ImpatientPostgres(PostgresWarehouse):
    """The real warehouse; only the time for which a commit may stand still is cut, so that it runs out at times."""

    stage_type = ImpatientStage
