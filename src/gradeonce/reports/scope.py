"""What a report is about: dates, systems, markets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gradeonce.errors import UsageError
from gradeonce.statements import statement


@dataclass(frozen=True)
class Scope:
    """What was asked for.

    Attributes:
        start: First game date, inclusive; None: from the first one there is.
        end: Last game date, inclusive; None: to the last one there is.
        systems: Systems wanted; empty: all.
        markets: Markets wanted; empty: all.
    """

    start: date | None = None
    end: date | None = None
    systems: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()

    @classmethod
    def of(cls, start: date | None, end: date | None, systems: Sequence[str], markets: Sequence[str]) -> Scope:
        """Return a scope, checked.

        Raises:
            UsageError: If it starts after it ends, or one name was given where a list of names belongs.
        """
        if start is not None and end is not None and start > end:
            raise UsageError(f"The range starts on {start} and ends before that, on {end}.")
        for names, what in ((systems, "systems"), (markets, "markets")):
            if isinstance(names, str):
                raise UsageError(f"{what} is the text {names!r}; expected a list of names, e.g. [{names!r}].")
        return cls(start, end, tuple(systems), tuple(markets))

    @property
    def sql(self) -> str:
        """The condition for WHERE."""
        return statement(__package__, "report.sql", "in_scope")

    @property
    def params(self) -> Mapping[str, Any]:
        """The values it binds. Any: dates and lists of names."""
        return {
            "from_date": self.start,
            "to_date": self.end,
            "systems": list(self.systems),
            "markets": list(self.markets),
        }

    def described(self) -> str:
        """Return it in words, e.g. `between 2026-01-01 and 2026-01-31, system a`; empty when all was asked for."""
        if self.start is not None and self.end is not None:
            dates = f"on {self.start}" if self.start == self.end else f"between {self.start} and {self.end}"
        elif self.start is not None:
            dates = f"since {self.start}"
        else:
            dates = f"up to {self.end}" if self.end is not None else ""
        names = (_named("system", self.systems), _named("market", self.markets))
        return ", ".join(part for part in (dates, *names) if part)


def _named(what: str, names: tuple[str, ...]) -> str:
    return f"{what}{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""
