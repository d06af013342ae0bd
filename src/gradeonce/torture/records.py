"""The history as the checker reads it: who tried what, what was acknowledged, what the ledger says, what was seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gradeonce.torture.history import Event


@dataclass(frozen=True)
class Attempt:
    """One run, before it was published.

    Attributes:
        run: Its run_id.
        version: The content it publishes; a run that repeats another has the same.
        rows: Rows of that content.
        checksum: Sum of the amounts of those rows.
        shelves: What it publishes to, all or none.
        tokens: Fencing token per shelf; empty for a run without leases.
        at: When it began.
        who: Whose run it is.
    """

    run: str
    version: str
    rows: int
    checksum: int
    shelves: tuple[str, ...]
    tokens: Mapping[str, int]
    at: float
    who: str


@dataclass(frozen=True)
class Commit:
    """One step of one shelf from a version to the next, as acknowledged, or as found in the ledger.

    Attributes:
        shelf: Which shelf.
        run: By which run.
        version: What stands since; None when nobody announced that run.
        status: published or unchanged.
        token: Fencing token.
        seq: The shelf's version number.
        began_at: When the run began.
        acked_at: When its worker was told; None when it never was (killed in between).
        content_hash: From the ledger; None when it is not in there.
        rows: From the ledger; None when it is not in there.
    """

    shelf: str
    run: str
    version: str | None
    status: str
    token: int
    seq: int
    began_at: float
    acked_at: float | None = None
    content_hash: str | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Seen:
    """What one look found on one shelf; rows 0 when it was empty."""

    rows: int = 0
    keys: int = 0
    checksum: int = 0
    versions: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """One look at several shelves, as of one instant between `began_at` and `at`."""

    who: str
    began_at: float
    at: float
    shelves: Mapping[str, Seen]


@dataclass(frozen=True)
class Revised:
    """What the revisions of one run say: on so many rows of the shelf, `change` led from `old` to `new`."""

    shelf: str
    run: str
    change: str
    old: str | None
    new: str | None
    rows: int
    at: float


@dataclass(frozen=True)
class Records:
    """A whole history.

    Attributes:
        attempts: By run.
        acks: Acknowledged steps, in order of time.
        ledger: Steps in the ledger, in its order, with the instant of the acknowledgement where there was one.
        looks: By readers, in the order in which they ended.
        stands: The judge's look after the end; None when there was none.
        revised: All revisions.
        findings: What `ledger verify` found; None when it was not asked.
        refused: Runs that were refused.
        ended_at: When the last event was recorded.
    """

    attempts: Mapping[str, Attempt]
    acks: Sequence[Commit]
    ledger: Sequence[Commit]
    looks: Sequence[Look]
    stands: Look | None
    revised: Sequence[Revised]
    findings: Sequence[str] | None
    refused: frozenset[str]
    ended_at: float
    by_version: Mapping[str, Attempt] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Records:
        """Sort the events of a history into records."""
        found: dict[str, list[Event]] = defaultdict(list)
        ended_at = 0.0
        for event in events:
            found[event.kind].append(event)
            ended_at = max(ended_at, event.at)
        attempts = {attempt.run: attempt for attempt in map(_attempt, found["attempt"])}
        acks = [ack for event in found["acknowledged"] for ack in _acks(event, attempts)]
        told = {(ack.run, ack.shelf): ack.acked_at for ack in acks}
        stands = [_look(event) for event in found["stands"]]
        return cls(
            attempts=attempts,
            acks=acks,
            ledger=[_entry(event, attempts, told) for event in found["ledger"]],
            looks=[_look(event) for event in found["looked"]],
            stands=stands[-1] if stands else None,
            revised=[_revised(event) for event in found["revised"]],
            findings=found["verified"][-1].data["findings"] if found["verified"] else None,
            refused=frozenset(event.data["run"] for event in found["refused"]),
            ended_at=ended_at,
            by_version={attempt.version: attempt for attempt in attempts.values()},
        )

    def was_committed(self, run: str, shelf: str) -> bool:
        """Say whether a run is known to have committed on a shelf; also true as long as the ledger was not read."""
        return self.findings is None or (run, shelf) in self._committed

    @cached_property
    def _committed(self) -> frozenset[tuple[str, str]]:
        return frozenset((commit.run, commit.shelf) for commit in (*self.ledger, *self.acks))

    def commits(self) -> dict[str, list[Commit]]:
        """Return, by shelf and in order of seq, every step that happened: the ledger's, and those only acknowledged."""
        known = {(commit.run, commit.shelf) for commit in self.ledger}
        steps: dict[str, list[Commit]] = defaultdict(list)
        for commit in (*self.ledger, *(ack for ack in self.acks if (ack.run, ack.shelf) not in known)):
            steps[commit.shelf].append(commit)
        return {shelf: sorted(steps[shelf], key=lambda commit: commit.seq) for shelf in sorted(steps)}


def _attempt(event: Event) -> Attempt:
    data = event.data
    return Attempt(
        run=data["run"],
        version=data["version"],
        rows=data["rows"],
        checksum=data["checksum"],
        shelves=tuple(data["shelves"]),
        tokens=data["tokens"],
        at=event.at,
        who=event.who,
    )


def _acks(event: Event, attempts: Mapping[str, Attempt]) -> list[Commit]:
    attempt = attempts.get(event.data["run"])
    return [
        Commit(
            shelf=shelf,
            run=event.data["run"],
            version=attempt.version if attempt else None,
            status=part["status"],
            token=part["token"],
            seq=part["seq"],
            began_at=attempt.at if attempt else event.at,
            acked_at=event.at,
        )
        for shelf, part in event.data["shelves"].items()
    ]


def _entry(event: Event, attempts: Mapping[str, Attempt], told: Mapping[tuple[str, str], float | None]) -> Commit:
    data = event.data
    attempt = attempts.get(data["run"])
    return Commit(
        shelf=data["shelf"],
        run=data["run"],
        version=attempt.version if attempt else None,
        status=data["status"],
        token=data["token"],
        seq=data["seq"],
        began_at=attempt.at if attempt else event.at,
        acked_at=told.get((data["run"], data["shelf"])),
        content_hash=data["hash"],
        rows=data["rows"],
    )


def _look(event: Event) -> Look:
    seen = event.data["shelves"]
    shelves = {
        shelf: Seen(
            seen[shelf]["rows"],
            seen[shelf]["keys"],
            seen[shelf]["checksum"],
            tuple(seen[shelf]["versions"]),
            tuple(seen[shelf]["runs"]),
        )
        if shelf in seen
        else Seen()
        for shelf in event.data["asked"]
    }
    return Look(event.who, event.data["began"], event.at, shelves)


def _revised(event: Event) -> Revised:
    data = event.data
    # A publish that started again from base wrote its revisions under its name with a number behind it.
    run = data["run"].split("-")[0]
    return Revised(data["shelf"], run, data["change"], data["old"], data["new"], data["rows"], event.at)
