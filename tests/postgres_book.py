"""Books in a real PostgreSQL server for tests, each in a schema of its own."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from servers import Postgres, postgres

__all__ = ["frozen", "postgres", "schema", "wait_for_waiters", "wait_until_gone", "waiters", "waiting"]

_numbers = itertools.count(1)


@pytest.fixture
def schema(postgres: Postgres) -> Iterator[str]:
    """The name of a schema that holds an empty book, dropped at the end."""
    import psycopg

    name = f"book_{next(_numbers)}"
    PostgresWarehouse.create(postgres.url, schema=name)
    yield name
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())


def waiting(postgres: Postgres) -> list[int]:
    """Return the server's processes, by id, in which a client of ours waits for a lock that somebody holds."""
    import psycopg

    with psycopg.connect(postgres.url, autocommit=True) as onlooker:
        found = onlooker.execute(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'gradeonce'"
        )
        return [int(pid) for (pid,) in found.fetchall()]


def waiters(postgres: Postgres) -> int:
    """Return how many sessions of ours wait in the server for a lock that somebody holds."""
    return len(waiting(postgres))


def wait_for_waiters(postgres: Postgres, count: int, *, patience_seconds: float = 120.0) -> None:
    """Return when so many do."""
    gives_up_at = time.monotonic() + patience_seconds
    while waiters(postgres) < count:
        assert time.monotonic() < gives_up_at, f"{waiters(postgres)} sessions wait for a lock, not {count}"
        time.sleep(0.02)


def wait_until_gone(postgres: Postgres, process: int, *, patience_seconds: float = 120.0) -> None:
    """Return when the server has ended one of its processes."""
    import psycopg

    gives_up_at = time.monotonic() + patience_seconds
    with psycopg.connect(postgres.url, autocommit=True) as onlooker:
        while onlooker.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [process]).fetchone():
            assert time.monotonic() < gives_up_at, f"process {process} of the server is still there"
            time.sleep(0.02)


@contextmanager
def frozen(processes: Sequence[int]) -> Iterator[None]:
    """Let processes of the server do nothing."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
