"""The readers of a torture: they look over and over, and record what stood there, each look as of one instant."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from gradeonce.torture.actor import CONTROL_FILE, HISTORY_FILE
from gradeonce.torture.batches import batches_in_play, look_at_batches
from gradeonce.torture.control import ControlFile, SkewedClock
from gradeonce.torture.copies import crates_in_play, look_at_crates
from gradeonce.torture.history import Recorder
from gradeonce.torture.orders import Orders
from gradeonce.torture.places import place_of
from gradeonce.torture.shelves import in_play, look
from gradeonce.warehouses.base import Warehouse


def read_over_and_over(orders: Orders, number: int) -> None:
    """Look at what is in play until told to stop."""
    folder = Path(orders.folder)
    controls = ControlFile(folder / CONTROL_FILE)
    warehouse = place_of(orders).warehouse(SkewedClock(controls, -1), fenced=True)
    parent = os.getppid()
    turn = number
    with Recorder(folder / HISTORY_FILE, f"r{number}") as history:
        while not controls.read().stopping and os.getppid() == parent:
            turn += 1
            began = time.monotonic()
            shelves = in_play((began - orders.began_at) / orders.pace, before=1)
            seen = look(warehouse, shelves)
            history.record("looked", began=round(began, 6), asked=shelves, shelves=seen)
            elapsed = (time.monotonic() - orders.began_at) / orders.pace
            if orders.keepers and turn % 2:
                see_crates(warehouse, crates_in_play(elapsed, before=1), history)
            elif orders.keepers:
                see_batches(warehouse, batches_in_play(elapsed, before=1), history)
            # Readers look without end, but leave the processors to the workers in between.
            time.sleep(orders.breath_seconds)


def see_crates(warehouse: Warehouse, crates: Sequence[str], history: Recorder) -> None:
    """Look at crates and record it."""
    began = time.monotonic()
    seen = look_at_crates(warehouse, crates)
    history.record("saw_copies", began=round(began, 6), asked=list(crates), crates=seen)


def see_batches(warehouse: Warehouse, batches: Sequence[str], history: Recorder, *, is_last: bool = False) -> None:
    """Look at batches and record it."""
    began = time.monotonic()
    seen = look_at_batches(warehouse, batches)
    history.record("saw_batches", began=round(began, 6), asked=list(batches), is_last=is_last, **seen)
