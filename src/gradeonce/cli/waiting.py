"""What is shown while a command works at something that cannot say how far it is."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

SHOWN_AFTER_SECONDS = 2.0
"""Work that takes less shows nothing."""

_SECONDS_BETWEEN = 0.5
_CLEARED = "\r\x1b[2K"


@contextmanager
def waiting(text: str, *, after_seconds: float = SHOWN_AFTER_SECONDS) -> Iterator[None]:
    """Say on stderr what is worked at inside the block and for how long, and take that away at its end.

    Nothing is shown when stderr is not a terminal, or while the block has taken less than `after_seconds`.
    """
    if not sys.stderr.isatty():
        yield
        return
    is_over = threading.Event()
    # The engine works outside of Python, so another thread can go on writing meanwhile.
    teller = threading.Thread(target=_tell, args=(sys.stderr, text, is_over, after_seconds), daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_over.set()
        teller.join()


def _tell(stream: TextIO, text: str, is_over: threading.Event, after_seconds: float) -> None:
    started = time.monotonic()
    pause = after_seconds
    while not is_over.wait(pause):
        pause = _SECONDS_BETWEEN
        stream.write(f"{_CLEARED}{text}: {time.monotonic() - started:.0f} s")
        stream.flush()
    if pause != after_seconds:
        stream.write(_CLEARED)
        stream.flush()
