"""Histories of a torture, written by hand: a correct one, and what it takes to plant a lie in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from gradeonce.torture.history import Event
from gradeonce.torture.shelves import Version

SHELF, NEIGHBOUR = "shelf-0000", "shelf-0001"

A, B, C = Version("va", 1), Version("vb", 3), Version("vc", 2)
"""Contents of 6, 8 and 7 rows (5 + number % 13)."""


def attempt(
    at: float, who: str, run: str, version: Version, token: int = 0, shelves: Sequence[str] = (SHELF,)
) -> Event:
    """Return the announcement of a run."""
    return Event(
        at,
        who,
        "attempt",
        {
            "run": run,
            "version": version.name,
            "rows": version.rows,
            "checksum": version.checksum,
            "shelves": list(shelves),
            "tokens": dict.fromkeys(shelves, token) if token else {},
        },
    )


def acknowledged(
    at: float, who: str, run: str, *, token: int, seq: int, status: str = "published", shelves: Sequence[str] = (SHELF,)
) -> Event:
    """Return the warehouse's word that a run was published."""
    part = {"status": status, "token": token, "seq": seq}
    return Event(at, who, "acknowledged", {"run": run, "shelves": {shelf: dict(part) for shelf in shelves}})


def refused(at: float, who: str, run: str, *, token: int, reason: str = "superseded", shelf: str = SHELF) -> Event:
    """Return the warehouse's word that a run was refused."""
    data = {"run": run, "shelves": [shelf], "tokens": {shelf: token}, "reason": reason, "error": "lost"}
    return Event(at, who, "refused", data)


def seen(version: Version, run: str, **other: Any) -> dict[str, Any]:
    """Return what a reader sees of one whole version. Any: whatever shall differ from it."""
    whole = {"rows": version.rows, "keys": version.rows, "checksum": version.checksum}
    return {**whole, "versions": [version.name], "runs": [run], **other}


def looked(at: float, shelves: dict[str, dict[str, Any]], *, who: str = "r0", asked: Sequence[str] = (SHELF,)) -> Event:
    """Return a look that took a tenth of a second."""
    return Event(at, who, "looked", {"began": at - 0.1, "asked": list(asked), "shelves": shelves})


def entry(number: int, run: str, *, token: int, seq: int, content: str, rows: int, **other: Any) -> Event:
    """Return one entry of the ledger. Any: status or shelf, where they are not the usual ones."""
    values = {"number": number, "run": run, "shelf": SHELF, "status": "published", "token": token, "seq": seq}
    return Event(9.0, "judge", "ledger", {**values, "rows": rows, "hash": content, **other})


def stands(shelves: dict[str, dict[str, Any]]) -> Event:
    """Return the judge's look at the end."""
    return Event(9.2, "judge", "stands", {"began": 9.1, "asked": [SHELF], "shelves": shelves})


def revised(run: str, change: str, old: str | None, new: str | None, rows: int) -> Event:
    """Return a sum of revisions."""
    data = {"shelf": SHELF, "run": run, "change": change, "old": old, "new": new, "rows": rows}
    return Event(9.3, "judge", "revised", data)


def correct_history() -> list[Event]:
    """Return two versions of one partition, the second published twice, and a stale writer that was refused.

    0: torture, 1: began, then run a (token 1) by w0.1, run b (token 2) by w1.1 and run b_again, run c refused.
    """
    return [
        Event(0.0, "judge", "torture", {"command": "gradeonce torture --seed 1"}),
        Event(0.5, "nemesis", "began"),
        Event(0.9, "w0.1", "acquired", {"shelf": SHELF, "token": 1, "waited": 0.0, "took_over": False}),
        attempt(1.0, "w0.1", "a", A, 1),
        acknowledged(1.5, "w0.1", "a", token=1, seq=1),
        looked(1.8, {SHELF: seen(A, "a")}),
        attempt(1.9, "w0.1", "c", C, 1),
        Event(2.0, "nemesis", "fault", {"fault": "pause", "number": 1, "workers": [0], "step": "", "seconds": 2.0}),
        Event(2.9, "w1.1", "acquired", {"shelf": SHELF, "token": 2, "waited": 0.5, "took_over": True}),
        attempt(3.0, "w1.1", "b", B, 2),
        acknowledged(3.5, "w1.1", "b", token=2, seq=2),
        looked(3.8, {SHELF: seen(B, "b")}),
        attempt(3.9, "w1.1", "b_again", B, 2),
        acknowledged(4.0, "w1.1", "b_again", token=2, seq=3, status="unchanged"),
        Event(4.1, "nemesis", "woke", {"worker": 0}),
        refused(4.2, "w0.1", "c", token=1),
        looked(4.8, {SHELF: seen(B, "b")}),
        Event(5.0, "nemesis", "ended"),
        entry(1, "a", token=1, seq=1, content="hash-a", rows=6),
        entry(2, "b", token=2, seq=2, content="hash-b", rows=8),
        entry(3, "b_again", token=2, seq=3, content="hash-b", rows=8, status="unchanged"),
        stands({SHELF: seen(B, "b")}),
        # From 6 rows of va to 8 rows of vb: 6 changed, 2 added.
        revised("b", "changed", "va", "vb", 6),
        revised("b", "added", None, "vb", 2),
        Event(9.4, "judge", "verified", {"findings": []}),
    ]


def with_events(*more: Event) -> list[Event]:
    """Return the correct history with further events, in order of time."""
    return sorted([*correct_history(), *more], key=lambda event: event.at)


def without(matches: Callable[[Event], bool]) -> list[Event]:
    """Return the correct history without the events that match."""
    return [event for event in correct_history() if not matches(event)]


def changed(kind: str, run: str, **values: Any) -> list[Event]:
    """Return the correct history with other values in the one event of that kind and run. Any: JSON values."""
    events = correct_history()
    place = next(i for i, event in enumerate(events) if event.kind == kind and event.data.get("run") == run)
    events[place] = replace(events[place], data={**events[place].data, **values})
    return events
