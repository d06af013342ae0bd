"""Daily sums for dates that were graded before there were any: made from the grades that stand, not grading anew."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gradeonce.clock import Clock
from gradeonce.errors import RefusedForSafety, ValidationFailed
from gradeonce.model import Query
from gradeonce.publish import ignore_steps, publish
from gradeonce.rules.derived import derived_from_grades
from gradeonce.run_id import new_run_id
from gradeonce.schema import ACCURACY
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.base import OnStep, Warehouse

_log = logging.getLogger(__name__)

CHUNK_ROWS = 200_000
"""Grades per publish, about."""


def dates_without_sums(warehouse: Warehouse) -> list[str]:
    """Return the dates that hold grades, but for which no daily sums were ever published."""
    # Grades first: sums come with their grades or after them, so those of a date that held grades by now are seen next.
    # The other way round a date that somebody grades in between would look as if its sums were missing.
    graded = [fence.partition for fence in warehouse.all_fences(ACCURACY) if fence.rows]
    have = [{fence.partition for fence in warehouse.all_fences(d.table) if fence.seq} for d in derived_from_grades()]
    return [partition for partition in graded if not all(partition in made for made in have)]


def add_missing_sums(warehouse: Warehouse, *, clock: Clock, on_step: OnStep = ignore_steps) -> list[str]:
    """Publish the daily sums that are missing. Return their dates.

    The grades that stand are published again, so that the fence decides against whoever grades the same date at the
    same time; since they are the same, no grade is written.
    """
    missing = dates_without_sums(warehouse)
    return [day for chunk in _chunks(warehouse, missing) for day in _added(warehouse, chunk, clock, on_step)]


def _added(warehouse: Warehouse, dates: Sequence[str], clock: Clock, on_step: OnStep) -> list[str]:
    """Add the sums of these dates; return those that have them now."""
    try:
        _add(warehouse, dates, clock, on_step)
    except (RefusedForSafety, ValidationFailed) as error:
        # Grades that somebody brought in as they are may break our rules; they get sums once they are clean.
        if len(dates) > 1:
            return [day for one in dates for day in _added(warehouse, [one], clock, on_step)]
        _log.warning("sums_not_added date=%s error=%s", dates[0], error.message)
        return []
    return list(dates)


def _add(warehouse: Warehouse, dates: Sequence[str], clock: Clock, on_step: OnStep) -> None:
    columns = ", ".join(quote_identifier(name) for name in ACCURACY.column_names)
    publish(
        warehouse,
        ACCURACY,
        # Only these dates are in view.
        Query(f"SELECT {columns} FROM {ACCURACY.name}", inputs={ACCURACY.name: tuple(dates)}),
        dates,
        run_id=new_run_id("d", clock.now()),
        holder="sums",
        kind="derive",
        derived=derived_from_grades(),
        clock=clock,
        on_step=on_step,
    )


def _chunks(warehouse: Warehouse, dates: Sequence[str]) -> list[list[str]]:
    rows = {fence.partition: fence.rows for fence in warehouse.all_fences(ACCURACY)} if dates else {}
    chunks: list[list[str]] = []
    size = CHUNK_ROWS
    for day in dates:
        if size >= CHUNK_ROWS:
            chunks.append([])
            size = 0
        chunks[-1].append(day)
        size += rows[day]
    return chunks
