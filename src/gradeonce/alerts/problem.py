"""What an alert is about: one problem, with an identity by which its repeats are known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gradeonce.errors import UsageError

LONGEST_IDENTITY = 200
MOST_KEYS = 20
"""Sample keys an alert keeps; the command to look closer shows the rest."""


class AlertKind(StrEnum):
    """What kind of problem it is; each has its entry in the runbook."""

    DUPLICATES_FOUND = "duplicates_found"
    LEASE_NOT_ACQUIRED = "lease_not_acquired"
    LEASE_LOST = "lease_lost"
    LOCK_UNAVAILABLE = "lock_unavailable"
    RUN_FAILED = "run_failed"
    CHECK_FAILED = "check_failed"
    COVERAGE_LOW = "coverage_low"
    NOT_READY = "not_ready"
    CONSOLIDATION_FAILED = "consolidation_failed"
    COMPLETION_FAILED = "completion_failed"
    RECOVERY = "recovery"


class Severity(StrEnum):
    """How bad it is: `warn` can wait for the morning, `fail` means that grades are missing or wrong."""

    WARN = "warn"
    FAIL = "fail"

    def is_worse_than(self, other: Severity) -> bool:
        """Say whether this is above the other."""
        return self is Severity.FAIL and other is Severity.WARN


@dataclass(frozen=True)
class Problem:
    """Something an operator should know.

    Attributes:
        kind: What kind; `recovery` is announced by itself and cannot be a problem.
        identity: What makes it *the* problem, whoever sees it and however often: a path from the general to the
            particular, e.g. `grading/2026-01-17/run_failed` or `check/duplicate_grades`. It never holds an instant, a
            count or a run's id, which would make every repeat a new problem.
        severity: warn or fail.
        title: One line: what is wrong, and with what.
        what: What happened and what state the data is in now, in a few sentences.
        place: Where: the date, table, check or lease.
        command: The command to type to look closer.
        since_at: Since when it is so, if that is known; None: since it was first seen.
        how_many: How many rows, keys or dates are concerned; None where it is not a matter of number.
        sample_keys: Up to 20 keys that show it.
    """

    kind: AlertKind
    identity: str
    severity: Severity
    title: str
    what: str
    place: str
    command: str
    since_at: datetime | None = None
    how_many: int | None = None
    sample_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could not be recognised when it comes again.

        Raises:
            UsageError: If the identity is empty, too long or ends with `/`, or the kind is recovery.
        """
        if not self.identity.strip() or self.identity.endswith("/") or len(self.identity) > LONGEST_IDENTITY:
            raise UsageError(
                f"{self.identity[:80]!r} cannot identify a problem: at most {LONGEST_IDENTITY} characters, "
                "and no / at its end."
            )
        if self.kind is AlertKind.RECOVERY:
            raise UsageError("A recovery is announced when a problem is gone; it cannot be one.")


def is_within(identity: str, scope: tuple[str, ...]) -> bool:
    """Say whether an identity is named by the scope: as it stands, or by a part that ends with `/` above it."""
    return any(identity == part or (part.endswith("/") and identity.startswith(part)) for part in scope)
