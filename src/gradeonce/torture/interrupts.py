"""Ctrl-C during a torture: none is lost, and none cuts short what makes the scratch place or takes it away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Interrupts:
    """Takes Ctrl-C from its beginning to its end, in place of Python.

    Guarantee: one that comes is raised as KeyboardInterrupt: at once where it is let through; elsewhere when the way is
    free again, at the end at the latest. It is raised at the end, too, if it was lost or became another error on its
    way: Python drops what is raised while it collects garbage, and DuckDB makes an error of its own of it.

    Limit: only in the main thread, and only where Ctrl-C would raise KeyboardInterrupt. Whoever ignores it, as what a
    script starts in its background does, or handles it otherwise, goes on doing so.

    While one is held back, a second one is raised at once: somebody insists.
    """

    def __init__(self) -> None:
        self._came = self._waits = False
        self._is_held_back = True
        self._is_ours = False

    def __enter__(self) -> Interrupts:
        is_main = threading.current_thread() is threading.main_thread()
        self._is_ours = is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._is_ours:
            signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if not isinstance(error, KeyboardInterrupt):
            self.look(error)

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Let Ctrl-C cut the block short: what it leaves is taken away after it."""
        self._is_held_back = False
        self.look()
        try:
            yield
        finally:
            self._is_held_back = True

    def look(self, cause: BaseException | None = None) -> None:
        """Raise KeyboardInterrupt if Ctrl-C came at any time before."""
        if self._came:
            raise KeyboardInterrupt from cause

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        if self._is_held_back and not self._waits:
            self._waits = True
            return
        # From here on the place is taken away.
        self._is_held_back = True
        raise KeyboardInterrupt
