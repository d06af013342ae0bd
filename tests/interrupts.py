"""Ctrl-C in tests, wherever they run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Let whoever is started in this block end on SIGINT, even if we ignore it, and they would have done so, too.

    A script's background ignores it, and so does whatever is started there, until something like Polars takes it back.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
