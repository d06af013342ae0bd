"""The checker of the consolidator: whatever was staged is staged or merged, once, until something later has come.

Every staged prediction has an id of its own, so each look tells of each of them where it is: waiting in the staging, or
merged into the predictions. A consolidation moves it from the one to the other in one step. One that is outdone by a
later prediction of the same key may go without being merged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradeonce.torture.history import Event
from gradeonce.torture.violation import Violation


@dataclass(frozen=True)
class StagedRow:
    """One prediction that was written to staging.

    Attributes:
        name: Its prediction_id.
        key: Its business key, within the batch.
        created: When it was made: of one key, the later one counts.
        batch: Where.
        run: By which write.
        acked_at: When its writer was told; None when it never was.
    """

    name: str
    key: str
    created: int
    batch: str
    run: str
    acked_at: float | None


def check_batches(events: Sequence[Event]) -> Iterator[Violation]:
    """Return what breaks a guarantee where batches were staged and consolidated."""
    told = {event.data["run"]: event.at for event in events if event.kind == "staged"}
    rows: dict[str, StagedRow] = {}
    by_batch: dict[str, list[StagedRow]] = defaultdict(list)
    for event in events:
        if event.kind == "staging":
            batch, run = event.data["batch"], event.data["run"]
            for name, key, created in event.data["rows"]:
                rows[name] = StagedRow(name, key, created, batch, run, told.get(run))
                by_batch[batch].append(rows[name])
    merged_by: dict[str, float] = {}
    looks = sorted((event for event in events if event.kind == "saw_batches"), key=lambda look: look.data["began"])
    for look in looks:
        yield from _look(look, rows, by_batch)
    for look in sorted(looks, key=lambda look: look.at):
        for name in look.data["merged"]:
            merged_by.setdefault(name, look.at)
    yield from _merged_and_gone(looks, rows, merged_by)
    yield from _reports(events)
    yield from _tokens(events)


def _look(
    look: Event, rows: Mapping[str, StagedRow], by_batch: Mapping[str, Sequence[StagedRow]]
) -> Iterator[Violation]:
    staged, merged = Counter(look.data["staged"]), Counter(look.data["merged"])
    for what, found in (("staged", staged), ("merged", merged)):
        for name, times in found.items():
            if name not in rows:
                message = f"{look.who} saw the prediction {name}, which nobody ever staged"
                yield Violation("G2", look.at, "", message)
            elif times > 1:
                message = f"{look.who} saw the prediction {name} {times} times: it was {what} more than once"
                yield Violation("G1", look.at, rows[name].batch, message, (rows[name].run,))
    for name in sorted(staged.keys() & merged.keys() & rows.keys()):
        message = f"{look.who} saw the prediction {name} staged and merged at once: half of a consolidation"
        yield Violation("G2", look.at, rows[name].batch, message, (rows[name].run,))
    for batch in look.data["asked"]:
        latest: dict[str, int] = {}
        for row in by_batch.get(batch, ()):
            if row.name in merged:
                latest[row.key] = max(latest.get(row.key, row.created), row.created)
        for row in by_batch.get(batch, ()):
            if row.acked_at is None or row.acked_at > look.data["began"] or row.name in merged:
                continue
            if latest.get(row.key, -1) > row.created:
                continue
            if row.name not in staged:
                message = f"{look.who} saw the prediction {row.name} neither staged nor merged, and no later one: lost"
                yield Violation("G4", look.at, batch, message, (row.run,))
        if look.data.get("is_last") and staged:
            waiting = [name for name in staged if name in rows and rows[name].batch == batch]
            if waiting:
                message = f"{len(waiting)} predictions wait in the staging after the last consolidation"
                yield Violation("G4", look.at, batch, message)


def _merged_and_gone(
    looks: Sequence[Event], rows: Mapping[str, StagedRow], merged_by: Mapping[str, float]
) -> Iterator[Violation]:
    names: dict[str, list[str]] = defaultdict(list)
    for name in merged_by:
        if name in rows:
            names[rows[name].batch].append(name)
    for look in looks:
        merged = set(look.data["merged"])
        for batch in look.data["asked"]:
            for name in names.get(batch, ()):
                if merged_by[name] <= look.data["began"] and name not in merged:
                    message = f"{look.who} did not see the prediction {name}, which had been seen merged"
                    yield Violation("G4", look.at, batch, message, (rows[name].run,))


def _reports(events: Sequence[Event]) -> Iterator[Violation]:
    loads = {event.data["run"] for event in events if event.kind == "batch_ledger"}
    for event in events:
        if event.kind != "consolidated":
            continue
        data = event.data
        parts = data["rows"] + data["known"] + data["outdone"] + data["outdated"]
        if data["staged"] != parts:
            message = f"consolidation {data['run']} took {data['staged']} rows and accounts for {parts}"
            yield Violation("G4", event.at, data["batch"], message, (data["run"],))
        if loads and data["run"] and data["run"] not in loads:
            message = f"consolidation {data['run']} was acknowledged, but is not in the ledger"
            yield Violation("G4", event.at, data["batch"], message, (data["run"],))


def _tokens(events: Sequence[Event]) -> Iterator[Violation]:
    highest: dict[str, tuple[int, str]] = {}
    for event in events:
        if event.kind != "batch_ledger":
            continue
        data = event.data
        token, run = highest.get(data["batch"], (0, ""))
        # Without a lease there is no token to be late with.
        if data["token"] and data["token"] < token:
            message = f"consolidation {data['run']} was accepted with token {data['token']}, after {run} with {token}"
            yield Violation("G3", event.at, data["batch"], message, (run, data["run"]))
        if data["token"] > token:
            highest[data["batch"]] = (data["token"], data["run"])
