"""A signal ends what the engine does if its handler raises, and what that raised is what is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from endless import QUERY
from gradeonce.warehouses.engine import open_engine, run
from gradeonce.warehouses.interrupts import held_back
from interrupts import heeding_interrupts

FINITE = "SELECT count(*) FROM range(100000000) AS many (i) WHERE i % 7 = 3"
FINITE_COUNT = 14_285_714
TELLS_PROGRESS = "SET enable_progress_bar = true; SET enable_progress_bar_print = false"


class Heard(BaseException):
    """Raised by the handlers in here."""


@contextmanager
def handled_by(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle SIGTERM so. Any: a frame."""
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def sent(engine: Any) -> Iterator[None]:
    """Send SIGTERM while the engine is at work, as its own progress shows. Any: an engine."""
    over = threading.Event()

    def send() -> None:
        while not over.is_set() and engine.query_progress() <= 0:
            over.wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def be_interrupted(threads: int) -> None:
    with open_engine(threads=threads) as engine:
        engine.execute(TELLS_PROGRESS)
        with sent(engine):
            run(engine, QUERY)


def raise_heard(number: int, frame: Any) -> None:
    raise Heard


@pytest.mark.parametrize("threads", [1, 2])
def test_what_the_handler_raises_is_raised(threads: int) -> None:
    """Whatever it is; the handler is in its place again afterwards."""
    with handled_by(raise_heard), pytest.raises(Heard):
        be_interrupted(threads)


def test_a_query_in_a_query_ends_both() -> None:
    """An engine within the block of another one: the outer one's block is left by the same."""

    def be_interrupted_within() -> None:
        with open_engine(threads=1):
            be_interrupted(threads=2)

    with handled_by(raise_heard), pytest.raises(Heard):
        be_interrupted_within()


def test_a_handler_that_raises_nothing_ends_nothing() -> None:
    """As one that only takes a note."""
    noted: list[int] = []
    with handled_by(lambda number, frame: noted.append(number)), open_engine(threads=2) as engine:
        engine.execute(TELLS_PROGRESS)
        with sent(engine):
            found = run(engine, FINITE).fetchall()

    assert (found, noted) == ([(FINITE_COUNT,)], [signal.SIGTERM])


def test_a_signal_that_is_held_back_is_heard_at_the_end() -> None:
    """Once, whatever the block made of it; what the handler raises is told."""
    steps: list[str] = []

    def hear(number: int, frame: Any) -> None:
        steps.append("heard")
        raise Heard

    def hold_back() -> None:
        with held_back():
            os.kill(os.getpid(), signal.SIGTERM)
            steps.append("loaded")
            raise ImportError

    with handled_by(hear), pytest.raises(Heard):
        hold_back()

    assert steps == ["loaded", "heard"]


class Interrupted:
    """An engine whose every statement a SIGTERM interrupts; it drops what the handler raises, as the real one does."""

    def execute(self, sql: str) -> None:
        with suppress(Heard):
            signal.raise_signal(signal.SIGTERM)
        raise RuntimeError("Query interrupted")

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


def test_its_first_statement_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that sets the engine up, before anybody has it."""
    monkeypatch.setattr("duckdb.connect", lambda *_, **__: Interrupted())
    with handled_by(raise_heard), pytest.raises(Heard), open_engine():
        pytest.fail("it went on")


LOADING = """
import os, signal, sys
from gradeonce.warehouses.engine import open_engine

class Interrupting:
    def find_spec(self, name, *_):
        if name == "_duckdb":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
try:
    with open_engine():
        print("nothing came")
except KeyboardInterrupt:
    print("loaded" if "_duckdb" in sys.modules else "cut short")
"""


def test_a_signal_waits_until_the_engine_is_loaded() -> None:
    """A process of its own, in which it is not."""
    with heeding_interrupts():
        done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "loaded\n", "")


def test_signals_are_left_alone_in_other_threads_and_where_nobody_handles_them() -> None:
    """An engine in another thread changes no handler, and neither does one where SIGTERM has none."""
    found: list[Any] = []

    def look() -> None:
        with open_engine(threads=1):
            found.extend(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM))

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert found == before
    assert before[1] is signal.SIG_DFL
    with open_engine(threads=1):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
