"""How the nemesis reaches into a worker: a small file that it replaces and every worker reads at each step."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from gradeonce.clock import SystemClock
from gradeonce.errors import TransientWarehouseError
from gradeonce.leases.store import LeaseRecord, LeaseStore

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Blow:
    """A kill, a pause or a cut that a worker deals itself when it reaches a step."""

    number: int
    kind: str
    step: str


@dataclass(frozen=True)
class Controls:
    """What is switched on at present. Keys are the numbers of workers.

    Attributes:
        stopping: Everybody finishes what they do, and ends.
        cuts: Workers that cannot reach the lock store, and how (`before` or `after` it hears them).
        skews: Workers whose wall clock is off, and by how many seconds.
        blows: Workers that are to be struck at a step.
    """

    stopping: bool = False
    cuts: Mapping[int, str] = field(default_factory=dict)
    skews: Mapping[int, float] = field(default_factory=dict)
    blows: Mapping[int, Blow] = field(default_factory=dict)


def write_controls(path: Path, controls: Controls) -> None:
    """Replace the control file in one step, so that nobody reads half of it."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(controls)), encoding="utf-8")
    draft.replace(path)


class ControlFile:
    """The control file as a worker reads it: again only when it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] = (0, 0)
        self._controls = Controls()

    def read(self) -> Controls:
        """Return what is switched on now."""
        found = os.stat(self._path)  # noqa: PTH116 (an order of magnitude faster, at every step of every worker)
        if (found.st_ino, found.st_mtime_ns) != self._seen:
            self._seen = (found.st_ino, found.st_mtime_ns)
            raw = json.loads(self._path.read_text(encoding="utf-8"))
            self._controls = Controls(
                stopping=raw["stopping"],
                cuts={int(slot): mode for slot, mode in raw["cuts"].items()},
                skews={int(slot): seconds for slot, seconds in raw["skews"].items()},
                blows={int(slot): Blow(**blow) for slot, blow in raw["blows"].items()},
            )
        return self._controls


class SkewedClock(SystemClock):
    """The machine's clock, whose wall hand the nemesis may move. The monotonic hand runs on: it cannot be set."""

    def __init__(self, controls: ControlFile, slot: int) -> None:
        self._controls, self._slot = controls, slot

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._controls.read().skews.get(self._slot, 0.0))


class CutLeases:
    """A lock store that the nemesis may put out of reach, for any store behind it."""

    def __init__(self, store: LeaseStore, controls: ControlFile, slot: int) -> None:
        self._store, self._controls, self._slot = store, controls, slot

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """See `LeaseStore.try_acquire`."""
        return self._ask(lambda: self._store.try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=floor))

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.renew`."""
        return self._ask(lambda: self._store.renew(key, holder=holder, token=token))

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.release`."""
        return self._ask(lambda: self._store.release(key, holder=holder, token=token))

    def break_claim(self, key: str, *, token: int) -> bool:
        """See `LeaseStore.break_claim`."""
        return self._ask(lambda: self._store.break_claim(key, token=token))

    def records(self) -> list[LeaseRecord]:
        """See `LeaseStore.records`."""
        return self._ask(self._store.records)

    def close(self) -> None:
        """See `LeaseStore.close`."""
        self._store.close()

    def _ask(self, verb: Callable[[], _Answer]) -> _Answer:
        mode = self._controls.read().cuts.get(self._slot)
        if mode == "before":
            raise TransientWarehouseError("The lock store is out of reach: the nemesis cut the way to it.")
        answer = verb()
        if mode == "after":
            raise TransientWarehouseError("The lock store's answer was lost: the nemesis cut the way back.")
        return answer


def without(controls: Controls, slot: int) -> Controls:
    """Return the controls with no blow waiting for this worker."""
    return replace(controls, blows={other: blow for other, blow in controls.blows.items() if other != slot})
