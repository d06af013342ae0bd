"""What the processes of a torture do: workers publish over and over, readers look over and over."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from gradeonce.errors import (
    GradeonceError,
    LeaseHeld,
    LeaseLost,
    PublishConflict,
    TransientWarehouseError,
    WarehouseError,
)
from gradeonce.leases import Lease, LeaseEvent, acquire_all
from gradeonce.publish import publish
from gradeonce.torture.control import ControlFile, CutLeases, SkewedClock
from gradeonce.torture.history import Recorder
from gradeonce.torture.orders import Orders
from gradeonce.torture.places import place_of
from gradeonce.torture.shelves import TABLE, Version, in_play, look, pick

CONTROL_FILE = "control.json"
HISTORY_FILE = "history.jsonl"

AGAIN = 0.3
"""Share of publishes that are followed at once by one of the same content, which must come out unchanged."""

REFUSED_SECONDS = 0.1
"""How long a worker that must not go on without a lock store waits before it asks again."""

BREATH_SECONDS = 0.02
"""Readers look without end, but leave the processors to the workers in between."""


class Worker:
    """One life of one worker.

    Guarantee: whatever it publishes was announced in the history before (`attempt`), and whatever the warehouse
    acknowledged is there after (`acknowledged`), unless it was killed in between.
    """

    def __init__(self, orders: Orders, slot: int, life: int) -> None:
        folder = Path(orders.folder)
        self._orders, self._slot, self._life = orders, slot, life
        self._controls = ControlFile(folder / CONTROL_FILE)
        self._clock = SkewedClock(self._controls, slot)
        self._history = Recorder(folder / HISTORY_FILE, f"w{slot}.{life}")
        self._chance = random.Random(f"{orders.seed}/worker/{slot}/{life}")
        self._place = place_of(orders)
        self._warehouse = self._place.warehouse(self._clock, fenced=orders.algorithm == "gradeonce")
        store = None if orders.algorithm == "naive" else self._place.leases(self._clock)
        self._leases = None if store is None else CutLeases(store, self._controls, slot)
        self._struck = 0
        self._run, self._reached = "", ""
        self._parent = os.getppid()

    def run(self) -> None:
        """Publish until told to stop, or until nobody is left to tell."""
        turn = 0
        while not self._controls.read().stopping and os.getppid() == self._parent:
            turn += 1
            shelves = pick(time.monotonic() - self._orders.began_at, self._chance)
            self._turn(Version.of(self._slot, self._life, turn), shelves)

    def _turn(self, version: Version, shelves: Sequence[str]) -> None:
        """Take the leases, publish one version, at times the same once more, and let the leases go."""
        with ExitStack() as stack:
            try:
                leases = self._acquire(stack, shelves)
            except LeaseHeld as error:
                self._history.record("held", shelves=list(shelves), token=error.token, holder=error.holder)
                return
            except WarehouseError as error:
                # [lock] on_unavailable = "fail": a turn without a publish.
                self._history.record("unreachable", shelves=list(shelves), error=error.message)
                self._clock.sleep(REFUSED_SECONDS)
                return
            if self._publish(version.name, version, shelves, leases) and self._chance.random() < AGAIN:
                self._publish(f"{version.name}-again", version, shelves, leases)

    def _acquire(self, stack: ExitStack, shelves: Sequence[str]) -> list[Lease]:
        """Return the leases; none without a lock store, or when it is out of reach and the settings say to go on."""
        if self._leases is None:
            return []
        floors = self._place.floors(shelves)
        try:
            return stack.enter_context(
                acquire_all(
                    self._leases,
                    list(floors.items()),
                    ttl_seconds=self._orders.lease_seconds,
                    holder=f"w{self._slot}.{self._life}",
                    wait_seconds=2 * self._orders.lease_seconds,
                    clock=self._clock,
                    seed=self._chance.randrange(1 << 30),
                    observer=self._observe,
                )
            )
        except WarehouseError as error:
            if self._orders.on_unavailable == "fail" or self._orders.algorithm == "lock-only":
                raise
            self._history.record("unlocked", shelves=list(shelves), error=error.message)
            return []

    def _observe(self, event: LeaseEvent) -> None:
        if event.kind != "refused":
            self._history.record(
                event.kind,
                shelf=event.key,
                token=event.token,
                waited=round(event.seconds, 4),
                took_over=event.took_over,
            )

    def _publish(self, name: str, version: Version, shelves: Sequence[str], leases: Sequence[Lease]) -> bool:
        tokens = {lease.key: lease.token for lease in leases}
        # A run's files and revisions carry its name; a retry adds "-2" to it, which the judge takes off again.
        run_id = name.replace("-", "_")
        self._run, self._reached = run_id, ""
        self._history.record(
            "attempt",
            run=run_id,
            version=version.name,
            rows=version.rows,
            checksum=version.checksum,
            shelves=list(shelves),
            tokens=tokens,
        )
        try:
            done = publish(
                self._warehouse,
                TABLE,
                version.query(shelves, run_id),
                list(shelves),
                run_id=run_id,
                tokens=tokens or None,
                holder=f"w{self._slot}.{self._life}",
                guard=_guard(leases),
                clock=self._clock,
                on_step=self._on_step,
                seed=self._chance.randrange(1 << 30),
            )
        except LeaseLost as error:
            # Without a lease nobody is stale: somebody who had one came in between.
            reason = error.reason if leases else "outrun"
            self._history.record(
                "refused", run=run_id, shelves=list(shelves), tokens=tokens, reason=reason, error=error.message
            )
            return False
        except PublishConflict as error:
            self._history.record(
                "refused", run=run_id, shelves=list(shelves), tokens=tokens, reason="conflict", error=error.message
            )
            return False
        except GradeonceError as error:
            self._history.record(
                "failed", run=run_id, shelves=list(shelves), error=error.message, expected=error.is_transient
            )
            return False
        self._history.record(
            "acknowledged",
            run=run_id,
            shelves={
                name: {"status": part.status.value, "token": part.token, "seq": part.seq} for name, part in done.items()
            },
        )
        return True

    def _on_step(self, name: str) -> None:
        """Take note of a publish that starts again; die, stop or lose the way here, if the nemesis wants that."""
        if name == "publish.based" and self._reached:
            self._history.record("again", run=self._run, after=self._reached)
        self._reached = name
        blow = self._controls.read().blows.get(self._slot)
        if blow is None or blow.step != name or blow.number == self._struck:
            return
        self._struck = blow.number
        if blow.kind == "cut":
            self._history.record(
                "fault", fault="cut", number=blow.number, workers=[self._slot], step=name, seconds=0.0, mode=""
            )
            raise TransientWarehouseError(f"The nemesis cut the way to the warehouse at {name}.")
        self._history.record("reached", step=name, fault=blow.number)
        os.kill(os.getpid(), signal.SIGKILL if blow.kind == "kill" else signal.SIGSTOP)


def _guard(leases: Sequence[Lease]) -> Callable[[], None] | None:
    def check() -> None:
        for lease in leases:
            lease.check()

    return check if leases else None


def read_over_and_over(orders: Orders, number: int) -> None:
    """Look at the shelves in play until told to stop, and record what stood there, each look as of one instant."""
    folder = Path(orders.folder)
    controls = ControlFile(folder / CONTROL_FILE)
    warehouse = place_of(orders).warehouse(SkewedClock(controls, -1), fenced=True)
    parent = os.getppid()
    with Recorder(folder / HISTORY_FILE, f"r{number}") as history:
        while not controls.read().stopping and os.getppid() == parent:
            began = time.monotonic()
            shelves = in_play(began - orders.began_at, before=1)
            seen = look(warehouse, shelves)
            history.record("looked", began=round(began, 6), asked=shelves, shelves=seen)
            time.sleep(BREATH_SECONDS)
