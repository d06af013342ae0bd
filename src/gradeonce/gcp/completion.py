"""What became of a message: told to a topic, and kept in the book to be told again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from gradeonce._version import __version__
from gradeonce.rules import RULES_VERSION

if TYPE_CHECKING:
    from gradeonce.backfill import GradeReport
    from gradeonce.gcp.message import GradeMessage

SCHEMA_VERSION = 1
"""Rises when a key changes its meaning or goes away; new keys may come at any time."""


@dataclass(frozen=True)
class Completion:
    """What became of a message; its fields are the keys of the JSON that the topic gets.

    Attributes:
        schema_version: Version of this layout.
        event_id: The event; the same for every repeat of this completion.
        correlation_id: As the message had it; the event's id if it had none.
        trigger_source: As the message had it.
        target_date: The date that was graded, ISO.
        status: published, unchanged, pending, nothing_to_grade or failed.
        error: Why it failed: kind and message; None unless it did.
        run_id: The run in the ledger; empty without one.
        token: Its fencing token; 0 when nothing was published.
        predictions: Predictions that count; the seven outcomes add up to it.
        outcomes: win, loss, push, no_bet, void, ungradable and pending, each with its count.
        revised: Grades changed against what stood before.
        mae: Mean absolute error of those who played; None without any.
        bias: Mean of prediction minus actual; positive is over-prediction; None without any.
        n: Predictions behind mae and bias.
        games: Games that were predicted.
        games_final: Of these, how many have a final box score.
        duplicates: Grades of the date beyond the first of their key, counted afterwards; None if that failed.
        other_dates: Further dates that were published with it, because a game moved between them.
        lock_wait_seconds: How long it waited for the lease.
        duration_seconds: From the message to here.
        run_aggregation: As the message had it; the daily sums were published with the grades in either case.
        finished_at: When it was done, ISO 8601 UTC.
        rules_version: Version of the grading rules.
        gradeonce_version: Version of gradeonce.
    """

    schema_version: int
    event_id: str
    correlation_id: str
    trigger_source: str
    target_date: str
    status: str
    error: Mapping[str, str] | None
    run_id: str
    token: int
    predictions: int
    outcomes: Mapping[str, int]
    revised: int
    mae: float | None
    bias: float | None
    n: int
    games: int
    games_final: int
    duplicates: int | None
    other_dates: tuple[str, ...]
    lock_wait_seconds: float
    duration_seconds: float
    run_aggregation: bool
    finished_at: str
    rules_version: int
    gradeonce_version: str

    def to_json(self) -> str:
        """Return it as one JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Completion:
        """Return what `to_json` wrote, also by a version that knew fewer keys or more."""
        known = json.loads(text)
        # Any: JSON values. A key that came later has no value there.
        values: dict[str, Any] = {field.name: known.get(field.name) for field in fields(Completion)}
        values["other_dates"] = tuple(values["other_dates"] or ())
        return Completion(**values)

    @property
    def attributes(self) -> dict[str, str]:
        """What the message of the topic carries beside its JSON, for filters."""
        return {
            "schema_version": str(self.schema_version),
            "event_id": self.event_id,
            "correlation_id": self.correlation_id,
            "target_date": self.target_date,
            "status": self.status,
        }


def completed(
    message: GradeMessage,
    report: GradeReport,
    *,
    duplicates: int | None,
    duration_seconds: float,
    finished_at: str,
) -> Completion:
    """Return what is to be told of a grading."""
    day = message.target_date.isoformat()
    run = next(run for run in report.runs if run.partition == day)
    error = report.errors.get(day)
    return Completion(
        schema_version=SCHEMA_VERSION,
        event_id=message.event_id,
        correlation_id=message.correlation_id,
        trigger_source=message.trigger_source,
        target_date=day,
        status=run.status,
        error=None if error is None else {"kind": type(error).__name__, "message": error.message},
        run_id=run.run_id,
        token=run.token,
        predictions=run.counts["predictions"],
        outcomes={name: count for name, count in run.counts.items() if name != "predictions"},
        revised=run.revised,
        mae=run.mae,
        bias=run.bias,
        n=run.n,
        games=run.games,
        games_final=run.games_final,
        duplicates=duplicates,
        other_dates=tuple(other.partition for other in report.runs if other.partition != day),
        lock_wait_seconds=run.lock_wait_seconds,
        duration_seconds=round(duration_seconds, 3),
        run_aggregation=message.run_aggregation,
        finished_at=finished_at,
        rules_version=RULES_VERSION,
        gradeonce_version=__version__,
    )
