"""One torture from outside: make the scratch place, start the host, wait, look at what stands, judge, clean up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce._version import __version__
from gradeonce.config import mask_secrets
from gradeonce.errors import ConfigError, WarehouseError
from gradeonce.torture.actor import HISTORY_FILE
from gradeonce.torture.history import Event, Recorder, read_history
from gradeonce.torture.last_look import look_at_the_end
from gradeonce.torture.orders import LEASE_SECONDS, Orders, TortureOptions
from gradeonce.torture.places import place_of
from gradeonce.torture.tempo import tempo_of

if TYPE_CHECKING:
    from gradeonce.config import Settings

POLL_SECONDS = 0.25
BURIAL_SECONDS = 20.0

OnProgress = Callable[["Progress"], None]


class Progress:
    """How far a torture is: seconds since it began, and how often each kind of event was recorded."""

    def __init__(self, path: Path) -> None:
        self.elapsed_seconds = 0.0
        self.published = self.faults = self.looks = 0
        self._path, self._read = path, 0
        self._started = time.monotonic()

    def update(self) -> None:
        """Count what was appended to the history since the last time."""
        self.elapsed_seconds = time.monotonic() - self._started
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        new = new[: new.rfind(b"\n") + 1]
        self._read += len(new)
        self.published += new.count(b'"kind":"acknowledged"')
        self.faults += new.count(b'"kind":"fault"')
        self.looks += new.count(b'"kind":"looked"')


def run_torture(settings: Settings, options: TortureOptions, *, on_progress: OnProgress | None = None) -> list[Event]:
    """Torture the configured warehouse and lock store. Return the recorded history.

    Everything happens in a scratch book, beside the configured one if that is a folder, in a schema or a dataset of its
    own if it is on a server. It is removed at the end, whatever happens; so are all processes, even when this one is
    killed.

    Args:
        settings: The user's settings; the book they name is not touched and need not exist.
        options: How long, how hard, and what is tortured.
        on_progress: Called a few times a second.

    Raises:
        ConfigError: If nothing can be written beside the configured book.
        WarehouseError: If the torture itself broke down; the message says how.
    """
    folder = _scratch_folder(settings)
    orders = _orders(settings, options, folder)
    place = place_of(orders)
    try:
        place.create()
        place.close()
        with Recorder(folder / HISTORY_FILE, "judge") as history:
            history.record(
                "torture",
                gradeonce=__version__,
                python=sys.version.split()[0],
                command=options.command,
                lease_seconds=orders.lease_seconds,
                readers=orders.readers,
                warehouse=place.name,
                store="the book" if orders.store == "sqlite" else mask_secrets(orders.store),
                on_unavailable=orders.on_unavailable,
            )
            _torture(orders, folder, on_progress)
            place.settle()
            look_at_the_end(place, orders, history)
        return read_history(folder / HISTORY_FILE)
    finally:
        place.close()
        place.remove()


def _scratch_folder(settings: Settings) -> Path:
    """Make a folder beside the book, on the same disk; anywhere, if the book is on a server."""
    if settings.book_is_url:
        return Path(tempfile.mkdtemp(prefix="gradeonce.torture-"))
    book = settings.book_path
    try:
        return Path(tempfile.mkdtemp(prefix=f"{book.name}.torture-", dir=book.parent))
    except OSError as error:
        raise ConfigError(
            f"The torture needs a scratch folder beside the book, but {book.parent} cannot be written "
            f"({error.strerror}).",
            hint="Name a book in a folder that can be, with --book.",
        ) from error


def _orders(settings: Settings, options: TortureOptions, folder: Path) -> Orders:
    server = settings.book if settings.book_is_url else ""
    tempo = tempo_of(server)
    return Orders(
        folder=str(folder),
        name=f"gradeonce_torture_{re.sub('[^a-z0-9]+', '_', folder.name.rpartition('-')[2])}",
        server=server,
        seconds=options.seconds,
        seed=options.seed,
        workers=options.workers,
        algorithm=options.algorithm,
        faults=options.faults,
        readers=tempo.readers,
        consolidators=tempo.consolidators if options.algorithm == "gradeonce" else 0,
        deduplicators=tempo.deduplicators if options.algorithm == "gradeonce" else 0,
        lease_seconds=LEASE_SECONDS * tempo.pace,
        pace=tempo.pace,
        breath_seconds=tempo.breath_seconds,
        reach_seconds=tempo.reach_seconds,
        store=settings.store,
        on_unavailable=settings.on_unavailable,
        threads=settings.threads or 1,
        minimum_free_megabytes=settings.minimum_free_megabytes,
        allow_network_filesystem=settings.allow_network_filesystem,
    )


def _torture(orders: Orders, folder: Path, on_progress: OnProgress | None) -> None:
    progress = Progress(folder / HISTORY_FILE)
    with (folder / "host.log").open("w+b") as log:
        host = subprocess.Popen(
            [sys.executable, "-m", "gradeonce.torture.host"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            assert host.stdin is not None
            host.stdin.write(orders.to_json().encode() + b"\n")
            host.stdin.flush()
            while host.poll() is None:
                time.sleep(POLL_SECONDS)
                if on_progress is not None:
                    progress.update()
                    on_progress(progress)
        finally:
            _bury(host)
        if host.returncode:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()
            raise WarehouseError(f"The torture broke down (status {host.returncode}): {said[-1500:]}")


def _bury(host: subprocess.Popen[bytes]) -> None:
    """End the host and everybody it started. The end of its input is enough; the rest is a belt."""
    assert host.stdin is not None
    with suppress(BrokenPipeError):
        host.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        host.wait(BURIAL_SECONDS)
    with suppress(ProcessLookupError):
        # Its session is its process group: whoever is left in there dies, a stopped process too.
        os.killpg(host.pid, signal.SIGKILL)
    host.wait()
