"""What is graded, what is pending, and what has become stale because its inputs moved."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from gradeonce.adopted import adopted_partitions
from gradeonce.model import Fence
from gradeonce.schema import ACCURACY, ACTUALS, INJURIES, PREDICTIONS
from gradeonce.warehouses.base import Warehouse

_LAST_RUNS = """
SELECT partition, max(graded_at) AS graded_at, (array_agg(status ORDER BY entry DESC))[1] AS status,
    coalesce(max(coalesce(inputs_read_at, graded_at)) FILTER (WHERE status IN ('published', 'unchanged')), '')
        AS inputs_read_at,
    (array_agg(coalesce(pending, 0) ORDER BY entry DESC) FILTER (WHERE status IN ('published', 'unchanged')))[1]
        AS pending,
    (array_agg(coalesce(predictions, 0) ORDER BY entry DESC) FILTER (WHERE status IN ('published', 'unchanged')))[1]
        AS predictions,
    (array_agg(error ORDER BY entry DESC) FILTER (WHERE error IS NOT NULL))[1] AS error
FROM grading_runs GROUP BY partition
"""


class DateState(StrEnum):
    """Where a date stands."""

    GRADED = "graded"
    PENDING = "pending"
    STALE = "stale"
    UNGRADED = "ungraded"
    FAILED = "failed"
    ADOPTED = "adopted"


@dataclass(frozen=True)
class DateStatus:
    """One date.

    Attributes:
        partition: The date, ISO.
        state: graded (nothing to do), pending (box scores missing), stale (inputs moved since), ungraded (never
            graded), failed (the last run failed) or adopted (graded by somebody else, not verified by us).
        prediction_rows: Prediction rows loaded, rivals included.
        graded_rows: Rows that stand in the accuracy table.
        pending: Of these, how many are pending.
        graded_at: When it was last graded, ISO 8601 UTC; empty if never.
        reasons: Why it is not simply graded.
    """

    partition: str
    state: DateState
    prediction_rows: int
    graded_rows: int
    pending: int
    graded_at: str
    reasons: tuple[str, ...]


def date_statuses(warehouse: Warehouse, *, first: date | None = None, last: date | None = None) -> list[DateStatus]:
    """Return the state of every date that has predictions or grades, in order."""
    # As of one instant: a date that somebody loads or grades between two looks would be told as what it never was.
    with warehouse.steady():
        return _statuses(warehouse, first, last)


def _statuses(warehouse: Warehouse, first: date | None, last: date | None) -> list[DateStatus]:
    with warehouse.reader() as reader:
        runs = {row["partition"]: row for row in reader.query(_LAST_RUNS).dicts()}
    fences = {
        table.name: {fence.partition: fence for fence in warehouse.all_fences(table)}
        for table in (PREDICTIONS, ACTUALS, INJURIES, ACCURACY)
    }
    adopted = set(adopted_partitions(warehouse))
    statuses = []
    for partition in sorted(set(fences[PREDICTIONS.name]) | set(fences[ACCURACY.name])):
        predicted = fences[PREDICTIONS.name].get(partition)
        graded = fences[ACCURACY.name].get(partition)
        prediction_rows = predicted.rows if predicted else 0
        graded_rows = graded.rows if graded else 0
        day = date.fromisoformat(partition)
        if (not prediction_rows and not graded_rows) or (first and day < first) or (last and day > last):
            continue
        run = runs.get(partition)
        # A date's box scores are its own, and those of its games that were played on another date.
        played = {partition, *warehouse.sharing(ACTUALS, "game_id", PREDICTIONS, [partition])}
        moved = _moved_since(run, fences, partition, played) if run else []
        has_box_scores = any(fence.rows for p, fence in fences[ACTUALS.name].items() if p in played)
        if partition in adopted:
            state, reasons = DateState.ADOPTED, _adopted(run)
        else:
            state, reasons = _state(run, graded_rows, moved, has_box_scores=has_box_scores)
        statuses.append(
            DateStatus(
                partition,
                state,
                prediction_rows,
                graded_rows,
                int(run["pending"] or 0) if run and graded_rows else 0,
                run["graded_at"] if run else "",
                tuple(reasons),
            )
        )
    return statuses


def _moved_since(
    run: dict[str, Any], fences: dict[str, dict[str, Fence]], partition: str, played: Collection[str]
) -> list[str]:
    """Return which inputs of a date were loaded after its last grading read them."""
    inputs = (
        (PREDICTIONS.name, {partition}, "predictions"),
        (ACTUALS.name, played, "box scores"),
        (INJURIES.name, {partition}, "injury reports"),
    )
    return [
        f"{word} were loaded since"
        for table, partitions, word in inputs
        if any(fence.published_at > run["inputs_read_at"] for p, fence in fences[table].items() if p in partitions)
    ]


def _state(
    run: dict[str, Any] | None, graded_rows: int, moved: Sequence[str], *, has_box_scores: bool
) -> tuple[DateState, list[str]]:
    if not graded_rows and not has_box_scores:
        return DateState.PENDING, ["no box scores are in yet"]
    if run is None:
        return DateState.UNGRADED, ["never graded"]
    # A run that failed beside grades that are up to date, such as one that found the date in other hands, is no news.
    if run["status"] == "failed" and (moved or not graded_rows):
        return DateState.FAILED, [str(run["error"] or "the last run failed")]
    if moved:
        return (DateState.STALE if graded_rows else DateState.UNGRADED), list(moved)
    if not graded_rows:
        return DateState.UNGRADED, ["never graded"]
    pending = int(run["pending"] or 0)
    if pending:
        return DateState.PENDING, [f"{pending} of {run['predictions']} predictions wait for a final box score"]
    return DateState.GRADED, []


def _adopted(run: dict[str, Any] | None) -> list[str]:
    failed = [str(run["error"])] if run and run["status"] == "failed" and run["error"] else []
    return ["unverified: graded by somebody else", *failed]


def ungraded_dates(warehouse: Warehouse) -> list[date]:
    """Return the dates whose predictions changed after the grades that stand, or that were never graded.

    What the caller must do: ask within a steady block, or what is graded meanwhile may be among them.
    """
    graded = {fence.partition: fence for fence in warehouse.all_fences(ACCURACY)}
    last_read = _inputs_last_read_at(warehouse)
    dates = []
    for fence in warehouse.all_fences(PREDICTIONS):
        stands = graded.get(fence.partition)
        if fence.rows and (
            stands is None or not stands.rows or fence.published_at > last_read.get(fence.partition, "")
        ):
            dates.append(date.fromisoformat(fence.partition))
    return dates


def _inputs_last_read_at(warehouse: Warehouse) -> dict[str, str]:
    with warehouse.reader() as reader:
        return {row["partition"]: row["inputs_read_at"] for row in reader.query(_LAST_RUNS).dicts()}
