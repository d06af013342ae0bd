"""Problems for tests, and a book that tells a receiver of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from builders import FakeClock
from gradeonce.alerts import AlertKind, Announced, Problem, Severity, announce
from gradeonce.config import Settings
from gradeonce.publish import ignore_steps
from gradeonce.warehouses.base import OnStep, Warehouse

DAY = "2026-01-17"


def problem(**values: Any) -> Problem:
    """Return a problem with defaults for what a test does not care about. Any: fields of Problem."""
    given: dict[str, Any] = {
        "kind": AlertKind.RUN_FAILED,
        "identity": f"grading/{DAY}/run_failed",
        "severity": Severity.FAIL,
        "title": f"Grading of {DAY} failed",
        "what": "The staged rows broke a rule. Nothing was published; the last published state stands.",
        "place": DAY,
        "command": f"gradeonce grade {DAY} --dry-run",
        **values,
    }
    return Problem(**given)


def warning(**values: Any) -> Problem:
    """Return the same problem, not so bad. Any: fields of Problem."""
    return problem(severity=Severity.WARN, **values)


@dataclass
class Desk:
    """Announces for one book, with the same settings and clock every time."""

    warehouse: Warehouse
    settings: Settings
    clock: FakeClock = field(default_factory=FakeClock)

    def announce(self, *problems: Problem, scope: Sequence[str] = (), on_step: OnStep = ignore_steps) -> Announced:
        """Announce these problems; whoever names no scope examined nothing else."""
        return announce(self.warehouse, self.settings, self.clock, problems, scope=scope, on_step=on_step)
