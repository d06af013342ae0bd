"""Transactions on PostgreSQL: everything is set inside them and nothing is left behind, so any pooler will do."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradeonce.errors import GradeonceError, UsageError
from gradeonce.side_by_side import Stopped
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.postgres.errors import driver_missing, translated

if TYPE_CHECKING:
    import psycopg

JOIN_BY_HASH = ("enable_nestloop TO off", "enable_mergejoin TO off")
"""For transactions that stage: the planner knows nothing of rows that were staged or sent a moment ago. Nested loops
over them turn seconds into hours; once those are off, it would sort all the rows, wide as they are, for merge joins."""

CONNECT_SECONDS = 10
LOCK_SECONDS = 60
"""How long a statement waits for rows that another transaction holds, before it is given up and tried again."""

COMMIT_IDLE_SECONDS = 30
"""How long we may stand still inside a commit before the server takes it back: neighbours wait for our locks."""

CANCEL_SECONDS = 3
"""How long the server may take to hear that it is to give up a statement, before the line to it is cut."""

_CANCELLED = "57014"

_NAMED = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class Session:
    """One open transaction. Leaving it without `commit` takes everything back."""

    def __init__(self, connection: psycopg.Connection[Any], cancelled: Container[psycopg.Connection[Any]] = ()) -> None:
        """Take over a connection in which a transaction was begun.

        Args:
            cancelled: Connections whose statements another thread has cancelled.
        """
        self._connection, self._cancelled = connection, cancelled
        self.is_open = True

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """Run one statement that returns rows, or several; return the last rows."""
        return _last_rows(self._run(sql, params))

    def select(self, sql: str, params: Params | None = None) -> Rows:
        """Run one SELECT of a user's; whatever else it is, it is refused.

        The server itself refuses several statements in one text, because it is sent by the extended protocol.
        """
        import psycopg

        words = _COMMENTS.sub(" ", sql).replace("(", " ").split(None, 1)
        if not words or words[0].lower() not in ("select", "with", "values", "table", "explain", "show"):
            raise UsageError(
                f"Only one SELECT is allowed here, not {words[0].upper() if words else 'nothing'}.",
                hint="The book is changed by load and grade.",
            )
        try:
            text = psycopg.ClientCursor(self._connection).mogrify(*_bound(sql, params))
            cursor = psycopg.Cursor(self._connection).execute(text, binary=True)
        except psycopg.Error as error:
            raise self.heard(error) from error
        return _last_rows(cursor)

    def select_alone(self, sql: str, params: Params | None = None) -> Rows:
        """Run one SELECT of a user's; if it breaks, the transaction goes on as if it had not been asked for."""
        self._run("SAVEPOINT one_query", None)
        try:
            return self.select(sql, params)
        except GradeonceError:
            # Should the connection itself be gone, that shows at the next statement; this error is the one to tell.
            with suppress(GradeonceError):
                self._run("ROLLBACK TO SAVEPOINT one_query", None)
            raise

    def execute(self, sql: str, params: Params | None = None) -> int:
        """Run one statement; return how many rows it touched."""
        return self._run(sql, params).rowcount

    def let_go_when_idle(self) -> None:
        """Have the server take the transaction back if we stand still in it, as a paused process does."""
        self.execute(f"SET LOCAL idle_in_transaction_session_timeout TO '{COMMIT_IDLE_SECONDS}s'")

    def copy_in(self, sql: str, blocks: Iterable[bytes]) -> None:
        """Send a file to the server, block by block."""
        import psycopg

        try:
            with self._connection.cursor().copy(sql) as copy:
                for block in blocks:
                    copy.write(block)
        except psycopg.Error as error:
            raise self.heard(error) from error

    def copy_out(self, sql: str) -> Iterator[bytes]:
        """Yield what the server sends, block by block."""
        import psycopg

        try:
            with self._connection.cursor().copy(sql) as copy:
                yield from (bytes(block) for block in copy)
        except psycopg.Error as error:
            raise self.heard(error) from error

    def commit(self) -> None:
        """Make it all stand."""
        self._run("COMMIT", None)
        self.is_open = False

    def heard(self, error: psycopg.Error) -> BaseException:
        """Return what to raise for an error of the driver's."""
        ended = error.sqlstate == _CANCELLED or self._connection.closed
        return Stopped() if ended and self._connection in self._cancelled else translated(error)

    def _run(self, sql: str, params: Params | None) -> psycopg.Cursor[Any]:
        import psycopg

        text, values = _bound(sql, params)
        try:
            return self._connection.execute(text, values)
        except psycopg.Error as error:
            raise self.heard(error) from error


def _is_idle(connection: psycopg.Connection[Any]) -> bool:
    from psycopg.pq import TransactionStatus

    return not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE


def _last_rows(cursor: psycopg.Cursor[Any]) -> Rows:
    found: Rows | None = None
    while True:
        result = cursor.pgresult
        if result is not None and result.nfields:
            # Names only: the driver's own description of a column looks its type up.
            names = tuple((result.fname(place) or b"").decode() for place in range(result.nfields))
            found = Rows(names, cursor.fetchall())
        if not cursor.nextset():
            break
    if found is None:
        raise UsageError("The query returns nothing.", hint="Only SELECT is allowed here.")
    return found


def _bound(sql: str, params: Params | None) -> tuple[str, Mapping[str, Any] | None]:
    """Return the text with `$name` as the driver spells it. Any: whatever the driver can bind."""
    if not params:
        return sql, None

    def put(match: re.Match[str]) -> str:
        return f"%({match[1]})s" if match[1] in params else match[0]

    return _NAMED.sub(put, sql.replace("%", "%%")), params


