"""Threads that work side by side end as one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gradeonce.clock import FakeClock
from gradeonce.side_by_side import Brake, BrakedClock, Stopped, run_side_by_side

PATIENCE_SECONDS = 120.0


def no_cancel() -> None:
    raise AssertionError("nothing was to be cancelled")


def test_so_many_tasks_run_at_once_and_each_is_told_of_once() -> None:
    """Two at once meet at a barrier of two, three times; the caller's own thread hears of each."""
    meeting = threading.Barrier(2)
    told = []

    def task(number: int) -> Callable[[], int]:
        def work() -> int:
            meeting.wait(PATIENCE_SECONDS)
            return number * 10

        return work

    def done(place: int, result: int) -> None:
        told.append((place, result, threading.current_thread() is threading.main_thread()))

    run_side_by_side([task(n) for n in range(6)], at_once=2, brake=Brake(), cancel=no_cancel, on_done=done)

    assert sorted(told) == [(n, n * 10, True) for n in range(6)]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_whatever_is_raised_ends_all_and_is_raised_when_they_have_ended(error: type[BaseException]) -> None:
    """One task is told of, which raises; two wait for a server, which is cancelled; the fourth never starts."""
    brake, cancelled, begun = Brake(), threading.Event(), threading.Event()
    ended: list[str] = []

    def ends() -> None:
        # A task that has not begun would never do so.
        assert begun.wait(PATIENCE_SECONDS)

    def waits() -> None:
        begun.set()
        assert cancelled.wait(PATIENCE_SECONDS)
        time.sleep(0.3)
        ended.append("waited")
        brake.check()
        ended.append("went on")

    def done(place: int, result: None) -> None:
        raise error

    tasks = [ends, waits, waits, lambda: ended.append("started")]
    with pytest.raises(error):
        run_side_by_side(tasks, at_once=2, brake=brake, cancel=cancelled.set, on_done=done)

    # The second of them may not have started yet.
    assert ended in (["waited"], ["waited", "waited"])


def test_interrupted_again_it_goes_on_ending_the_tasks() -> None:
    """Ctrl-C and SIGTERM come while it cancels what two tasks wait for; only then does the server hear it."""

    class Terminated(BaseException):
        pass

    brake, cancelled, all_begun = Brake(), threading.Event(), threading.Barrier(3)
    presses = iter([KeyboardInterrupt, Terminated])
    ended: list[bool] = []

    def cancel() -> None:
        for press in presses:
            raise press
        cancelled.set()

    def ends() -> None:
        # A task that has not begun would never do so.
        all_begun.wait(PATIENCE_SECONDS)

    def waits() -> None:
        all_begun.wait(PATIENCE_SECONDS)
        ended.append(cancelled.wait(PATIENCE_SECONDS))

    def done(place: int, result: None) -> None:
        raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        run_side_by_side([ends, waits, waits], at_once=3, brake=brake, cancel=cancel, on_done=done)

    assert ended == [True, True]


def test_a_thread_that_cannot_be_started_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first task works already, and would go on to its end."""
    brake, begun, stopped = Brake(), threading.Event(), threading.Event()

    def works() -> None:
        begun.set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                brake.check()
            except Stopped:
                stopped.set()
                raise
            time.sleep(0.001)

    submit = ThreadPoolExecutor.submit

    def submit_once(pool: ThreadPoolExecutor, task: Callable[[], None]) -> Future[None]:
        if task is not works:
            assert begun.wait(PATIENCE_SECONDS)
            raise RuntimeError("can't start new thread")
        return submit(pool, task)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit_once)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run_side_by_side(
            [works, lambda: None], at_once=2, brake=brake, cancel=lambda: None, on_done=lambda place, result: None
        )

    assert stopped.is_set()


def test_an_exception_of_a_task_stops_the_others() -> None:
    """The one that failed is the one to tell; the other stops where it looks at the brake."""
    brake, begun = Brake(), threading.Event()
    stopped = []

    def fails() -> None:
        assert begun.wait(PATIENCE_SECONDS)
        raise ValueError("of the task")

    def loops() -> None:
        begun.set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while time.monotonic() < deadline:
                brake.check()
                time.sleep(0.001)
        except Stopped:
            stopped.append(True)
            raise

    with pytest.raises(ValueError, match="of the task"):
        run_side_by_side(
            [loops, fails], at_once=2, brake=brake, cancel=lambda: None, on_done=lambda place, result: None
        )
    assert stopped == [True]


def test_nobody_sleeps_on_a_braked_clock_once_the_brake_was_pulled() -> None:
    """Before, it is the clock it was made of."""
    clock, brake = FakeClock(), Brake()
    braked = BrakedClock(clock, brake)
    braked.sleep(2.0)
    assert (braked.now(), braked.monotonic()) == (clock.now(), 2.0)

    brake.pull()

    with pytest.raises(Stopped):
        braked.sleep(1.0)
    assert clock.slept == [2.0]
