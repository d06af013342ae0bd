"""Real processes, spawned once, that start each round at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from builders import open_book
from gradeonce.errors import GradeonceError
from gradeonce.warehouses.embedded import warehouse as embedded
from races.jobs import ENDLESS, JOBS
from races.unfenced import fence_switched_off

PATIENCE_SECONDS = 300.0
"""After this a stuck round fails instead of hanging."""

_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Stand:
    """What the workers open, and how.

    Attributes:
        folder: The book.
        fenced: False gives the workers the build without the fence.
        meet_at: A step that no worker passes, the first time in a round, before all have reached it.
        settings: Of the book.
    """

    folder: Path
    fenced: bool = True
    meet_at: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


class Crew:
    """Workers that wait for rounds. Always used as a context: no worker outlives it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.stop = _spawn.Event()
        # Kept here: a semaphore that nobody holds in this process is gone before the workers have opened it.
        self._barrier = _spawn.Barrier(size)
        pipes = [_spawn.Pipe() for _ in range(size)]
        self._ours = [ours for ours, _ in pipes]
        self._processes = [
            _spawn.Process(target=_serve, args=(theirs, self._barrier, self.stop), daemon=True) for _, theirs in pipes
        ]

    def __enter__(self) -> Crew:
        for process in self._processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()

    def stand_at(self, stand: Stand) -> None:
        """Have every worker close the book it has, and open this one."""
        for ours in self._ours:
            ours.send(stand)

    def start(self, jobs: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Give each worker its job; all of them begin when the last one is ready."""
        self.stop.clear()
        for ours, job in zip(self._ours, jobs, strict=True):
            ours.send(job)

    def has_answered(self, worker: int) -> bool:
        """Say whether a worker's result can be had without waiting."""
        return self._ours[worker].poll()

    def result(self, worker: int) -> dict[str, Any]:
        """Return what one worker brought back: what its job returned, or {"error": name, "message": text}."""
        if not self._ours[worker].poll(PATIENCE_SECONDS):
            raise AssertionError(f"worker {worker} did not answer in {PATIENCE_SECONDS:.0f} s")
        answer: dict[str, Any] = self._ours[worker].recv()
        return answer

    def round(self, jobs: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Run one job per worker, all at once, and return what they brought back."""
        self.start(jobs)
        return [self.result(worker) for worker in range(self.size)]


class _Worker:
    """One process: at a book, until it is told to stand at another."""

    def __init__(self, orders: Connection, barrier: Barrier, stop: Event) -> None:
        self._orders, self._barrier, self._stop = orders, barrier, stop
        self._met = False
        self._meet_at = ""

    def serve(self) -> None:
        stand = self._orders.recv()
        while True:
            stand = self._at(stand)

    def _at(self, stand: Stand) -> Stand:
        self._meet_at = stand.meet_at
        with ExitStack() as stack:
            if not stand.fenced:
                stack.enter_context(fence_switched_off())
            book = stack.enter_context(open_book(stand.folder, on_step=self._on_step, **stand.settings))
            while True:
                order = self._orders.recv()
                if isinstance(order, Stand):
                    return order
                name, values = order
                self._met = False
                more = {"stop": self._stop} if name in ENDLESS else {}
                self._barrier.wait(PATIENCE_SECONDS)
                try:
                    answer = JOBS[name](book, self._on_step, **values, **more)
                except GradeonceError as error:
                    answer = {"error": type(error).__name__, "message": str(error)}
                self._orders.send(answer)

    def _on_step(self, name: str) -> None:
        if name == self._meet_at and not self._met:
            self._met = True
            self._barrier.wait(PATIENCE_SECONDS)


def _serve(orders: Connection, barrier: Barrier, stop: Event) -> None:
    embedded.open_engine = _kept_engine
    _Worker(orders, barrier, stop).serve()


@cache
def _engine() -> DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": "1"})


@contextmanager
def _kept_engine(**_: object) -> Iterator[DuckDBPyConnection]:
    """Hand out the worker's one engine: starting one takes longer than all that is raced here.

    What a run puts in view is temporary, and gone with its cursor. A reader locks the settings of its engine for good,
    so whoever comes after it gets another one.
    """
    with _engine().cursor() as cursor:
        yield cursor
        if cursor.execute("SELECT current_setting('lock_configuration')").fetchone() == (True,):
            _engine.cache_clear()