class Connections:
    """Connections to one database, each used by one transaction at a time; threads may share the object."""

    def __init__(self, url: str, schema: str) -> None:
        """Remember where; nothing is connected yet.

        Raises:
            ConfigError: If the driver is not installed; it names the extra.
        """
        try:
            import_module("psycopg")
        except ImportError as error:
            raise driver_missing(error) from error
        self.url, self.schema = url, schema
        # Taking from it and adding to it are single steps of the interpreter, which no thread divides.
        self._idle: list[psycopg.Connection[Any]] = []
        self._busy: set[psycopg.Connection[Any]] = set()
        # When they were first cancelled, in monotonic seconds.
        self._cancelled: dict[psycopg.Connection[Any], float] = {}
        # None is given back, or closed, while it is being cancelled.
        self._turn = threading.Lock()

    @contextmanager
    def transaction(self, *, reads_only: bool = False, settings: Sequence[str] = ()) -> Iterator[Session]:
        """Open a transaction; what is not committed inside the block is taken back.

        Args:
            reads_only: Everything in it is as of one instant, and nothing can be changed.
            settings: Further settings for the transaction, each as `name TO value`.
        """
        # The instant of which everything is read is that of the first query: the one at the end of this.
        with self._begun(self._begin(reads_only, settings) + ("; SELECT 1" if reads_only else "")) as (session, _):
            yield session

    def read(self, sql: str, params: Params | None = None) -> Rows:
        """Run one statement, or several, in a read-only transaction, on one way to the server; return the last rows."""
        return self._at_once(self._begin(True, ()), sql, params)

    def write(self, sql: str, params: Params) -> Rows:
        """Run several statements in a transaction that is committed, on one way to the server; return the last rows."""
        return self._at_once(self._begin(False, ()), sql, params)

    def _at_once(self, begin: str, sql: str, params: Params | None) -> Rows:
        text, values = _bound(f"{begin}; {sql}; COMMIT", params)
        with self._begun(text, values) as (session, cursor):
            session.is_open = False
            return _last_rows(cursor)

    def _begin(self, reads_only: bool, settings: Sequence[str]) -> str:
        level = "REPEATABLE READ READ ONLY" if reads_only else "READ COMMITTED"
        given = (
            f"search_path TO {quote_identifier(self.schema)}, public",
            "datestyle TO 'ISO, YMD'",
            "timezone TO 'UTC'",
            "standard_conforming_strings TO on",
            f"lock_timeout TO '{LOCK_SECONDS}s'",
            "jit TO off",
            "work_mem TO '64MB'",
            *settings,
        )
        return f"BEGIN ISOLATION LEVEL {level}; " + "; ".join(f"SET LOCAL {setting}" for setting in given)

    @contextmanager
    def _begun(
        self, text: str, values: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Session, psycopg.Cursor[Any]]]:
        """Run a text that begins a transaction; Any: whatever the driver can bind."""
        import psycopg

        while True:
            connection, was_idle = self._take()
            session = Session(connection, self._cancelled)
            with self._turn:
                self._busy.add(connection)
            try:
                try:
                    cursor = connection.execute(text, values)
                except psycopg.Error as error:
                    heard = session.heard(error)
                    if was_idle and connection.closed and not isinstance(heard, Stopped):
                        # The server was restarted since: every idle connection is as dead as this one.
                        self.close()
                        continue
                    raise heard from error
                yield session, cursor
            finally:
                self._give_back(connection, session)
            return

    def _take(self) -> tuple[psycopg.Connection[Any], bool]:
        """Return a connection, and whether it was used before."""
        try:
            return self._idle.pop(), True
        except IndexError:
            return self._connect(), False

    def _connect(self) -> psycopg.Connection[Any]:
        import psycopg

        try:
            # Values are put into the text by the driver, and nothing is prepared: a pooler may hand the next
            # transaction to another server process.
            return psycopg.connect(
                self.url,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=CONNECT_SECONDS,
                fallback_application_name="gradeonce",
                cursor_factory=psycopg.ClientCursor,
            )
        except psycopg.Error as error:
            raise translated(error) from error

    def _give_back(self, connection: psycopg.Connection[Any], session: Session) -> None:
        import psycopg

        try:
            if session.is_open:
                # The first error is the one to tell; a connection that cannot even roll back is closed below.
                with suppress(psycopg.Error):
                    connection.execute("ROLLBACK")
        finally:
            with self._turn:
                self._busy.discard(connection)
                was_cancelled = self._cancelled.pop(connection, None) is not None
                # A cancellation may reach the server late: it must not meet the next transaction.
                if _is_idle(connection) and not was_cancelled:
                    self._idle.append(connection)
                else:
                    connection.close()

    def cancel(self) -> None:
        """Have the server give up what it does for other threads; what stands between two statements is not heard.

        Called again when the server has not done so in `CANCEL_SECONDS`, it cuts the line: a server that is frozen or
        out of reach hears of no cancellation, and who waits for its answer would wait for ever.
        """
        with self._turn:
            for connection in self._busy:
                since = self._cancelled.setdefault(connection, time.monotonic())
                if time.monotonic() - since < CANCEL_SECONDS:
                    self._ask_to_cancel(connection)
                else:
                    self._cut(connection)

    @staticmethod
    def _ask_to_cancel(connection: psycopg.Connection[Any]) -> None:
        import psycopg

        # What cannot be asked of the server is cut later.
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=CANCEL_SECONDS)

    @staticmethod
    def _cut(connection: psycopg.Connection[Any]) -> None:
        import psycopg

        # The driver knows no socket any more if the line has ended by itself.
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close every idle connection."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()
