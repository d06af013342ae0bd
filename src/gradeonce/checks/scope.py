"""What the checks look at: a range of dates, an instant, the settings; and the values that their SQL binds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gradeonce.dates import days_between
from gradeonce.metrics.intervals import normal_quantile
from gradeonce.rules import RuleSettings, select_params
from gradeonce.statements import quote_literal

if TYPE_CHECKING:
    from gradeonce.config import Settings


@dataclass(frozen=True)
class CheckScope:
    """What was asked for.

    Attributes:
        first: First game date, inclusive.
        last: Last game date, inclusive.
        now: The instant of the checks, UTC.
        settings: Thresholds, and the rules that say which predictions count.
    """

    first: date
    last: date
    now: datetime
    settings: Settings

    def since(self, first: date | None) -> CheckScope:
        """Return the same, from an earlier date on; None, or a later date, changes nothing."""
        return self if first is None or first >= self.first else replace(self, first=first)

    def values(self) -> dict[str, Any]:
        """Return the values that every check may bind. Any: dates, numbers, lists."""
        return {
            **thresholds(self.settings),
            "drift_z": normal_quantile(self.settings.drift_level),
            **select_params(RuleSettings.of(self.settings), days_between(self.first, self.last)),
            "first_date": self.first,
            "last_date": self.last,
            "now": self.now.astimezone(UTC).replace(tzinfo=None),
        }


def thresholds(settings: Settings) -> dict[str, int | float]:
    """Return the numbers of `[checks]` by name, and when what was staged is an orphan."""
    return {
        setting.name: getattr(settings, setting.name)
        for setting in fields(settings)
        if setting.name == "orphan_hours"
        or (setting.metadata.get("section") == "checks" and setting.type in ("int", "float"))
    }


def with_values(sql: str, values: Mapping[str, Any]) -> str:
    """Return the text with its values in it, to be shown and typed again; what is run has them bound."""
    names = "|".join(sorted(map(re.escape, values), key=len, reverse=True))
    if not values:
        return sql

    def put(match: re.Match[str]) -> str:
        value = values[match[1]]
        # An empty list has no type of its own.
        return f"CAST(ARRAY[] AS {_LISTS.get(match[1], 'VARCHAR')}[])" if value == [] else literal(value)

    return re.sub(rf"\$({names})\b", put, sql)


_LISTS = {"excluded_lines": "DECIMAL(18, 9)"}
"""Types of the lists that are compared as they are; the others are cast where they are read, or hold texts."""


def literal(value: Any) -> str:
    """Return a value as SQL that DuckDB and PostgreSQL read alike. Any: what a check binds."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}'"
    if isinstance(value, date):
        return f"DATE '{value}'"
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(literal, value))}]"
    if isinstance(value, int | float | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else repr(value)
    return quote_literal(str(value))
