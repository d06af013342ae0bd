"""One torture from outside: make the scratch place, start the host, wait, look at what stands, judge, clean up."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce._version import __version__
from gradeonce.config import mask_secrets
from gradeonce.errors import ConfigError, GradeonceError
from gradeonce.torture.actor import HISTORY_FILE
from gradeonce.torture.history import Event, Recorder, read_history
from gradeonce.torture.host_process import HostProcess
from gradeonce.torture.interrupts import Interrupts
from gradeonce.torture.last_look import look_at_the_end
from gradeonce.torture.orders import LEASE_SECONDS, Orders, TortureOptions
from gradeonce.torture.places import Place, place_of
from gradeonce.torture.tempo import tempo_of

if TYPE_CHECKING:
    from gradeonce.config import Settings

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
    own if it is on a server. It is removed at the end, and so are all processes: whatever happens, and whenever this
    process is interrupted or killed.

    Args:
        settings: The user's settings; the book they name is not touched and need not exist.
        options: How long, how hard, and what is tortured.
        on_progress: Called a few times a second.

    Raises:
        ConfigError: If nothing can be written beside the configured book.
        WarehouseError: If the torture itself broke down; the message says how.
    """
    with Interrupts() as interrupts, ExitStack() as leaving:
        # Backwards: everybody is dead when the place is taken away, and the host stays until it is.
        folder = _scratch_folder(settings)
        leaving.callback(shutil.rmtree, folder, ignore_errors=True)
        orders = _orders(settings, options, folder)
        place = place_of(orders)
        host = leaving.enter_context(HostProcess(orders))
        leaving.push(_removal_of(place))
        leaving.callback(place.close)
        leaving.callback(host.bury)
        progress = Progress(folder / HISTORY_FILE)

        def look() -> None:
            interrupts.look()
            if on_progress is not None:
                progress.update()
                on_progress(progress)

        with interrupts.let_through():
            return _torture(place, orders, options.command, lambda: host.torture(look))


def _removal_of(place: Place) -> Callable[[Any, BaseException | None, Any], None]:
    """Return what takes the place away. What broke the torture is told before what broke its removal. Any: unused."""

    def remove(_: Any, error: BaseException | None, __: Any) -> None:
        try:
            place.remove()
        except GradeonceError as second:
            if not isinstance(error, GradeonceError):
                raise
            error.hint = f"{error.hint} If the place was made, {second.hint[:1].lower()}{second.hint[1:]}".strip()

    return remove


def _torture(place: Place, orders: Orders, command: str, run: Callable[[], None]) -> list[Event]:
    """Make the tables, let the host run, and look at what stands at the end. Return the history."""
    path = Path(orders.folder) / HISTORY_FILE
    place.create()
    place.close()
    with Recorder(path, "judge") as history:
        history.record(
            "torture",
            gradeonce=__version__,
            python=sys.version.split()[0],
            command=command,
            lease_seconds=orders.lease_seconds,
            readers=orders.readers,
            warehouse=place.name,
            store="the book" if orders.store == "sqlite" else mask_secrets(orders.store),
            on_unavailable=orders.on_unavailable,
        )
        run()
        place.settle()
        look_at_the_end(place, orders, history)
    return read_history(path)


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
