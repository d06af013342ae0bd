"""Leases in a table of PostgreSQL: for several machines that share a database already."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from gradeonce.config import mask_secrets
from gradeonce.errors import ConfigError, TransientWarehouseError, WarehouseError
from gradeonce.leases.store import LeaseRecord
from gradeonce.statements import quote_identifier

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

DEFAULT_TABLE = "gradeonce_leases"

CONNECT_SECONDS = 2
"""How long a connection may take; a `connect_timeout` in the URL wins."""

ANSWER_SECONDS = 3.0
"""How long one statement may take; each touches one row, so past this the server is stuck or out of reach."""

_IDLE_CONNECTIONS = 2
"""One for the caller and one for its heartbeat; what threads open beyond is closed after use."""

_TRIES = 5
"""Tries of one verb: after a restart of the server, or a conflict of a serializable default."""

# Two machines may find the table missing at once, and CREATE TABLE IF NOT EXISTS alone then fails in one of them.
# The lock ends with the transaction, which is this one message: nothing stays behind in a pooler's session.
_TABLE = """
SELECT pg_advisory_xact_lock(hashtext('gradeonce_leases'));
CREATE TABLE IF NOT EXISTS {table} (
    key text PRIMARY KEY,
    holder text NOT NULL,
    token bigint NOT NULL,
    ttl_seconds double precision NOT NULL,
    acquired_at timestamptz NOT NULL,
    renewed_at timestamptz NOT NULL,
    released_at timestamptz,
    took_over boolean NOT NULL,
    claim text NOT NULL
)
"""

_COLUMNS = """
l.key, l.holder, l.token, l.ttl_seconds, l.acquired_at, l.renewed_at, l.released_at, l.took_over,
CAST(extract(epoch FROM l.renewed_at - clock_timestamp()) AS double precision) + l.ttl_seconds,
l.claim = %(claim)s
"""

# The conflicting row is locked before its WHERE is judged, on the newest version of it and by the time of that moment:
# now() would be the time at which the statement began to wait.
_ACQUIRE = f"""
INSERT INTO {{table}} AS l (key, holder, token, ttl_seconds, acquired_at, renewed_at, took_over, claim)
VALUES (%(key)s, %(holder)s, %(floor)s::bigint + 1, %(ttl)s, clock_timestamp(), clock_timestamp(), false, %(claim)s)
ON CONFLICT (key) DO UPDATE SET
    holder = excluded.holder,
    token = greatest(l.token, %(floor)s::bigint) + 1,
    ttl_seconds = excluded.ttl_seconds,
    acquired_at = clock_timestamp(),
    renewed_at = clock_timestamp(),
    released_at = NULL,
    took_over = l.released_at IS NULL,
    claim = excluded.claim
