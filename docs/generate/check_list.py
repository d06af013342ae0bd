"""reference/checks.md: the checks there are, with what they mean and the settings they go by."""

from __future__ import annotations

from docstrings import table

from gradeonce.checks import built_in_checks
from gradeonce.checks.scope import thresholds
from gradeonce.config import Settings

INTRO = """# Checks

What `gradeonce check` looks at ([how to](../howto/check-every-morning.md); [what a failure means, and what to
type](../howto/runbook-checks.md)). Each is one named SQL statement that returns what breaks the rule. The severity is
that of a finding; where it says both, the finding says which. Settings are keys of `[checks]`.
"""


def page() -> str:
    numbers = thresholds(Settings())
    rows = [
        (
            str(check.number),
            f"[`{check.name}`](../howto/runbook-checks.md#{check.name})",
            "warn or fail" if "AS severity" in check.findings else check.severity.value,
            check.about,
            ", ".join(f"`{name}` = {value:g}" for name, value in numbers.items() if name in _used(check.values)),
        )
        for check in built_in_checks()
    ]
    return "\n\n".join([INTRO, table(("", "check", "severity", "what must hold", "settings and their defaults"), rows)])


def _used(values: frozenset[str]) -> frozenset[str]:
    # The quantile is made of the level.
    return values | {"drift_level"} if "drift_z" in values else values
