"""The incident: half a million grades, of which 214 stand twice, because two runs graded three dates at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from gradeonce.statements import quote_literal, statement
from gradeonce.warehouses.engine import open_engine, run

FIRST_DATE = date(2025, 10, 21)


@dataclass(frozen=True)
class Incident:
    """What was written.

    Attributes:
        path: The dump, Parquet, in our own columns; instants carry their offset.
        rows: Rows in it.
        keys: Keys in it.
        doubled: Keys that stand twice, by date.
    """

    path: Path
    rows: int
    keys: int
    doubled: dict[str, int]


def simulate_incident(
    path: Path,
    *,
    keys: int = 494_583,
    dates: int = 170,
    places: Sequence[int] = (76, 77, 91),
    counts: Sequence[int] = (104, 105, 5),
) -> Incident:
    """Write the grades as the incident left them; the same every time.

    Args:
        path: Where, a `.parquet` file.
        keys: Grades without the copies.
        dates: Dates they are spread over, one after the other.
        places: Dates on which keys stand twice, by their place.
        counts: How many keys of each do.
    """
    select = statement(__package__, "incident.sql", "grades")
    params = {"keys": keys, "dates": dates, "places": list(places), "counts": list(counts)}
    with open_engine() as engine:
        run(engine, f"COPY ({select}) TO {quote_literal(str(path))} (FORMAT parquet)", params)
    doubled = {
        (FIRST_DATE + timedelta(days=place)).isoformat(): count for place, count in zip(places, counts, strict=True)
    }
    return Incident(path, keys + sum(counts), keys, doubled)
