"""A SQLite file that many processes write: write-ahead log, immediate transactions, and a fair queue.

Two facts shape this file. A deferred transaction that has read first fails at once when it wants to write, whatever
the time-out: so everything that writes begins IMMEDIATE. And SQLite's own busy handler polls, so one busy writer
starves the others for seconds: so writers queue on an operating-system lock beside the file, which is served in turn
and which a dead process lets go of.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gradeonce.errors import TransientWarehouseError, WarehouseError

BUSY_SECONDS = 30.0
"""How long a writer waits for the others; a commit takes milliseconds, so past this somebody is stuck."""


class SqliteFile:
    """One connection to the file, for one thread.

    Guarantee: what `write()` wraps is one transaction, atomic and (when durable) on disk when it returns.
    Limit: the file must be on a local disk; network file systems do not keep file locks.
    """

    def __init__(self, path: Path, *, durable: bool, functions: dict[str, Callable[[], float]] | None = None) -> None:
        """Open the file.

        Args:
            path: The SQLite file; it must exist or its folder must be writable.
            durable: True forces every commit to disk. False survives a crash of the process but not of the machine.
            functions: SQL functions without arguments to offer, such as a clock.

        Raises:
            WarehouseError: If the file cannot be opened.
        """
        self.path = path
        try:
            self.connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._keep_a_log()
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error as error:
            raise _translated(error, path) from error
        for name, function in (functions or {}).items():
            self.connection.create_function(name, 0, function)

    def _keep_a_log(self) -> None:
        if self.connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            # Of two that switch a new file at once SQLite refuses one, whatever the time-out: so they take turns.
            with write_turn(self.path):
                self.connection.execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self.connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run the block as one transaction: committed when it ends, rolled back when it raises.

        Raises:
            TransientWarehouseError: If other writers do not let go in time, or the disk is full; nothing was written.
        """
        with write_turn(self.path):
            try:
                # Inside: a signal that comes while it waits is heard when it has begun.
                self.connection.execute("BEGIN IMMEDIATE")
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException as error:
                # The first error is the one to tell; SQLite may have rolled back by itself already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _translated(error, self.path) from error
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run the block on one consistent snapshot of the file; it never waits for writers.

        Inside another `read()` the block sees the snapshot of the outer one.
        """
        joins = self.connection.in_transaction
        if joins:
            yield self.connection
            return
        try:
            self.connection.execute("BEGIN DEFERRED")
            yield self.connection
        except sqlite3.Error as error:
            raise _translated(error, self.path) from error
        finally:
            if self.connection.in_transaction:
                self.connection.execute("COMMIT")


@contextmanager
def write_turn(path: Path) -> Iterator[None]:
    """Wait in turn for the right to write the file. The lock belongs to the open file, so it ends with the process.

    Raises:
        TransientWarehouseError: If the writer before does not let go in time.
    """
    try:
        descriptor = os.open(path.with_name(path.name + ".queue"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise WarehouseError(f"{path.parent} cannot be written ({error.strerror}).") from error
    try:
        _lock_within(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _lock_within(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        pass
    # A blocking flock is served in turn but knows no time-out, so it waits in a thread of its own, on its own
    # duplicate of the descriptor: if we give up, the thread still ends properly when its turn comes.
    waiting = os.dup(descriptor)
    granted = threading.Event()

    def wait() -> None:
        try:
            fcntl.flock(waiting, fcntl.LOCK_EX)
            granted.set()
        finally:
            os.close(waiting)

    threading.Thread(target=wait, name="gradeonce-write-queue", daemon=True).start()
    if not granted.wait(BUSY_SECONDS):
        raise TransientWarehouseError(
            f"{path} is being written by another process, which did not finish in {BUSY_SECONDS:.0f} s.",
            hint="Run the same command again; if it stays, look for a stopped gradeonce process.",
        )


def _translated(error: sqlite3.Error, path: Path) -> WarehouseError:
    code = getattr(error, "sqlite_errorname", "") or ""
    text = f"{path}: {error}."
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return TransientWarehouseError(text, hint="Run the same command again.")
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return TransientWarehouseError(text, hint="Free some disk space, then run the same command again.")
    if code.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        hint = (
            f"{path.parent} must be writable, for reading too: SQLite keeps its log beside the file. Else read a copy."
        )
        return WarehouseError(text, hint=hint)
    return WarehouseError(text)