WHERE l.released_at IS NOT NULL OR l.renewed_at + l.ttl_seconds * interval '1 second' <= clock_timestamp()
RETURNING {_COLUMNS}
"""

_RECORD = f"SELECT {_COLUMNS} FROM {{table}} AS l WHERE l.key = %(key)s"
_RECORDS = f'SELECT {_COLUMNS} FROM {{table}} AS l ORDER BY l.key COLLATE "C"'

_MINE = "key = %(key)s AND token = %(token)s AND holder = %(holder)s AND released_at IS NULL"
_RENEW = f"UPDATE {{table}} SET renewed_at = clock_timestamp() WHERE {_MINE} RETURNING key"
_RELEASE = f"UPDATE {{table}} SET released_at = clock_timestamp() WHERE {_MINE} RETURNING key"
_BREAK = """
UPDATE {table} SET released_at = clock_timestamp()
WHERE key = %(key)s AND token = %(token)s AND released_at IS NULL RETURNING key
"""


class PostgresLeases:
    """A lease store in one table of PostgreSQL, made when it is missing. Threads may share it; a forked child may not.

    Guarantee: every verb is one statement of its own transaction, judged by the server's clock. Nothing is held in a
    session, so a pooler may stand in between, and a server that restarts in mid-hold costs nothing.
    Limit: a fail-over to a replica that lags forgets the last claims, which is safe for what is fenced, because
    tokens then start from the fence.
    """

    def __init__(self, url: str, *, table: str = DEFAULT_TABLE) -> None:
        """Take note of the server; the first verb connects.

        Args:
            url: `postgresql://user:password@host:port/database`, with any option of libpq.
            table: Name of the table, or schema.table.

        Raises:
            ConfigError: If psycopg is not installed or the URL is malformed.
        """
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as error:
            raise ConfigError(
                "Leases in PostgreSQL need psycopg, which is not installed.",
                hint="pip install 'gradeonce[postgres]'",
            ) from error
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # The driver's message quotes the part it cannot read, which may be the password: so no cause either.
            raise ConfigError(
                "The URL of the lock store is malformed.",
                hint="Write postgresql://user:password@host:port/database, with %-escapes for special characters.",
            ) from None
        # Any: libpq's options are texts and numbers.
        self._parameters: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "gradeonce",
            **given,
        }
        self._password = str(given.get("password") or "")
        self._where = f"PostgreSQL at {given.get('host') or 'the local socket'}:{given.get('port') or 5432}"
        self._table = ".".join(quote_identifier(part) for part in table.split("."))
        self._idle: list[Connection] = []
        self._turn = threading.Lock()

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """See `LeaseStore.try_acquire`."""
        # Should the answer be lost with the connection, the second try finds its own claim by this mark.
        claim = os.urandom(8).hex()
        asked = {"key": key, "holder": holder, "ttl": ttl_seconds, "floor": floor, "claim": claim}
        while True:
            # Refused: a statement that also read the rival would see it as of its own beginning, so it is read anew.
            rows = self._run(_ACQUIRE, asked) or self._run(_RECORD, {"key": key, "claim": claim})
            if rows:
                return _record(rows[0])

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.renew`. A claim that ran out but was not taken is still ours to renew."""
        return bool(self._run(_RENEW, {"key": key, "holder": holder, "token": token}))

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.release`."""
        return bool(self._run(_RELEASE, {"key": key, "holder": holder, "token": token}))

    def break_claim(self, key: str, *, token: int) -> bool:
        """See `LeaseStore.break_claim`."""
        return bool(self._run(_BREAK, {"key": key, "token": token}))

    def records(self) -> list[LeaseRecord]:
        """See `LeaseStore.records`."""
        return [_record(row) for row in self._run(_RECORDS, {"claim": ""})]

    def close(self) -> None:
        """See `LeaseStore.close`."""
        with self._turn:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _run(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        # Any: what a column holds. A verb may run twice: the second finds what the first has done.
        from psycopg import Error, errors

        run = _executed
        for _ in range(_TRIES):
            connection, is_fresh = self._take()
            try:
                try:
                    rows = run(connection, sql.format(table=self._table), values)
                except errors.UndefinedTable:
                    connection.execute(_TABLE.format(table=self._table))
                    rows = run(connection, sql.format(table=self._table), values)
            except Error as error:
                was_cut = connection.closed
                connection.close()
                if was_cut and not is_fresh:
                    # The server was restarted since: all idle connections are as dead as this one.
                    self.close()
                    continue
                if isinstance(error, errors.SerializationFailure) and run is _executed:
                    run = _executed_read_committed
                    continue
                raise self._translated(error) from error
            except BaseException:
                # Interrupted, in the middle of an answer.
                connection.close()
                raise
            self._give_back(connection)
            return rows
        raise TransientWarehouseError(f"{self._where} ended every connection at once.")

    def _take(self) -> tuple[Connection, bool]:
        import psycopg

        with self._turn:
            if self._idle:
                return self._idle.pop(), False
        try:
            # A pooler may give every transaction another session, so statements are not prepared.
            return _connection_class().connect(**self._parameters, autocommit=True, prepare_threshold=None), True
        except psycopg.Error as error:
            raise self._translated(error) from error

    def _give_back(self, connection: Connection) -> None:
        with self._turn:
            if len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _translated(self, error: psycopg.Error) -> WarehouseError:
        text = mask_secrets(" ".join(str(error).split()))
        if self._password:
            text = text.replace(self._password, "***")
        hint = ""
        if error.sqlstate == "42501":
            hint = f"Grant it, or have the owner make the table: {' '.join(_TABLE.format(table=self._table).split())};"
        kind = TransientWarehouseError if _is_transient(error) else WarehouseError
        return kind(f"The lock store, {self._where}, failed: {text.rstrip('.')}.", hint=hint)


def _executed(connection: Connection, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return connection.execute(sql, values).fetchall()


def _executed_read_committed(connection: Connection, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    # Where transactions are serializable by default, trying again may lose to a rival every time. At this level the
    # statement waits for the rival and judges what it left; it costs two more messages, so only after a conflict.
    from psycopg import IsolationLevel

    connection.isolation_level = IsolationLevel.READ_COMMITTED
    with connection.transaction():
        return connection.execute(sql, values).fetchall()


def _is_transient(error: psycopg.Error) -> bool:
    from psycopg import OperationalError

    if error.sqlstate is None:
        # No code: no connection came about. What the server itself refused will be refused again.
        refused = ("authentication failed", "pg_hba.conf", "does not exist")
        return isinstance(error, OperationalError) and not any(word in str(error) for word in refused)
    # Connection, conflict, resources, operator's intervention, read-only while a fail-over goes on, lock not available.
    return error.sqlstate[:2] in ("08", "40", "53", "57") or error.sqlstate in ("25006", "55P03")


@cache
def _connection_class() -> type[Connection]:
    import psycopg

    class PatientConnection(psycopg.Connection[tuple[Any, ...]]):
        """A connection that gives up on a server that does not answer.

        A server-side time-out would have to be set in the session, which poolers share, and would not help against a
        server that is stopped or cut off.
        """

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            # Any: the driver's own types for its generators differ between its versions. So do its ways to wait: those
            # before 3.3 know no time-out. All of them yield what to wait for (1: to read, 2: to write).
            gives_up_at = time.monotonic() + ANSWER_SECONDS
            socket = self.pgconn.socket
            try:
                wanted = next(gen)
                while True:
                    poll = select.poll()
                    poll.register(socket, (select.POLLIN if wanted & 1 else 0) | (select.POLLOUT if wanted & 2 else 0))
                    arrived = poll.poll(max(0.0, gives_up_at - time.monotonic()) * 1000)
                    if not arrived:
                        raise psycopg.OperationalError(f"no answer within {ANSWER_SECONDS:g} s")
                    happened = arrived[0][1]
                    # A broken connection is read from, to learn that it is.
                    can_write = bool(happened & select.POLLOUT)
                    can_read = bool(happened & ~select.POLLOUT)
                    wanted = gen.send(can_read | can_write << 1)
            except StopIteration as end:
                return end.value

    return PatientConnection


def _record(row: tuple[Any, ...]) -> LeaseRecord:
    key, holder, token, ttl, acquired, renewed, released, took_over, left, is_granted = row
    return LeaseRecord(
        key=key,
        holder=holder,
        token=token,
        ttl_seconds=ttl,
        acquired_at=_utc(acquired),
        renewed_at=_utc(renewed),
        released_at=None if released is None else _utc(released),
        expires_in_seconds=left,
        took_over=took_over,
        is_granted=is_granted,
    )


def _utc(instant: datetime) -> datetime:
    # The driver gives instants in the time zone of the session, which is the server's or the role's.
    return instant.astimezone(UTC)
