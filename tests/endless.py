"""The command with a query that never ends where the book would stage or land rows, for tests that interrupt it there.

python tests/endless.py NUMBER grade --all        # the NUMBERth time that it would
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from gradeonce.cli.main import main
from gradeonce.warehouses.embedded import landing
from gradeonce.warehouses.embedded.stage import EmbeddedStage
from gradeonce.warehouses.engine import run
from interrupts import heeding_interrupts

QUERY = "SELECT count(*) FROM range(1000000000000) AS many (i) WHERE i % 7 = 3"
"""Hours of work, for one of the engine's threads."""

AT_WORK_SECONDS = 0.3
"""Of processor, more than a query takes to begin."""

PATIENCE_SECONDS = 180.0

_AT_WORK = "at_work"


@contextmanager
def at_work(folder: Path, number: int, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command and wait until the engine is at its query; whatever happens, it is gone at the end.

    Args:
        folder: Where it is started; the book is named in there, or in the environment.
        number: See above.
        arguments: Of the command.
        environment: Put into its environment.
    """
    with heeding_interrupts():
        process = start([sys.executable, __file__, str(number), *arguments], folder, environment)
    with ended(process):
        wait_for(process, lambda: (folder / _AT_WORK).exists())
        wait_for_work(process)
        yield process


def start(words: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a process that can be asked what it said."""
    import os

    return subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Have no process at the end of the block."""
    too_late = threading.Timer(2 * PATIENCE_SECONDS, process.kill)
    too_late.start()
    try:
        with process:
            try:
                yield process
            finally:
                process.kill()
    finally:
        too_late.cancel()


def interrupt(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal; return the exit code, and what it had said."""
    process.send_signal(number)
    out, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, errors


def wait_for_work(process: subprocess.Popen[str]) -> None:
    """Return when it has done some more work."""
    running = psutil.Process(process.pid)
    before = running.cpu_times().user
    wait_for(process, lambda: running.cpu_times().user > before + AT_WORK_SECONDS)


def wait_for(process: subprocess.Popen[str], condition: Any) -> None:
    """Return when something is so, while a process runs. Any: a function without arguments."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < gives_up_at, "it did not come"
        time.sleep(0.02)


def _be_endless(number: int) -> None:
    times = itertools.count(1)
    fill, rows_by_partition = EmbeddedStage.fill, landing.rows_by_partition

    def query(engine: Any) -> None:
        if next(times) == number:
            Path(_AT_WORK).touch()
            run(engine, QUERY)

    def endless_fill(stage: EmbeddedStage, *arguments: Any) -> None:
        query(stage._engine)
        fill(stage, *arguments)

    def endless_rows(engine: Any, *arguments: Any) -> dict[str, int]:
        query(engine)
        return rows_by_partition(engine, *arguments)

    EmbeddedStage.fill = endless_fill  # type: ignore[method-assign]
    landing.rows_by_partition = endless_rows  # type: ignore[attr-defined]


if __name__ == "__main__":
    _be_endless(int(sys.argv[1]))
    main(sys.argv[2:])
