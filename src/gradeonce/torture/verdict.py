"""The verdict on one history: what was done, what was broken on purpose, and what broke that should not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradeonce.torture.checker import Violation, check
from gradeonce.torture.history import Event

GUARANTEES = {
    "G1": "no duplicates",
    "G2": "no torn reads",
    "G3": "no stale writer",
    "G4": "no lost work",
    "G5": "idempotent",
}

HOLDING_STEPS = ("commit.fenced", "commit.removed", "commit.pointed", "commit.ledgered", "commit.done")
"""The steps of a commit at which it holds the fence."""


@dataclass(frozen=True)
class Verdict:
    """What one torture showed.

    Attributes:
        command: The command that runs the same plan again.
        place: Warehouse and lock store, without passwords; empty when the history does not tell.
        seconds: From the first worker's start to the last one's end.
        attempts: Publishes begun.
        published: Publishes acknowledged that moved a partition to another version.
        unchanged: Publishes of the content that stood already, acknowledged as such.
        refused: Publishes refused, by reason: superseded (by the fence), expired or taken_over or released (the worker
            saw in time that its lease was lost), outrun (it had no lease, and a holder of one came in between),
            conflict (others committed first, every time), doubled (without a fence: rows stand twice by now).
        failed: Publishes that ended in another error that may be retried.
        started_again: Times a publish started again from base, because others had committed first.
        taken_back: Times it did although it held the fence: the warehouse had taken back a commit that stood still, or
            the way there was cut.
        unlocked: Publishes under the fence alone, because the lock store was out of reach.
        turned_away: Turns without a lease: somebody else had it, or the store was out of reach.
        acquired: Leases taken.
        takeovers: Leases taken from a holder that had let them run out.
        lost: Leases that were lost while their holder worked.
        faults: Faults injected, by kind.
        staged: Writes to staging that were acknowledged.
        consolidated: Consolidations of a batch that merged something.
        filled: Crates that were filled with copies.
        deduplicated: Plans that were applied.
        rolled_back: Plans that were taken back.
        looks: Times a reader looked.
        partitions: Partitions that were published.
        violations: What broke a guarantee, in order of time.
        crashes: Processes or publishes that ended in a way nobody planned: bugs.
    """

    command: str
    place: str
    seconds: float
    attempts: int
    published: int
    unchanged: int
    refused: Mapping[str, int]
    failed: int
    started_again: int
    taken_back: int
    unlocked: int
    turned_away: int
    acquired: int
    takeovers: int
    lost: int
    faults: Mapping[str, int]
    staged: int
    consolidated: int
    filled: int
    deduplicated: int
    rolled_back: int
    looks: int
    partitions: int
    violations: Sequence[Violation] = ()
    crashes: Sequence[str] = ()
    events: Sequence[Event] = field(default=(), repr=False)

    @property
    def stale_refused(self) -> int:
        """Publishes of a stale writer that the fence refused."""
        return self.refused.get("superseded", 0)

    @property
    def proves_something(self) -> bool:
        """Whether anything was published and looked at: a torture of nothing is not a pass."""
        return bool(self.published and self.looks)

    @property
    def holds(self) -> bool:
        """Whether every guarantee held, nothing crashed, and there was something to hold."""
        return not self.violations and not self.crashes and self.proves_something

    @property
    def broken(self) -> dict[str, int]:
        """Violations per guarantee, zeros included."""
        counted = Counter(violation.guarantee for violation in self.violations)
        return {guarantee: counted[guarantee] for guarantee in GUARANTEES}

    def document(self) -> dict[str, Any]:
        """Return the verdict for JSON. Any: plain JSON values."""
        from gradeonce.torture.wording import timeline

        first = self.violations[0] if self.violations else None
        return {
            "holds": self.holds,
            "command": self.command,
            "place": self.place,
            "seconds": round(self.seconds, 3),
            "attempts": self.attempts,
            "published": self.published,
            "unchanged": self.unchanged,
            "refused": dict(self.refused),
            "stale_refused": self.stale_refused,
            "failed": self.failed,
            "started_again": self.started_again,
            "taken_back": self.taken_back,
            "unlocked": self.unlocked,
            "turned_away": self.turned_away,
            "acquired": self.acquired,
            "takeovers": self.takeovers,
            "lost": self.lost,
            "faults": dict(self.faults),
            "staged": self.staged,
            "consolidated": self.consolidated,
            "filled": self.filled,
            "deduplicated": self.deduplicated,
            "rolled_back": self.rolled_back,
            "looks": self.looks,
            "partitions": self.partitions,
            "violations": self.broken,
            "first_violation": first
            and {
                "guarantee": first.guarantee,
                "partition": first.shelf,
                "at_seconds": round(first.at - self.began_at, 3),
                "message": first.message,
                "timeline": timeline(self.events, first),
            },
            "crashes": list(self.crashes),
        }

    @property
    def began_at(self) -> float:
        """The monotonic instant at which the torture began."""
        return began_at(self.events)


def began_at(events: Sequence[Event]) -> float:
    """Return the monotonic instant at which the torture began; that of the first event if it is not told."""
    return next((event.at for event in events if event.kind == "began"), events[0].at if events else 0.0)


def judge(events: Sequence[Event]) -> Verdict:
    """Check a history against the guarantees and sum it up."""
    kinds = Counter(event.kind for event in events)
    header = next((event.data for event in events if event.kind == "torture"), {})
    statuses: Counter[str] = Counter()
    partitions = set()
    for event in events:
        if event.kind == "acknowledged":
            parts = event.data["shelves"]
            partitions.update(parts)
            statuses["published" if any(p["status"] == "published" for p in parts.values()) else "unchanged"] += 1
    operations = Counter(event.data["op"] for event in events if event.kind == "deduped")
    again = Counter(event.data["after"] in HOLDING_STEPS for event in events if event.kind == "again")
    ends = [event.at for event in events if event.kind == "ended"] or [event.at for event in events[-1:]]
    began = began_at(events)
    return Verdict(
        command=str(header.get("command", "")),
        place=_place(header),
        seconds=max(0.0, ends[-1] - began) if ends else 0.0,
        attempts=kinds["attempt"],
        published=statuses["published"],
        unchanged=statuses["unchanged"],
        refused=Counter(event.data["reason"] for event in events if event.kind == "refused"),
        failed=sum(event.kind == "failed" and bool(event.data["expected"]) for event in events),
        started_again=again[False],
        taken_back=again[True],
        unlocked=kinds["unlocked"],
        turned_away=kinds["held"] + kinds["unreachable"],
        acquired=kinds["acquired"],
        takeovers=sum(event.kind == "acquired" and bool(event.data["took_over"]) for event in events),
        lost=kinds["lost"],
        faults=Counter(event.data["fault"] for event in events if event.kind == "fault"),
        staged=kinds["staged"],
        consolidated=sum(event.kind == "consolidated" and bool(event.data["rows"]) for event in events),
        filled=kinds["filled"],
        deduplicated=operations["apply"],
        rolled_back=operations["rollback"],
        looks=kinds["looked"],
        partitions=len(partitions),
        violations=tuple(check(events)),
        crashes=tuple(_crashes(events)),
        events=tuple(events),
    )


def _place(header: Mapping[str, Any]) -> str:
    # Any: plain JSON values.
    if "warehouse" not in header:
        return ""
    leases = "no leases" if header["store"] == "off" else f"leases in {header['store']}"
    return f"{header['warehouse']}, {leases}"


def _crashes(events: Sequence[Event]) -> list[str]:
    crashed = [f"{e.data['process']}: {e.data['error']}" for e in events if e.kind == "crashed"]
    failed = [f"{e.who}: {e.data['error']}" for e in events if e.kind == "failed" and not e.data["expected"]]
    return crashed + failed
