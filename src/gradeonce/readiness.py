"""Whether a date can be graded: are there predictions, are the box scores in, and do they cover the predictions?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gradeonce.errors import InputError
from gradeonce.grading import Grader, PartitionRun
from gradeonce.schema import ACTUALS


class ReadyState(StrEnum):
    """How far the inputs of a date are."""

    READY = "ready"
    WAITING = "waiting"
    IDLE = "idle"


class Missing(StrEnum):
    """What a date lacks."""

    PREDICTIONS = "predictions"
    BOX_SCORES = "box_scores"


@dataclass(frozen=True)
class Readiness:
    """What is in for a date, and what is not.

    Attributes:
        game_date: The date.
        state: ready; waiting (something is missing); or idle (nothing is known of the date: most likely a day off).
        predictions: Predictions that count.
        games: Games that were predicted.
        games_final: Of these, how many have a final box score.
        pending: Predictions of the others.
        ungradable: Predictions that do not meet the final box scores.
        missing: What is missing.
        reason: Why it is not ready, in a sentence; empty when it is.
    """

    game_date: date
    state: ReadyState
    predictions: int = 0
    games: int = 0
    games_final: int = 0
    pending: int = 0
    ungradable: int = 0
    missing: tuple[Missing, ...] = ()
    reason: str = ""


def readiness_of(grader: Grader, day: date) -> Readiness:
    """Look what is in for a date. It is graded by the very rules for that, and nothing is written."""
    partition = day.isoformat()
    try:
        run = next(run for run in grader.preview([day]) if run.partition == partition)
    except InputError as error:
        # Ids that can meet no box score: more of the same will not help, other box scores may.
        return Readiness(day, ReadyState.WAITING, missing=(Missing.BOX_SCORES,), reason=error.message)
    box_rows = sum(fence.rows for fence in grader.warehouse.all_fences(ACTUALS) if fence.partition == partition)
    state, missing, reason = _judge(run, box_rows, grader.settings.coverage_fail)
    return Readiness(
        game_date=day,
        state=state,
        predictions=run.counts["predictions"],
        games=run.games,
        games_final=run.games_final,
        pending=run.counts["pending"],
        ungradable=run.counts["ungradable"],
        missing=missing,
        reason=reason,
    )


def is_ready(run: PartitionRun, least_coverage: float) -> bool:
    """Say whether a run, of whatever was in by then, left nothing to wait for.

    Args:
        least_coverage: Share of the predictions that must meet the box scores.
    """
    return bool(run.counts["predictions"]) and _judge(run, 0, least_coverage)[0] is ReadyState.READY


def _judge(run: PartitionRun, box_rows: int, least_coverage: float) -> tuple[ReadyState, tuple[Missing, ...], str]:
    predictions, pending, lost = (run.counts[name] for name in ("predictions", "pending", "ungradable"))
    if not predictions and not box_rows:
        both = (Missing.PREDICTIONS, Missing.BOX_SCORES)
        return ReadyState.IDLE, both, "neither predictions nor box scores are in"
    if not predictions:
        return ReadyState.WAITING, (Missing.PREDICTIONS,), "box scores are in, but no prediction that counts"
    if pending:
        games = f"{run.games_final} of {run.games} games have a final box score"
        return ReadyState.WAITING, (Missing.BOX_SCORES,), f"{games}; {pending:,} predictions wait"
    if predictions - lost < least_coverage * predictions:
        share = f"{lost:,} of {predictions:,} predictions do not meet the box scores"
        return ReadyState.WAITING, (Missing.BOX_SCORES,), f"{share}; more than [checks] coverage_fail allows"
    return ReadyState.READY, (), ""
