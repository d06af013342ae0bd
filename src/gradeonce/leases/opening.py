"""Opening the lease store that a setting names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.clock import Clock
from gradeonce.config import LOCK_SCHEMES, mask_secrets
from gradeonce.errors import ConfigError
from gradeonce.leases.firestore_store import FirestoreLeases
from gradeonce.leases.memory_store import MemoryLeases
from gradeonce.leases.postgres_store import PostgresLeases
from gradeonce.leases.redis_store import RedisLeases

if TYPE_CHECKING:
    from gradeonce.config import Settings
    from gradeonce.leases.store import LeaseStore

_MEMORY = MemoryLeases()
"""Everything in one process that names `memory` means the same store."""


def leases_of(settings: Settings, clock: Clock) -> LeaseStore:
    """Open the lease store of a book. Switched off, there is still the book's own to look at, with what was claimed.

    Raises:
        ConfigError: If the settings name none that can be.
    """
    from gradeonce.leases.sqlite_store import SqliteLeases
    from gradeonce.warehouses.embedded.catalog import CATALOG_FILE

    if settings.book_is_url and settings.store in ("sqlite", "off"):
        return store_beside(settings.book, settings.schema)
    catalog = settings.book_path / CATALOG_FILE
    return open_store(settings.store, catalog=catalog, clock=clock) or SqliteLeases(catalog, clock=clock)


def store_beside(book: str, schema: str) -> LeaseStore:
    """Open the leases that live in the same database as a book on a server.

    Raises:
        ConfigError: If the book is in BigQuery, which is no place for leases.
    """
    if book.startswith("bigquery://"):
        raise ConfigError(
            "A book in BigQuery keeps no leases of its own.",
            hint="Set [lock] store to a server, such as firestore://project/locks, or to `off`.",
        )
    return PostgresLeases(book, table=f"{schema}.leases")


def open_store(store: str, *, catalog: Path | None = None, clock: Clock | None = None) -> LeaseStore | None:
    """Open a lease store. No server is asked yet: one that is out of reach is noticed by the first verb.

    Args:
        store: What `[lock] store` may be: `sqlite`, `memory`, `off`, or a URL of PostgreSQL, Redis, Valkey or
            Firestore.
        catalog: The SQLite file of `sqlite`, which must exist.
        clock: Time, for `sqlite`, which has no clock of its own; None takes the machine's.

    Returns:
        The store; None for `off`.

    Raises:
        ConfigError: If there is no such store, its driver is not installed, or the file is missing.
    """
    if store == "off":
        return None
    if store == "memory":
        return _MEMORY
    if store == "sqlite":
        from gradeonce.leases.sqlite_store import SqliteLeases

        if catalog is None or not catalog.is_file():
            raise ConfigError(
                "Leases in the book need a book" + (f", and {catalog.parent} holds none." if catalog else "."),
                hint="Make one with `gradeonce init`, name its folder with --book, or set [lock] store to a server.",
            )
        return SqliteLeases(catalog, clock=clock)
    scheme = store.partition("://")[0]
    if scheme in LOCK_SCHEMES and scheme != store:
        if scheme == "firestore":
            return FirestoreLeases(store)
        return PostgresLeases(store) if scheme.startswith("postgres") else RedisLeases(store)
    known = ", ".join(f"{name}://" for name in LOCK_SCHEMES)
    raise ConfigError(f"There is no lock store {mask_secrets(store)!r}; expected sqlite, memory, off, or {known}.")
