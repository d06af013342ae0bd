"""Which column of theirs is which of ours: under our name, under one that many use, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from gradeonce.errors import UsageError
from gradeonce.schema import ACCURACY

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "actual_value": ("actual_points", "points"),
    "line_value": ("current_points_line", "points_line", "line"),
    "predicted_value": ("predicted_points",),
    "within_3": ("within_3_points",),
    "within_5": ("within_5_points",),
}
"""Names that tables of grades have for columns of ours; the first that is there counts, and ours before any."""

NEEDED = ("game_date", "system_id", "player_lookup", "predicted_value")
"""Columns without which a table holds no grades."""


@dataclass(frozen=True)
class Mapped:
    """What of their table is read.

    Attributes:
        columns: Our column by theirs.
        left_out: Columns of theirs that are not read.
        lacking: Columns of ours that they do not have.
    """

    columns: Mapping[str, str]
    left_out: tuple[str, ...]
    lacking: tuple[str, ...]


def mapped(theirs: Sequence[str], named: Mapping[str, str]) -> Mapped:
    """Find our columns among theirs.

    Args:
        theirs: Their columns.
        named: Their name by ours, as the user says.

    Raises:
        UsageError: If a column that is named is not there, or one is missing without which these are no grades.
    """
    by_lower = {name.lower(): name for name in theirs}
    for ours, name in named.items():
        if ours not in ACCURACY.column_names:
            raise UsageError(
                f"--column {ours}={name}: grades have no column {ours}.{_near(ours, ACCURACY.column_names)}"
            )
        if name.lower() not in by_lower:
            raise UsageError(f"--column {ours}={name}: the table has no column {name}.{_near(name, theirs)}")
    found = {by_lower[name.lower()]: ours for ours, name in named.items()}
    for ours in ACCURACY.column_names:
        there = [by_lower[one] for one in (ours, *SYNONYMS.get(ours, ())) if one in by_lower]
        if ours not in named and there and there[0] not in found:
            found[there[0]] = ours
    missing = [name for name in NEEDED if name not in found.values()]
    if missing:
        raise UsageError(
            f"These are no grades: the table has no {', '.join(missing)}.",
            hint=f"Say which column it is, e.g. --column {missing[0]}=THEIR_NAME. Its columns: {', '.join(theirs)}.",
        )
    return Mapped(
        columns=found,
        left_out=tuple(name for name in theirs if name not in found),
        lacking=tuple(name for name in ACCURACY.column_names if name not in found.values()),
    )


def _near(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""
