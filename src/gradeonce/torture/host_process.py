"""The host as the judge sees it: a process that tortures when it is told to, and stays until all is taken away."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gradeonce.errors import WarehouseError
from gradeonce.torture.orders import Orders

BEGIN = b"begin\n"
DONE = b"done\n"
"""What the host is told."""

ENDED = b"ended\n"
"""What it answers."""

POLL_SECONDS = 0.25
BURIAL_SECONDS = 20.0


class HostProcess:
    """A host that stands ready from here on.

    Guarantee: when the judge ends without `done`, however that happens, the host kills everybody it started and removes
    whatever the torture made.
    """

    def __init__(self, orders: Orders) -> None:
        self._ended = self._is_gone = False
        self._log = (Path(orders.folder) / "host.log").open("w+b")
        ear, self._mouth = os.pipe()
        # Before it is born: there is no moment in which we could die and leave it without orders.
        os.write(self._mouth, orders.to_json().encode() + b"\n")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gradeonce.torture.host"],
            stdin=ear,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        os.close(ear)

    def __enter__(self) -> HostProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it go, if nothing is left that it should take away."""
        if error is None:
            self._tell(DONE)
        self._see_off()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()

    def torture(self, look: Callable[[], None]) -> None:
        """Let it torture to the end. `look` is called a few times a second.

        Raises:
            WarehouseError: If it broke down; the message says how.
        """
        self._tell(BEGIN)
        assert self._process.stdout is not None
        answers = self._process.stdout.fileno()
        while not select.select([answers], [], [], POLL_SECONDS)[0]:
            look()
        self._ended = os.read(answers, len(ENDED)) == ENDED
        if not self._ended:
            self._see_off()
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip()
            raise WarehouseError(f"The torture broke down (status {self._process.returncode}): {said[-1500:]}")

    def bury(self) -> None:
        """End everybody, unless they came to their end. The host stays only then."""
        if not self._ended:
            self._see_off()

    def _tell(self, line: bytes) -> None:
        if self._is_gone:
            return
        # One that broke down hears nothing; how it did is told when its answer is missing.
        with suppress(BrokenPipeError):
            os.write(self._mouth, line)

    def _see_off(self) -> None:
        """End the host and everybody it started. The end of its input is enough; the rest is a belt."""
        if self._is_gone:
            # Its number may be somebody else's by now.
            return
        self._is_gone = True
        os.close(self._mouth)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(BURIAL_SECONDS)
        with suppress(ProcessLookupError):
            # Its session is its process group: whoever is left in there dies, a stopped process too.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
