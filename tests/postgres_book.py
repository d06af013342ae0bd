"""Books in a real PostgreSQL server for tests, each in a schema of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from servers import Postgres, postgres

__all__ = ["postgres", "schema"]

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
