"""What every process that changes the scratch book does: announce, act, record, and be struck at its steps."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from gradeonce.clock import Clock
from gradeonce.config import Settings
from gradeonce.errors import GradeonceError, TransientWarehouseError
from gradeonce.leases import LeaseEvent, LeaseStore
from gradeonce.torture.control import ControlFile, CutLeases, SkewedClock
from gradeonce.torture.history import Recorder
from gradeonce.torture.orders import Orders
from gradeonce.torture.places import place_of

CONTROL_FILE = "control.json"
HISTORY_FILE = "history.jsonl"


class Actor:
    """One life of one process. What it does in a turn is its heirs'.

    Guarantee: whatever it changes was announced in the history before, and whatever the warehouse acknowledged is there
    after, unless it was killed in between.
    """

    def __init__(self, orders: Orders, slot: int, life: int) -> None:
        folder = Path(orders.folder)
        self._orders, self._slot, self._life = orders, slot, life
        self._who = orders.name_of(slot, life)
        self._controls = ControlFile(folder / CONTROL_FILE)
        self._clock: Clock = SkewedClock(self._controls, slot)
        self._history = Recorder(folder / HISTORY_FILE, self._who)
        self._chance = random.Random(f"{orders.seed}/worker/{slot}/{life}")
        self._place = place_of(orders)
        self._warehouse = self._place.warehouse(self._clock, fenced=orders.algorithm == "gradeonce")
        store = None if orders.algorithm == "naive" else self._place.leases(self._clock)
        self._leases: LeaseStore | None = None if store is None else CutLeases(store, self._controls, slot)
        self._struck = 0
        self._run, self._reached = "", ""
        self._parent = os.getppid()

    def run(self) -> None:
        """Take turns until told to stop, or until nobody is left to tell."""
        turn = 0
        while not self._controls.read().stopping and os.getppid() == self._parent:
            turn += 1
            self.turn(turn)

    def turn(self, turn: int) -> None:
        """Do one piece of work; `turn` counts from 1 in each life."""
        raise NotImplementedError

    @property
    def _elapsed_seconds(self) -> float:
        """Seconds since the torture began, at the pace of the place: what is in play follows them."""
        return (time.monotonic() - self._orders.began_at) / self._orders.pace

    def _settings(self) -> Settings:
        """Return settings for the operations of gradeonce that ask for them."""
        return Settings(
            ttl_seconds=self._orders.lease_seconds,
            wait_seconds=2 * self._orders.lease_seconds,
            on_unavailable=self._orders.on_unavailable,
            threads=self._orders.threads,
        )

    def _give_up(self, what: str, error: GradeonceError, *, expected: bool) -> None:
        """Record that a turn of a keeper came to nothing; an error that nobody planned is a failure of the torture."""
        if expected:
            self._history.record("put_off", what=what, error=error.message)
        else:
            self._history.record("failed", run=what, shelves=[], error=error.message, expected=False)

    def _observe(self, event: LeaseEvent) -> None:
        if event.kind != "refused":
            self._history.record(
                event.kind,
                shelf=event.key,
                token=event.token,
                waited=round(event.seconds, 4),
                took_over=event.took_over,
            )

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
