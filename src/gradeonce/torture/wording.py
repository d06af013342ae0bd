"""The verdict as a person reads it, and the events around a violation as a timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradeonce.torture.checker import Violation
from gradeonce.torture.history import Event
from gradeonce.torture.verdict import GUARANTEES, Verdict, began_at

LINES_BEFORE = 24
LINES_AFTER = 4

_SPOKEN = {
    "G1": "no key stood twice in any look",
    "G2": "every look saw whole versions",
    "G3": "tokens never fell",
    "G4": "every acknowledged run is in the ledger, and the last one stands",
    "G5": "the same content again wrote nothing, revisions chain",
}


def verdict_text(verdict: Verdict) -> str:
    """Return the verdict for a person."""
    refused = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(verdict.refused.items()))
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(verdict.faults.items()))
    lines = [
        f"tortured for {verdict.seconds:.1f} s: {verdict.command}",
        *([f"               {verdict.place}"] if verdict.place else []),
        "",
        f"publishes      {verdict.attempts} begun: {verdict.published} published, {verdict.unchanged} unchanged, "
        f"{sum(verdict.refused.values())} refused{f' ({refused})' if refused else ''}, {verdict.failed} failed; "
        f"{verdict.partitions} partitions",
        f"               {verdict.started_again} times started again after others had committed first, "
        f"{verdict.taken_back} times after a commit under way was lost",
        f"stale writers  {verdict.stale_refused} refused by the fence",
        f"leases         {verdict.acquired} acquired, {verdict.takeovers} taken over, {verdict.lost} lost; "
        f"{verdict.turned_away} turns without, {verdict.unlocked} publishes {_alone(verdict)}",
        f"faults         {sum(verdict.faults.values())} injected{f': {faults}' if faults else ''}",
        *_keepers(verdict),
        f"readers        {verdict.looks} looks",
        "",
    ]
    for guarantee, name in GUARANTEES.items():
        count = verdict.broken[guarantee]
        said = f"BROKEN {count} time{'s' if count > 1 else ''}" if count else f"holds: {_SPOKEN[guarantee]}"
        lines.append(f"{guarantee} {name:<16} {said if verdict.proves_something or count else 'nothing to judge'}")
    if verdict.violations:
        first = verdict.violations[0]
        at = first.at - verdict.began_at
        lines += ["", f"The first violation, {first.guarantee} at {at:.3f} s on {first.shelf or 'the ledger'}:"]
        lines += [f"  {first.message}", "", *(f"  {line}" for line in timeline(verdict.events, first))]
    for crash in verdict.crashes[:3]:
        lines += ["", f"A process or publish ended in a way nobody planned: {crash}"]
    if not verdict.proves_something:
        lines += ["", "Nothing was published, or nobody looked: this run proves nothing. Give it more seconds."]
    lines += ["", _closing(verdict)]
    return "\n".join(lines)


def _alone(verdict: Verdict) -> str:
    return "under the fence alone" if "--algorithm gradeonce" in verdict.command else "without lock and fence"


def _keepers(verdict: Verdict) -> list[str]:
    """Return what became of batches and copies; nothing for a history without them."""
    if not any(event.kind in ("staging", "filling") for event in verdict.events):
        return []
    return [
        f"consolidators  {verdict.staged} writes staged, {verdict.consolidated} consolidations that merged some",
        f"deduplicators  {verdict.filled} crates filled with copies, {verdict.deduplicated} plans applied, "
        f"{verdict.rolled_back} taken back",
    ]


def _closing(verdict: Verdict) -> str:
    if verdict.holds:
        return "No violation."
    broken = ", ".join(f"{guarantee} {count}" for guarantee, count in verdict.broken.items() if count)
    if broken:
        return f"VIOLATED: {broken}. The same plan again: {verdict.command}"
    return f"NOT PROVEN. The same plan again: {verdict.command}"


def timeline(events: Sequence[Event], violation: Violation) -> list[str]:
    """Return the events around a violation, one line each: of its partition, its runs' workers, and faults on them."""
    start = began_at(events)
    runs = set(violation.runs)
    slots = {event.slot for event in events if event.data.get("run") in runs and event.slot is not None}
    before: list[str] = []
    after: list[str] = []
    last_seen: object = None
    for event in events:
        if event.kind in ("looked", "stands"):
            # Most looks find what the one before found: only the changes tell something.
            seen = event.data["shelves"].get(violation.shelf)
            if violation.shelf not in event.data["asked"] or seen == last_seen:
                continue
            last_seen = seen
            words = f"sees {_seen(seen)}"
        elif _concerns(event, violation.shelf, slots):
            words = told(event)
        else:
            continue
        line = f"{event.at - start:9.3f} s  {event.who:<8} {words}"
        (before if event.at <= violation.at else after).append(line)
    marker = f"{violation.at - start:9.3f} s  {'>>>':<8} {violation.guarantee} broken: {violation.message}"
    return [*before[-LINES_BEFORE:], marker, *after[:LINES_AFTER]]


