"""What a consolidation of staged predictions gives reason to tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gradeonce.alerts.announce import Announced, announce_safely
from gradeonce.alerts.problem import AlertKind, Problem, Severity
from gradeonce.errors import ConfigError, GradeonceError, UsageError
from gradeonce.schema import PREDICTIONS

if TYPE_CHECKING:
    from gradeonce.staging import ConsolidationReport


def consolidate_and_tell(
    consolidate: Callable[[], ConsolidationReport], announce: Callable[..., Announced], batch: str
) -> ConsolidationReport:
    """Consolidate a batch, and tell the channels that it failed or is well again.

    Args:
        consolidate: Does it.
        announce: `Book.announce`.
        batch: Which one.
    """
    try:
        report = consolidate()
    except Exception as error:
        announce_safely(announce, failed_consolidation(batch, error))
        raise
    announce_safely(announce, [], scope=[consolidation_identity(batch)])
    return report


def consolidation_identity(batch: str) -> str:
    """Return the identity of the problem that a batch is not merged; a consolidation that ends well ends it."""
    return f"consolidation/{batch}"


def failed_consolidation(batch: str, error: Exception) -> list[Problem]:
    """Return the problem of a batch that was not merged; none for a mistake in the call."""
    if isinstance(error, UsageError | ConfigError):
        return []
    ours = isinstance(error, GradeonceError)
    return [
        Problem(
            kind=AlertKind.CONSOLIDATION_FAILED,
            identity=consolidation_identity(batch),
            severity=Severity.FAIL,
            title=f"The batch {batch} was not consolidated",
            what=str(error) if ours else f"{type(error).__name__}. This is our bug; the staging is kept.",
            place=PREDICTIONS.name,
            command=f"gradeonce stage consolidate --batch {batch}",
        )
    ]
