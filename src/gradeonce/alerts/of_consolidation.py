"""What a consolidation of staged predictions gives reason to tell."""

from __future__ import annotations

from gradeonce.alerts.problem import AlertKind, Problem, Severity
from gradeonce.errors import ConfigError, GradeonceError, UsageError
from gradeonce.schema import PREDICTIONS


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
