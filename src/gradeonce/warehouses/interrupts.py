"""Signals while engines are at work: they stop at once, and what the signal's handler raised is what is told."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Whatever knows what to do at a Ctrl-C does it: PostgreSQL's driver ends the query in the server."""


class _Work:
    """An engine that may be at work, and what ended it."""

    def __init__(self, engine: DuckDBPyConnection) -> None:
        self.engine = engine
        self.ended_by: BaseException | None = None


_open: list[_Work] = []
# Any: whatever a handler returns is dropped.
_before: dict[int, Callable[[int, FrameType | None], Any]] = {}


@contextmanager
def interruptible(engine: DuckDBPyConnection) -> Iterator[None]:
    """Let a signal end what the engine does inside the block.

    Guarantee: where a handler in Python raises (as Ctrl-C's own does), every engine's query ends, with all its threads,
    and the block is left by what the handler raised. Left to itself the engine makes a RuntimeError of it, which all
    the world takes for a failure, and waits for its other threads first.

    Limit: in the main thread, which alone hears of signals. A handler that raises nothing ends nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    work = _Work(engine)
    try:
        _open.append(work)
        _listen()
        yield
    except Exception as error:
        if work.ended_by is not None:
            raise work.ended_by from error
        raise
    finally:
        if work in _open:
            _open.remove(work)
        if not _open:
            _stop_listening()


@contextmanager
def held_back() -> Iterator[None]:
    """Hear of a signal when the block has ended, in the main thread.

    The engine that is being loaded knows no signals: it drops what the handler raises, makes an ImportError of it, or
    aborts the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {int(number): handler for number in NUMBERS if callable(handler := signal.getsignal(number))}
    came: list[tuple[int, FrameType | None]] = []
    is_over = False

    def keep(number: int, frame: FrameType | None) -> None:
        # A signal may come while the first of the handlers is in its place again, and cut that short.
        if is_over:
            handlers[number](number, frame)
        else:
            came.append((number, frame))

    try:
        for number in handlers:
            signal.signal(number, keep)
        yield
    finally:
        is_over = True
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in came:
            handlers[number](number, frame)


def _listen() -> None:
    for number in NUMBERS:
        handler = signal.getsignal(number)
        if callable(handler) and handler is not _hear:
            _before[number] = handler
            signal.signal(number, _hear)


def _stop_listening() -> None:
    # Whoever has put a handler in our place since may put ours back later: it goes on passing on what it hears.
    for number, handler in _before.items():
        if signal.getsignal(number) is _hear:
            signal.signal(number, handler)


def _hear(number: int, frame: FrameType | None) -> None:
    import duckdb

    try:
        _before[number](number, frame)
    except BaseException as raised:
        for work in _open:
            work.ended_by = raised
            # A second signal may have cut short what takes a closed engine off the list.
            with suppress(duckdb.ConnectionException):
                work.engine.interrupt()
        raise
