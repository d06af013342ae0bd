"""The checker of the deduplicator: each crate stands with its copies or without, as its ledger says; never between.

The ledger of a crate is replayed: it is filled (rows, copies and all), cleaned (the first of each key stays), and
rolled back (as it stood before). So each of its versions has known rows, and whatever anybody saw must be one of them,
at a time at which it could be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradeonce.torture.history import Event
from gradeonce.torture.violation import Violation


@dataclass(frozen=True)
class Contents:
    """What stands in a crate; nothing before it was filled for the first time."""

    rows: int = 0
    keys: int = 0
    checksum: int = 0
    version: str = ""
    has_copies: bool = False

    def is_seen(self, seen: Mapping[str, Any]) -> bool:
        """Say whether a look saw exactly this. Any: plain JSON values."""
        versions = [self.version] if self.rows else []
        found = (seen.get("rows", 0), seen.get("keys", 0), seen.get("checksum", 0), list(seen.get("versions", ())))
        return found == (self.rows, self.keys, self.checksum, versions)


@dataclass(frozen=True)
class Stand:
    """One version of a crate: since the run that made it, which cannot have done so before it began."""

    seq: int
    run: str
    contents: Contents
    began_at: float
    acked_at: float | None


def check_copies(events: Sequence[Event]) -> Iterator[Violation]:
    """Return what breaks a guarantee where copies were brought in, removed and brought back."""
    ended_at = max((event.at for event in events), default=0.0)
    fillings = {event.data["run"]: event for event in events if event.kind == "filling"}
    told = {event.data["run"]: event.at for event in events if event.kind in ("filled", "deduped")}
    tried: dict[tuple[str, str], float] = {}
    for event in events:
        if event.kind == "deduping":
            tried.setdefault((event.data["plan"], event.data["op"]), event.at)
    by_crate: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.kind == "copies_ledger":
            by_crate[event.data["crate"]].append(event)
    stands: dict[str, list[Stand]] = {}
    saved: dict[tuple[str, str], Contents] = {}
    for crate, entries in sorted(by_crate.items()):
        stands[crate] = []
        for problem in _replay(crate, entries, fillings, tried, told, stands[crate], saved):
            yield Violation(problem[0], ended_at, crate, problem[1])
    known = {run for crate in stands.values() for run in (stand.run for stand in crate)}
    if by_crate:
        for run, at in told.items():
            if run not in known:
                yield Violation("G4", at, "", f"run {run} was acknowledged, but is not in the ledger", (run,))
    refused = {event.data["run"] for event in events if event.kind == "unfilled"}
    for run in sorted(refused & known):
        yield Violation(
            "G4", ended_at, "", f"the ledger holds run {run}, whose deduplicator was told otherwise", (run,)
        )
    yield from _looks(events, stands, judged=bool(by_crate))
    yield from _backups(events, saved, ended_at)


def _replay(
    crate: str,
    entries: Sequence[Event],
    fillings: Mapping[str, Event],
    tried: Mapping[tuple[str, str], float],
    told: Mapping[str, float],
    stands: list[Stand],
    saved: dict[tuple[str, str], Contents],
) -> Iterator[tuple[str, str]]:
    """Fill in the versions of one crate, and what its backups must hold; yield what cannot be."""
    now, token, seq = Contents(), 0, 0
    for entry in entries:
        data = entry.data
        run, plan = data["run"], data["plan"]
        if data["seq"] != seq + 1:
            yield "G4", f"the ledger tells version {data['seq']} where version {seq + 1} should follow"
        if data["token"] < token:
            yield "G3", f"run {run} was accepted with token {data['token']}, after token {token}: a stale writer"
        seq, token = data["seq"], max(token, data["token"])
        began_at = 0.0
        if data["entry"] == "dedupe":
            if not now.has_copies:
                yield "G4", f"run {run} removed copies of plan {plan}, and there were none"
            saved[plan, crate] = now
            filling = fillings.get(now.version)
            kept = filling.data["kept_checksum"] if filling else 0
            now = Contents(now.keys, now.keys, kept, now.version)
            began_at = tried.get((plan, "apply"), entry.at)
        elif data["entry"] == "dedupe_rollback":
            if (plan, crate) not in saved:
                yield "G4", f"run {run} took plan {plan} back, which was never applied"
            now = saved.get((plan, crate), now)
            began_at = tried.get((plan, "rollback"), entry.at)
        elif run in fillings:
            filled = fillings[run].data
            now = Contents(filled["rows"], filled["keys"], filled["checksum"], run, filled["rows"] > filled["keys"])
            began_at = fillings[run].at
        else:
            yield "G4", f"the ledger holds run {run}, which nobody began"
            continue
        if data["rows"] != now.rows:
            yield "G4", f"run {run} left {data['rows']} rows where {now.rows} were to stand"
        stands.append(Stand(seq, run, now, began_at, told.get(run)))


def _looks(events: Sequence[Event], stands: Mapping[str, Sequence[Stand]], *, judged: bool) -> Iterator[Violation]:
    for look in events:
        if look.kind != "saw_copies" or not judged:
            continue
        for crate in look.data["asked"]:
            seen = look.data["crates"].get(crate, {})
            versions = [Stand(0, "", Contents(), 0.0, 0.0), *stands.get(crate, ())]
            newest = max(
                (stand for stand in versions if stand.acked_at is not None and stand.acked_at <= look.data["began"]),
                key=lambda stand: stand.seq,
            )
            if look.who == "judge":
                newest = versions[-1]
            possible = [stand for stand in versions if stand.seq >= newest.seq and stand.began_at <= look.at]
            if any(stand.contents.is_seen(seen) for stand in possible):
                continue
            told = _told(seen)
            if any(stand.contents.is_seen(seen) for stand in versions):
                message = (
                    f"{look.who} saw {told}, which is not what run {newest.run} had left there, nor anything later"
                )
                yield Violation("G4", look.at, crate, message, (newest.run,))
            else:
                message = f"{look.who} saw {told}, which is no state that crate was ever to be in"
                yield Violation("G2", look.at, crate, message, (newest.run,))


def _told(seen: Mapping[str, Any]) -> str:
    # Any: plain JSON values.
    if not seen:
        return "nothing"
    return f"{seen['rows']} rows of {seen['keys']} keys ({', '.join(seen['versions'])})"


def _backups(
    events: Sequence[Event], saved: Mapping[tuple[str, str], Contents], ended_at: float
) -> Iterator[Violation]:
    found = {(event.data["plan"], event.data["crate"]): event.data for event in events if event.kind == "backup"}
    if found or any(event.kind == "deduplication_judged" for event in events):
        for (plan, crate), contents in sorted(saved.items()):
            backup = found.get((plan, crate), {})
            if not contents.is_seen(backup):
                message = f"the backup of plan {plan} holds {_told(backup)}, not the {contents.rows} rows that stood"
                yield Violation("G4", ended_at, crate, message)
    for event in events:
        if event.kind == "plan_verified":
            for finding in event.data["findings"]:
                message = f"plan {event.data['plan']} does not verify: {finding}"
                yield Violation("G4", ended_at, event.data["crate"], message)
