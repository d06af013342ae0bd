"""`gradeonce run-locked`: any command, while a lease is held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from gradeonce.cli.main import settings_from_context
from gradeonce.cli.output import say

if TYPE_CHECKING:
    from gradeonce.config import Settings
    from gradeonce.leases import Lease, LeaseStore

LOOK_SECONDS = 0.05
"""How often we look whether the command has ended, the lease is lost, or a signal has come."""

GRACE_SHARE = 0.05
"""Share of the ttl between SIGTERM and SIGKILL: half of what is left, at a loss, until a rival may start."""

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NOT_FOUND, _NOT_EXECUTABLE, _BY_SIGNAL = 127, 126, 128


@click.command(name="run-locked")
@click.argument("key")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--ttl", type=float, metavar="SECONDS", help="How long the lease lasts unless renewed (it is).")
@click.option("--wait", type=float, metavar="SECONDS", help="How long to wait for a lease that somebody holds.")
@click.option("--floor", type=int, default=0, help="Highest token that what you protect has seen; ours is above it.")
@click.option(
    "--grace", type=float, metavar="SECONDS", help="From SIGTERM to SIGKILL at a loss; default: 5% of the ttl."
)
@click.pass_context
def run_locked(
    ctx: click.Context,
    key: str,
    command: tuple[str, ...],
    ttl: float | None,
    wait: float | None,
    floor: int,
    grace: float | None,
) -> int:
    """Run COMMAND while holding the lease KEY: gradeonce run-locked nightly/2026-01-17 -- ./nightly.sh

    Write the `--` before COMMAND, so that its options stay its own. Any name will do for KEY; the lease lives where
    `[lock] store` says. COMMAND finds GRADEONCE_LEASE_KEY, GRADEONCE_LEASE_TOKEN and GRADEONCE_LEASE_HOLDER in its
    environment. What it writes should refuse a token below the highest it has seen: a lease keeps order, but only the
    token keeps out a command that was paused for too long.

    If the lease is lost, COMMAND and what it has started get SIGTERM, and SIGKILL after the grace. SIGINT, SIGTERM and
    SIGHUP are passed on to them. If this process is killed outright, nobody is left to do so.

    Exit code: that of COMMAND (128 + n if signal n ended it, 127 if it is not found, 126 if it cannot be run);
    3 if the lease was not to be had, and then COMMAND did not run; 4 if it was lost.
    """
    from gradeonce.leases import acquire, new_holder

    settings = settings_from_context(ctx)
    ttl_seconds = settings.ttl_seconds if ttl is None else ttl
    store = _open(settings)
    with (
        closing(store),
        _handling((signal.SIGTERM, signal.SIGHUP), _leave),
        acquire(
            store,
            key,
            ttl_seconds=ttl_seconds,
            holder=new_holder("run-locked"),
            wait_seconds=settings.wait_seconds if wait is None else wait,
            floor=floor,
        ) as lease,
    ):
        return _supervise(command, lease, ttl_seconds * GRACE_SHARE if grace is None else grace)


def _open(settings: Settings) -> LeaseStore:
    from gradeonce.errors import ConfigError
    from gradeonce.leases import open_store, store_beside
    from gradeonce.warehouses.embedded.catalog import CATALOG_FILE

    if settings.store == "sqlite" and settings.book_is_url:
        return store_beside(settings.book, settings.schema)
    store = open_store(settings.store, catalog=settings.book_path / CATALOG_FILE)
    if store is None or settings.store == "memory":
        raise ConfigError(
            f'[lock] store is "{settings.store}", where no other process would see the lease.',
            hint="Set it to sqlite or to the URL of a server, e.g. GRADEONCE_LOCK_STORE=redis://host:6379/0",
        )
    return store


def _leave(number: int, frame: FrameType | None) -> None:
    # While we wait for the lease: the exception unwinds, so that a lease that just came is let go.
    raise SystemExit(_BY_SIGNAL + number)


@contextmanager
def _handling(numbers: Sequence[int], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    # What we were started to ignore (a hang-up under nohup), we go on ignoring.
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _supervise(command: Sequence[str], lease: Lease, grace_seconds: float) -> int:
    arrived: list[int] = []
    # Only noted: what is raised in a handler could part us from a command that has just been started.
    with _handling(_FORWARDED, lambda number, frame: arrived.append(number)):
        try:
            process = _start(command, lease)
        except OSError as error:
            say(f"{command[0]}: {error.strerror}")
            return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        while process.poll() is None and lease.lost is None:
            while arrived:
                _send(process, arrived.pop(0))
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
        if lease.lost is not None:
            # Also if it has just ended: how much of it ran without the lease, nobody can say.
            _end(process, grace_seconds)
            _tell_loss(lease)
        return process.returncode if process.returncode >= 0 else _BY_SIGNAL - process.returncode


def _start(command: Sequence[str], lease: Lease) -> subprocess.Popen[bytes]:
    claim = {
        "GRADEONCE_LEASE_KEY": lease.key,
        "GRADEONCE_LEASE_TOKEN": str(lease.token),
        "GRADEONCE_LEASE_HOLDER": lease.holder,
    }
    # A process group of its own, so that a shell's children are ended with it. Such a group may not read the
    # terminal: it would be stopped, with the lease in its hands.
    stdin = subprocess.DEVNULL if sys.stdin is None or sys.stdin.isatty() else None
    return subprocess.Popen(command, env={**os.environ, **claim}, process_group=0, stdin=stdin)


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _end(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    _send(process, signal.SIGTERM)
    gives_up_at = time.monotonic() + grace_seconds
    while _is_anybody_left(process) and time.monotonic() < gives_up_at:
        time.sleep(min(LOOK_SECONDS, max(0.0, gives_up_at - time.monotonic())))
    _send(process, signal.SIGKILL)
    process.wait()


def _is_anybody_left(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return process.returncode is None
    return True


def _tell_loss(lease: Lease) -> None:
    from gradeonce.errors import LeaseLost

    try:
        lease.check()
    except LeaseLost as error:
        error.state = "The command was ended. What it did before stands."
        error.hint = "Run it again; what it writes should refuse an old token."
        raise
