"""Leases with fencing tokens: who may work on what, until when, and the number that lets a resource refuse the late.

with acquire(store, "consolidation/2026-01-17", ttl_seconds=60) as lease:
    write(rows, token=lease.token)      # the resource refuses a token below the highest it has seen
"""

from gradeonce.leases.acquire import LeaseEvent, Observer, acquire, acquire_all, new_holder
from gradeonce.leases.firestore_store import FirestoreLeases
from gradeonce.leases.lease import Lease, Loss, LossReason
from gradeonce.leases.memory_store import MemoryLeases
from gradeonce.leases.opening import open_store, store_beside
from gradeonce.leases.postgres_store import PostgresLeases
from gradeonce.leases.redis_store import RedisLeases
from gradeonce.leases.sqlite_store import SqliteLeases
from gradeonce.leases.store import LeaseRecord, LeaseStore

__all__ = [
    "FirestoreLeases",
    "Lease",
    "LeaseEvent",
    "LeaseRecord",
    "LeaseStore",
    "Loss",
    "LossReason",
    "MemoryLeases",
    "Observer",
    "PostgresLeases",
    "RedisLeases",
    "SqliteLeases",
    "acquire",
    "acquire_all",
    "new_holder",
    "open_store",
    "store_beside",
]
