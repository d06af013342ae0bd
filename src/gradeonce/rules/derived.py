"""What follows from grades, and is published with them: the daily sums per system and market.

Whoever publishes the table of grades (a grading, a clean-up, a way back) passes these on, so that they never disagree.
"""

from __future__ import annotations

from functools import cache

from gradeonce.metrics.betting import ASSUMED_ODDS
from gradeonce.publish import Derived
from gradeonce.schema import DAILY_PERFORMANCE
from gradeonce.statements import statement
from gradeonce.validation import Validation

_FILE = "derived.sql"


@cache
def derived_from_grades() -> tuple[Derived, ...]:
    """Return what every publish of `prediction_accuracy` must pass as `derived`."""
    adds_up = Validation(
        "outcomes_add_up",
        statement(__package__, _FILE, "outcomes_add_up"),
        "sums hold outcomes that do not add up to the predictions",
    )
    return (Derived(DAILY_PERFORMANCE, daily_sql("SELECT * FROM staged"), (adds_up,)),)


def daily_sql(grades: str) -> str:
    """Return the SELECT of the daily sums over a SELECT of grades."""
    paid = paid_sql(grades, groups="game_date, system_id, market", in_scope="true")
    return statement(__package__, _FILE, "daily", sums=sums_sql(), paid=paid)


def paid_sql(grades: str, *, groups: str, in_scope: str) -> str:
    """Return the SELECT of grades with what each weighs in `sums_sql`.

    Args:
        grades: SELECT of grades.
        groups: Further columns, to group by.
        in_scope: Condition on those that count.
    """
    return statement(
        __package__, _FILE, "paid", grades=grades, groups=groups, in_scope=in_scope, assumed_odds=str(ASSUMED_ODDS)
    )


def sums_sql() -> str:
    """Return the list of sums over the rows of `paid_sql`: one definition for the report and the daily table."""
    return statement(__package__, _FILE, "sums")
