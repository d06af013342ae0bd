"""Ctrl-C during a torture: held back or let through, and never lost."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gradeonce.config import Settings
from gradeonce.torture import TortureOptions, run, run_torture
from gradeonce.torture.interrupts import Interrupts


def press() -> None:
    """Press Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def handled_by_python() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, even where the tests run in the background of a script, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(torture: Callable[[Interrupts], None]) -> KeyboardInterrupt:
    """Do it under our handling; it must be interrupted."""

    def run() -> None:
        with Interrupts() as interrupts:
            torture(interrupts)

    with pytest.raises(KeyboardInterrupt) as raised:
        run()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return raised.value


def test_interrupt_is_held_back_until_the_way_is_free() -> None:
    """What makes the place comes to its end; then it is raised."""
    done = []

    def torture(interrupts: Interrupts) -> None:
        press()
        done.append("made")
        with interrupts.let_through():
            done.append("tortured")

    interrupted(torture)

    assert done == ["made"]


def test_interrupt_is_let_through_and_the_next_held_back() -> None:
    """What takes the place away comes to its end."""
    done = []

    def torture(interrupts: Interrupts) -> None:
        try:
            with interrupts.let_through():
                press()
                done.append("tortured")
        finally:
            press()
            done.append("taken away")

    interrupted(torture)

    assert done == ["taken away"]


def test_second_interrupt_that_is_held_back_is_raised_at_once() -> None:
    """Somebody insists."""
    done = []

    def torture(interrupts: Interrupts) -> None:
        press()
        done.append("once")
        press()
        done.append("twice")

    interrupted(torture)

    assert done == ["once"]


def test_interrupt_that_is_lost_is_raised_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python only tells what is raised while it takes an object away."""
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))
    done = []

    class Doomed:
        def __del__(self) -> None:
            press()

    def torture(interrupts: Interrupts) -> None:
        with interrupts.let_through():
            Doomed()
            done.append("went on")
            interrupts.look()
            done.append("looked")

    interrupted(torture)

    assert told == [KeyboardInterrupt]
    assert done == ["went on"]


def test_interrupt_that_became_another_error_is_raised_at_the_end() -> None:
    """DuckDB says "Query interrupted" by a RuntimeError."""

    def torture(interrupts: Interrupts) -> None:
        with interrupts.let_through():
            try:
                press()
            except KeyboardInterrupt:
                raise RuntimeError("Query interrupted") from None

    assert isinstance(interrupted(torture).__cause__, RuntimeError)


def test_interrupt_that_is_ignored_stays_ignored() -> None:
    """As in the background of a script."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    with Interrupts() as interrupts:
        press()
        interrupts.look()

    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_leave_interrupts_alone() -> None:
    """Only the main thread may handle a signal."""
    seen = []

    def enter() -> None:
        with Interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()

    assert seen == [signal.default_int_handler]


def test_interrupted_when_the_scratch_folder_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anybody knew of the folder: it is taken away all the same."""
    made = []
    make = run._scratch_folder

    def make_and_press(settings: Settings) -> Path:
        made.append(make(settings))
        press()
        return made[0]

    monkeypatch.setattr(run, "_scratch_folder", make_and_press)

    with pytest.raises(KeyboardInterrupt):
        run_torture(Settings(book=str(tmp_path / "book")), TortureOptions(seconds=60, seed=1))

    assert len(made) == 1
    assert list(tmp_path.iterdir()) == []
