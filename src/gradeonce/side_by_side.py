"""Work in several threads that ends as one: when any of it must stop, all of it does, before the caller hears why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from threading import Event
from typing import TypeVar

from gradeonce.clock import Clock

Result = TypeVar("Result")

CANCEL_EVERY_SECONDS = 0.1


class Stopped(BaseException):
    """The other threads stop, so this one does. Not an Exception: nothing on the way may take it for a failure."""


class Brake:
    """Tells threads to stop; each does so where it next looks."""

    def __init__(self) -> None:
        self._pulled = Event()

    def pull(self) -> None:
        """Have everybody stop."""
        self._pulled.set()

    def check(self) -> None:
        """Raise Stopped if we are to stop."""
        if self._pulled.is_set():
            raise Stopped


class BrakedClock:
    """A clock on which nobody sleeps on once the brake was pulled."""

    def __init__(self, clock: Clock, brake: Brake) -> None:
        self._clock, self._brake = clock, brake

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._brake.check()
        self._clock.sleep(seconds)
        self._brake.check()


def run_side_by_side(
    tasks: Sequence[Callable[[], Result]],
    *,
    at_once: int,
    brake: Brake,
    cancel: Callable[[], None],
    on_done: Callable[[int, Result], None],
) -> None:
    """Run tasks in threads, so many at once, in their order.

    Guarantee: when it returns or raises, no task runs any more. The first exception (a task's, `on_done`'s, or one that
    a signal raises in this thread, as Ctrl-C does) stops all tasks and is raised when they have ended.

    Args:
        tasks: Each looks at the brake often enough.
        at_once: Threads.
        brake: Pulled when the tasks are to stop.
        cancel: Ends what a task waits for elsewhere; called again and again until every task has ended.
        on_done: Called in this thread, with the place of a task and what it returned, as each ends.
    """
    running: dict[Future[Result], int] = {}
    with ThreadPoolExecutor(at_once, thread_name_prefix="gradeonce") as pool:
        try:
            for place, task in enumerate(tasks):
                running[pool.submit(task)] = place
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    on_done(running.pop(future), future.result())
        except BaseException:
            brake.pull()
            _stop(running, cancel)
            raise


def _stop(running: Iterable[Future[Result]], cancel: Callable[[], None]) -> None:
    left = set(running)
    for future in left:
        future.cancel()
    while left:
        try:
            cancel()
            left = wait(left, timeout=CANCEL_EVERY_SECONDS).not_done
        except BaseException as error:
            if isinstance(error, Exception):
                raise
            # A further signal: the threads are waited for all the same, and it is we who end what they wait for.
