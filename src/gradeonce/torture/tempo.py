"""How fast a torture goes: a warehouse that answers in seconds is struck more rarely, and its leases last longer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tempo:
    """What differs between a warehouse that answers in milliseconds and one that answers in seconds.

    Attributes:
        pace: Everything takes that many times as long: a lease, a pause, the time between two faults, and until fresh
            partitions come into play.
        readers: Processes that look.
        breath_seconds: How long a reader rests between two looks.
        reach_seconds: How long a blow waits for its step: about as long as a publish takes on a busy machine.
        consolidators, deduplicators: Two of each, so that one can take over from another that is stopped; or none. They
            work by the real algorithm only.
    """

    pace: float = 1.0
    readers: int = 2
    breath_seconds: float = 0.02
    reach_seconds: float = 1.0
    consolidators: int = 2
    deduplicators: int = 2


DATABASE = Tempo()

BIGQUERY = Tempo(pace=5.0, readers=1, breath_seconds=2.0, reach_seconds=20.0, consolidators=0, deduplicators=0)
"""A publish takes ten requests, each of which takes BigQuery as long as PostgreSQL takes for all of them. Keepers would
take those requests from the workers, so there are none."""


def tempo_of(server: str) -> Tempo:
    """Return the tempo of a torture whose book is at this URL; empty: in a folder."""
    return BIGQUERY if server.startswith("bigquery://") else DATABASE
