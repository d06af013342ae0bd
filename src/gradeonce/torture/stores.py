"""The lock stores a torture can use: each with records of its own, which it can make the store forget, and removes.

The records lie beside the user's (another hash in Redis, another table in PostgreSQL), so that a flush in the middle of
a torture never touches a lease of anybody else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from gradeonce.clock import Clock, SystemClock
from gradeonce.errors import TransientWarehouseError
from gradeonce.leases import LeaseStore, MemoryLeases, SqliteLeases
from gradeonce.sqlite_file import SqliteFile
from gradeonce.statements import quote_identifier

FLUSH_SECONDS = 10.0
"""How long one call may take that deletes leases in Firestore."""


class LockFaults(Protocol):
    """A lock store, and what may be done to it."""

    def open(self, clock: Clock) -> LeaseStore | None:
        """Open the store; None when leases are switched off. It connects with its first verb."""
        ...

    def reach(self) -> None:
        """Ask the store something. One that is out of reach before anything was broken is the user's to mend."""
        ...

    def warm_up(self) -> None:
        """Import the driver; nothing is opened, since an open connection must not be forked."""
        ...

    def flush(self) -> int:
        """Make the store forget the leases of this torture. Return how many there were."""
        ...

    def remove(self) -> None:
        """Take away whatever the torture left in the store."""
        ...


class _ReachedFromHere:
    """Asks the store from this process, and leaves no connection behind."""

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        raise NotImplementedError

    def reach(self) -> None:
        """See `LockFaults.reach`."""
        store = self.open(SystemClock())
        if store is not None:
            store.records()
            store.close()


class InTheCatalog(_ReachedFromHere):
    """SQLite, in the catalog of the scratch book. Its clock is the machine's, so a skewed worker misjudges leases."""

    def __init__(self, catalog: Path) -> None:
        self._catalog = catalog

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        return SqliteLeases(self._catalog, clock=clock)

    def warm_up(self) -> None:
        """See `LockFaults.warm_up`."""

    def flush(self) -> int:
        """See `LockFaults.flush`."""
        # Opened for this one time: a connection that is open while its process forks endangers the file.
        file = SqliteFile(self._catalog, durable=False)
        try:
            with file.write() as connection:
                return connection.execute("DELETE FROM leases").rowcount
        finally:
            file.close()

    def remove(self) -> None:
        """See `LockFaults.remove`. It goes with the book."""


class InMemory(_ReachedFromHere):
    """Every process has a store of its own: the leases keep nobody out, and the fence alone holds."""

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        return MemoryLeases(clock=clock)

    def warm_up(self) -> None:
        """See `LockFaults.warm_up`."""

    def flush(self) -> int:
        """See `LockFaults.flush`. A killed process forgets its leases as it is."""
        return 0

    def remove(self) -> None:
        """See `LockFaults.remove`."""


class Off(InMemory):
    """No leases at all."""

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        return None


class InRedis(_ReachedFromHere):
    """A hash of its own in Redis or Valkey."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, f"gradeonce:{name}"

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        from gradeonce.leases.redis_store import RedisLeases

        return RedisLeases(self._url, name=self._name)

    def warm_up(self) -> None:
        """See `LockFaults.warm_up`."""
        import redis  # noqa: F401 (imported for those who are forked)

    def flush(self) -> int:
        """See `LockFaults.flush`."""
        import redis

        client = redis.Redis.from_url(re.sub("^valkey", "redis", self._url))
        try:
            with client.pipeline() as both:
                both.hlen(self._name)
                both.delete(self._name)
                return int(both.execute()[0])
        except redis.RedisError as error:
            raise TransientWarehouseError(f"The lock store could not be flushed: {type(error).__name__}.") from error
        finally:
            client.close()

    def remove(self) -> None:
        """See `LockFaults.remove`."""
        self.flush()


class InPostgres(_ReachedFromHere):
    """A table of its own in PostgreSQL."""

    def __init__(self, url: str, table: str) -> None:
        """Remember where; `table` may be schema.table."""
        self._url, self._table = url, table
        self._quoted = ".".join(quote_identifier(part) for part in table.split("."))

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        from gradeonce.leases.postgres_store import PostgresLeases

        return PostgresLeases(self._url, table=self._table)

    def warm_up(self) -> None:
        """See `LockFaults.warm_up`."""
        import psycopg  # noqa: F401 (imported for those who are forked)

    def flush(self) -> int:
        """See `LockFaults.flush`."""
        return self._run(f"DELETE FROM {self._quoted}")

    def remove(self) -> None:
        """See `LockFaults.remove`."""
        self._run(f"DROP TABLE IF EXISTS {self._quoted}")

    def _run(self, sql: str) -> int:
        import psycopg

        try:
            with psycopg.connect(self._url, autocommit=True) as connection:
                return connection.execute(sql.encode()).rowcount
        except psycopg.errors.UndefinedTable:
            return 0
        except psycopg.Error as error:
            raise TransientWarehouseError(f"The lock store could not be flushed: {type(error).__name__}.") from error


class InFirestore:
    """Collections of its own in Firestore.

    The driver starts threads that do not survive a fork, so whoever is to be forked must not have used it: the host
    never does, and those whom it forks use it for themselves.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = firestore_url(url, name)

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        from gradeonce.leases.firestore_store import FirestoreLeases

        return FirestoreLeases(self._url)

    def reach(self) -> None:
        """See `LockFaults.reach`. The judge starts the host afresh, by no fork of its own."""
        from gradeonce.leases.firestore_store import FirestoreLeases

        store = FirestoreLeases(self._url)
        store.records()
        store.close()

    def warm_up(self) -> None:
        """See `LockFaults.warm_up`."""
        import google.cloud.firestore  # noqa: F401 (imported for those who are forked)

    def flush(self) -> int:
        """See `LockFaults.flush`."""
        return forgotten(self._url)

    def remove(self) -> None:
        """See `LockFaults.remove`."""
        self.flush()


def firestore_url(url: str, name: str) -> str:
    """Return where the leases of one torture are, beside those of the URL."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def forgotten(url: str) -> int:
    """Delete the documents of a torture, which no lease store would do. Return how many there were."""
    from google.cloud import firestore

    parts = urlsplit(url)
    name, count = parts.path.strip("/"), 0
    client = firestore.Client(project=parts.netloc or None, database=dict(parse_qsl(parts.query)).get("database"))
    try:
        for collection in client.collections(timeout=FLUSH_SECONDS):
            if collection.id == name or collection.id.endswith(f"_{name}"):
                for document in collection.list_documents(timeout=FLUSH_SECONDS):
                    document.delete(timeout=FLUSH_SECONDS)
                    count += 1
    finally:
        client.close()  # type: ignore[no-untyped-call]
    return count


def lock_faults(store: str, *, in_the_book: LockFaults, name: str) -> LockFaults:
    """Return the lock store that a setting names, with records of this torture only.

    Args:
        store: As in [lock] store.
        in_the_book: What `sqlite` means for this book.
        name: Letters, digits and underscores that no other torture has.
    """
    if store == "off":
        return Off()
    if store == "memory":
        return InMemory()
    if store.startswith("postgres"):
        return InPostgres(store, name)
    if store.startswith("firestore"):
        return InFirestore(store, name)
    if "://" in store:
        return InRedis(store, name)
    return in_the_book
