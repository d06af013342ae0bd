"""Letting go of what no reader sees: leftovers of runs that died, and versions that were replaced long ago."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gradeonce.clock import Clock
from gradeonce.errors import GradeonceError
from gradeonce.leases import new_holder
from gradeonce.publish import ignore_steps
from gradeonce.run_id import new_run_id
from gradeonce.warehouses.base import Leftover, OnStep, Removal, Warehouse

if TYPE_CHECKING:
    from gradeonce.config import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CollectReport:
    """What was, or would be, removed.

    Attributes:
        applied: Whether it was removed; otherwise it only would be.
        files: What it is. Nobody reads any of it.
    """

    applied: bool
    files: tuple[Leftover, ...]

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(file.bytes for file in self.files)


def collect(
    warehouse: Warehouse, settings: Settings, clock: Clock, *, apply: bool = False, on_step: OnStep = ignore_steps
) -> CollectReport:
    """Remove what no reader sees and what is older than `[warehouse]` says; without `apply` only say what would go."""
    found = warehouse.collect(_removal(settings, clock), apply=apply, on_step=on_step)
    return CollectReport(apply, tuple(found))


def collect_when_due(warehouse: Warehouse, settings: Settings, clock: Clock, *, on_step: OnStep = ignore_steps) -> None:
    """Do so if it was not done for `[warehouse] collect_hours`; what goes wrong here is logged, and no error."""
    if settings.collect_hours == 0:
        return
    since = clock.now() - timedelta(hours=settings.collect_hours)
    try:
        warehouse.collect(replace(_removal(settings, clock), unless_since=since), apply=True, on_step=on_step)
    except GradeonceError as error:
        # What was asked for is done; the next run comes by here again.
        _log.warning("not_collected error=%s", error.message)


def _removal(settings: Settings, clock: Clock) -> Removal:
    """Return what may go by the settings, as of now."""
    now = clock.now()
    unfinished = now - timedelta(hours=settings.leftover_hours)
    return Removal(
        unfinished_before=unfinished,
        # A query that began before the rows were replaced may still be reading them: at least as long.
        replaced_before=min(unfinished, now - timedelta(days=settings.version_days)),
        run_id=new_run_id("gc", now),
        holder=new_holder("gc"),
    )
