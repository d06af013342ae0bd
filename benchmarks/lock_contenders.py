"""The locks that `benchmarks/locks.py` compares, each as its own documentation has it used, behind one way to hold it.

A contender is opened with a ttl in seconds and gives `hold(key)`: a context that waits for the lock, yields the fencing
token if there is one, and lets go at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

Hold = Callable[[str], AbstractContextManager[int | None]]

WAIT_SECONDS = 120.0


@dataclass(frozen=True)
class Places:
    """Where locks can live.

    Attributes:
        folder: A folder for those in files.
        postgres: URL of a PostgreSQL server.
        redis: URL of a Redis or Valkey server.
    """

    folder: Path
    postgres: str
    redis: str


def gradeonce_sqlite(places: Places, ttl_seconds: float) -> Hold:
    from gradeonce.leases import SqliteLeases

    return _gradeonce(SqliteLeases(places.folder / "leases.sqlite"), ttl_seconds)


def gradeonce_postgres(places: Places, ttl_seconds: float) -> Hold:
    from gradeonce.leases import PostgresLeases

    return _gradeonce(PostgresLeases(places.postgres), ttl_seconds)


def gradeonce_redis(places: Places, ttl_seconds: float) -> Hold:
    from gradeonce.leases import RedisLeases

    return _gradeonce(RedisLeases(places.redis), ttl_seconds)


def redis_py(places: Places, ttl_seconds: float) -> Hold:
    import redis

    client = redis.Redis.from_url(places.redis)

    @contextmanager
    def hold(key: str) -> Iterator[None]:
        with client.lock(f"redis-py/{key}", timeout=ttl_seconds, blocking_timeout=WAIT_SECONDS):
            yield None

    return hold


def python_redis_lock(places: Places, ttl_seconds: float) -> Hold:
    import redis
    import redis_lock

    client = redis.Redis.from_url(places.redis)

    @contextmanager
    def hold(key: str) -> Iterator[None]:
        with redis_lock.Lock(client, f"prl/{key}", expire=int(ttl_seconds), auto_renewal=True):
            yield None

    return hold


def tooz_redis(places: Places, ttl_seconds: float) -> Hold:
    where = urlsplit(places.redis)
    return _tooz(f"redis://{where.hostname}:{where.port}?lock_timeout={int(ttl_seconds)}")


def tooz_postgres(places: Places, ttl_seconds: float) -> Hold:
    return _tooz(places.postgres)


def file_lock(places: Places, ttl_seconds: float) -> Hold:
    import filelock

    @contextmanager
    def hold(key: str) -> Iterator[None]:
        with filelock.FileLock(_file(places, "lock", key), timeout=WAIT_SECONDS):
            yield None

    return hold


def file_generations(places: Places, ttl_seconds: float) -> Hold:
    import filelock

    @contextmanager
    def hold(key: str) -> Iterator[int | None]:
        lock = filelock.SoftReadWriteLock(
            _file(places, "generations", key),
            timeout=WAIT_SECONDS,
            heartbeat_interval=ttl_seconds / 3,
            stale_threshold=ttl_seconds,
        )
        with lock.write_lock():
            yield lock.generation

    return hold


def _gradeonce(store: object, ttl_seconds: float) -> Hold:
    from gradeonce.leases import acquire

    @contextmanager
    def hold(key: str) -> Iterator[int]:
        with acquire(store, key, ttl_seconds=ttl_seconds, wait_seconds=WAIT_SECONDS) as lease:
            yield lease.token

    return hold


def _tooz(url: str) -> Hold:
    import os

    from tooz import coordination

    coordinator = coordination.get_coordinator(url, str(os.getpid()).encode())
    coordinator.start(start_heart=url.startswith("redis"))

    @contextmanager
    def hold(key: str) -> Iterator[None]:
        with coordinator.get_lock(f"tooz/{key}".encode()):
            yield None

    return hold


def _file(places: Places, kind: str, key: str) -> str:
    return str(places.folder / f"{kind}-{key.replace('/', '-')}")


CONTENDERS: dict[str, Callable[[Places, float], Hold]] = {
    "gradeonce, SQLite": gradeonce_sqlite,
    "gradeonce, PostgreSQL": gradeonce_postgres,
    "gradeonce, Valkey": gradeonce_redis,
    "redis-py Lock, Valkey": redis_py,
    "python-redis-lock, Valkey": python_redis_lock,
    "tooz, Valkey": tooz_redis,
    "tooz, PostgreSQL": tooz_postgres,
    "filelock FileLock": file_lock,
    "filelock SoftReadWriteLock": file_generations,
}