_KEEPERS = ("staging", "staged", "consolidated", "filling", "filled", "unfilled", "deduping", "deduped")
_ON_SHELF = ("acquired", "released", "lost", "held", "unlocked", "attempt", "acknowledged", "refused", "failed")


def _concerns(event: Event, shelf: str, slots: set[int]) -> bool:
    data = event.data
    if event.kind == "fault":
        return data["fault"] == "flush" or bool(slots & set(data["workers"]))
    if event.kind == "woke":
        return data["worker"] in slots
    if event.kind in _KEEPERS:
        return shelf in (data.get("batch"), data.get("crate"))
    if event.kind == "again":
        return event.slot in slots
    if event.kind not in _ON_SHELF or shelf not in (data.get("shelf"), *data.get("shelves", ())):
        return False
    return event.slot in slots or event.kind in ("acquired", "acknowledged", "refused")


def told(event: Event) -> str:
    """Return one event in words."""
    data = event.data
    words = _WORDS.get(event.kind)
    return words(data) if words else event.kind


def _tokens(data: Mapping[str, Any]) -> str:
    tokens = sorted(set(data.get("tokens", {}).values()))
    return f"token {', '.join(map(str, tokens))}" if tokens else "no token"


def _acknowledged(data: Mapping[str, Any]) -> str:
    parts = "; ".join(
        f"{shelf} version {part['seq']} {part['status']} with token {part['token']}"
        for shelf, part in data["shelves"].items()
    )
    return f"run {data['run']} acknowledged: {parts}"


def _fault(data: Mapping[str, Any]) -> str:
    whom = ", ".join(f"w{slot}" for slot in data.get("workers", ()))
    step = f" at {data['step']}" if data.get("step") else ""
    if data["fault"] == "cut" and step:
        return f"way of {whom} to the warehouse cut{step}"
    return {
        "kill": f"SIGKILL to {whom}{step}",
        "pause": f"SIGSTOP to {whom}{step}, for {data.get('seconds')} s",
        "flush": f"the lock store forgot {data.get('forgot')} leases",
        "cut": f"lock store out of reach of {whom} for {data.get('seconds')} s ({data.get('mode')} it hears them)",
        "skew": f"clock of {whom} off by {data.get('skew_seconds')} s",
    }[data["fault"]]


def _seen(seen: Mapping[str, Any] | None) -> str:
    if seen is None:
        return "nothing"
    return f"{seen['rows']} rows, {seen['keys']} keys, written by {', '.join(seen['runs'])}"


_WORDS = {
    "acquired": lambda d: f"lease {d['shelf']} acquired, token {d['token']}{', taken over' if d['took_over'] else ''}",
    "released": lambda d: f"lease {d['shelf']} released, token {d['token']}",
    "lost": lambda d: f"lease {d['shelf']} lost, token {d['token']}",
    "held": lambda d: f"no lease on {', '.join(d['shelves'])}: {d['holder']} has it, token {d['token']}",
    "unlocked": lambda d: f"goes on without a lease: {d['error']}",
    "unreachable": lambda d: f"no lease: {d['error']}",
    "attempt": lambda d: f"run {d['run']} begins on {', '.join(d['shelves'])}, {_tokens(d)}, content {d['version']}",
    "acknowledged": _acknowledged,
    "refused": lambda d: f"run {d['run']} refused ({d['reason']}), {_tokens(d)}",
    "again": lambda d: f"run {d['run']} starts again from base, after {d['after']}",
    "staging": lambda d: f"write {d['run']} of {len(d['rows'])} predictions to {d['batch']} begins",
    "staged": lambda d: f"write {d['run']} to {d['batch']} acknowledged: {d['status']}",
    "consolidated": lambda d: f"consolidation {d['run']} of {d['batch']}: {d['rows']} of {d['staged']} rows merged",
    "filling": lambda d: f"filling {d['run']} of {d['crate']} begins: {d['rows']} rows of {d['keys']} keys",
    "filled": lambda d: f"filling {d['run']} of {d['crate']} acknowledged",
    "unfilled": lambda d: f"filling {d['run']} of {d['crate']} refused",
    "deduping": lambda d: f"{d['op']} of plan {d['plan']} on {d['crate']} begins",
    "deduped": lambda d: f"{d['op']} of plan {d['plan']} on {d['crate']} acknowledged, run {d['run']}",
    "failed": lambda d: f"run {d['run']} failed: {d['error']}",
    "woke": lambda d: f"SIGCONT to w{d['worker']}",
    "fault": _fault,
}
