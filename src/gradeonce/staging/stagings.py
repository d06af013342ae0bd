"""Where writes to staging lie: one partition for each, named by batch, worker and content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gradeonce.clock import Clock
from gradeonce.errors import UsageError
from gradeonce.leases import LeaseStore
from gradeonce.model import Fence
from gradeonce.publish import ignore_steps
from gradeonce.schema import STAGED_PREDICTIONS
from gradeonce.warehouses.base import OnStep, Warehouse

if TYPE_CHECKING:
    from gradeonce.config import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class Letter(StrEnum):
    """First letter of a run's identity. A fence keeps the last run's, and so tells how its staging was emptied."""

    WRITE = "w"
    CONSOLIDATION = "c"
    SWEEP = "s"


@dataclass(frozen=True)
class Staging:
    """The staging of one book.

    Attributes:
        warehouse: Where everything is.
        settings: The settings.
        leases: Lease store; None consolidates under the fence alone.
        clock: Time.
        on_step: Called as each step is reached.
    """

    warehouse: Warehouse
    settings: Settings
    leases: LeaseStore | None
    clock: Clock
    on_step: OnStep = ignore_steps

    def fences_of(self, batch: str) -> list[Fence]:
        """Return the fence of every write that the batch ever had; one without rows was emptied, or never landed."""
        return [f for f in self.warehouse.all_fences(STAGED_PREDICTIONS) if f.partition.startswith(f"{batch}/")]


def staging_of(batch: str, worker: str, content: str) -> str:
    """Return the partition of a write: the same content of one worker is the same write."""
    return f"{batch}/{worker}/{content[:16]}"


def batch_of(fence: Fence) -> str:
    """Return the batch of a write."""
    return fence.partition.split("/")[0]


def rows_by_worker(fences: Sequence[Fence]) -> dict[str, int]:
    """Return how many rows of each worker these writes hold."""
    rows: dict[str, int] = {}
    for fence in fences:
        worker = fence.partition.split("/")[1]
        rows[worker] = rows.get(worker, 0) + fence.rows
    return rows


def require_names(**names: str) -> None:
    """Refuse names that could be mistaken for another's place.

    Raises:
        UsageError: If one is empty, too long, or holds anything but letters, digits and a few marks.
    """
    for what, name in names.items():
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot name a {what}: letters, digits and . _ : - are allowed, a letter or digit first, "
                "100 at most."
            )
