"""The checker: what a history must show for the guarantees G1 to G5 to have held. Pure; nothing is read or waited for.

Each function checks one guarantee and returns what breaks it. A history of a correct warehouse breaks nothing,
whatever was killed, paused or forgotten, because nothing here is asked of a run that was never acknowledged, except
that readers see all of it or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from gradeonce.torture.batches_checker import check_batches
from gradeonce.torture.copies_checker import check_copies
from gradeonce.torture.history import Event
from gradeonce.torture.records import Commit, Look, Records, Revised, Seen
from gradeonce.torture.violation import Violation

__all__ = ["Violation", "check"]


def check(events: Sequence[Event]) -> list[Violation]:
    """Return every violation of G1 to G5 that a history shows, in order of time."""
    records = Records.of(events)
    found = [
        *no_duplicates(records),
        *no_torn_reads(records),
        *no_stale_writer(records),
        *no_lost_work(records),
        *idempotent(records),
        *check_copies(events),
        *check_batches(events),
    ]
    return sorted(found, key=lambda violation: (violation.at, violation.guarantee))


def no_duplicates(records: Records) -> Iterator[Violation]:
    """G1: in no look does a key stand twice."""
    for look in _looks(records):
        for shelf, seen in look.shelves.items():
            if seen.keys != seen.rows:
                message = f"{look.who} saw {seen.rows} rows with {seen.keys} keys: keys stand more than once"
                yield Violation("G1", look.at, shelf, message, seen.runs)


def no_torn_reads(records: Records) -> Iterator[Violation]:
    """G2: every look at a shelf sees one version, whole; and of a publish of two shelves, both parts or none."""
    wrote = _rows_since(records)
    filled_at: dict[str, float] = {}
    for commit in records.acks:
        filled_at.setdefault(commit.shelf, commit.acked_at or 0.0)
    for look in _looks(records):
        for shelf, seen in look.shelves.items():
            message = _torn(records, shelf, seen, was_filled=filled_at.get(shelf, look.at) < look.began_at)
            if message:
                yield Violation("G2", look.at, shelf, f"{look.who} saw {message}", seen.runs)
            if seen.rows and filled_at.get(shelf, look.at) >= look.at:
                filled_at[shelf] = look.at
        yield from _half_a_publish(records, look, wrote)


def _torn(records: Records, shelf: str, seen: Seen, *, was_filled: bool) -> str:
    """Return what is wrong with what was seen; empty when nothing is."""
    if not seen.rows:
        return "an empty partition, though a version had been published before" if was_filled else ""
    if len(seen.versions) > 1:
        return f"rows of {len(seen.versions)} versions at once: {', '.join(seen.versions)}"
    if len(seen.runs) > 1:
        return f"one version with the stamps of {len(seen.runs)} runs: {', '.join(seen.runs)}"
    attempt = records.attempts.get(seen.runs[0])
    if attempt is None or shelf not in attempt.shelves or attempt.version != seen.versions[0]:
        return f"version {seen.versions[0]} stamped by run {seen.runs[0]}, which did not publish that here"
    if (seen.rows, seen.checksum) != (attempt.rows, attempt.checksum):
        return f"{seen.rows} rows of version {attempt.version}, which has {attempt.rows}, or other amounts in them"
    if seen.runs[0] in records.refused:
        return f"version {attempt.version} of the run {seen.runs[0]}, which was refused"
    if not records.was_committed(seen.runs[0], shelf):
        return f"version {attempt.version} of the run {seen.runs[0]}, which was never committed"
    return ""


def _half_a_publish(records: Records, look: Look, wrote: Mapping[tuple[str, str], int]) -> Iterator[Violation]:
    stood = {shelf: 0 for shelf, seen in look.shelves.items() if not seen.rows}
    whole = {shelf: seen for shelf, seen in look.shelves.items() if _is_whole(seen)}
    stood.update({shelf: wrote[shelf, seen.runs[0]] for shelf, seen in whole.items() if (shelf, seen.runs[0]) in wrote})
    for run in sorted(run for run in {seen.runs[0] for seen in whole.values()} if run in records.attempts):
        for shelf in records.attempts[run].shelves:
            seq = wrote.get((shelf, run), 0)
            if stood.get(shelf, seq) < seq:
                message = (
                    f"{look.who} saw half of run {run}: its other part, version {seq} of {shelf}, "
                    f"was not there yet (version {stood[shelf]} was)"
                )
                yield Violation("G2", look.at, shelf, message, (run,))


def _rows_since(records: Records) -> dict[tuple[str, str], int]:
    """Return, by shelf and run, the version that wrote the rows standing after the run; unchanged ones are older."""
    wrote = {}
    for shelf, commits in records.commits().items():
        seq = 0
        for commit in commits:
            seq = commit.seq if commit.status == "published" else seq
            wrote[shelf, commit.run] = seq
    return wrote


def no_stale_writer(records: Records) -> Iterator[Violation]:
    """G3: tokens never fall: not from version to version, not in time, and not before a reader's eyes."""
    for shelf, commits in records.commits().items():
        for before, after in pairwise(commits):
            at = after.acked_at or before.acked_at or records.ended_at
            runs = (before.run, after.run)
            if before.seq == after.seq:
                message = f"two runs were both accepted as version {after.seq}: {before.run} and {after.run}"
                yield Violation("G3", at, shelf, message, runs)
            elif after.token < before.token:
                message = (
                    f"run {after.run} was accepted with token {after.token} as version {after.seq}, "
                    f"after version {before.seq} with token {before.token}: a stale writer"
                )
                yield Violation("G3", at, shelf, message, runs)
        yield from _late_acceptance(shelf, commits)
    yield from _tokens_seen_to_fall(records)


def _late_acceptance(shelf: str, commits: Sequence[Commit]) -> Iterator[Violation]:
    """Find runs that began after another was acknowledged with a higher token or version, and came before it."""
    told = sorted((commit for commit in commits if commit.acked_at), key=lambda commit: commit.acked_at or 0.0)
    highest: Commit | None = None
    newest: Commit | None = None
    waiting = iter(told)
    upcoming = next(waiting, None)
    for commit in sorted(told, key=lambda commit: commit.began_at):
        while upcoming is not None and (upcoming.acked_at or 0.0) <= commit.began_at:
            highest = upcoming if highest is None or upcoming.token > highest.token else highest
            newest = upcoming if newest is None or upcoming.seq > newest.seq else newest
            upcoming = next(waiting, None)
        if newest is not None and commit.seq < newest.seq:
            message = (
                f"run {commit.run} began after version {newest.seq} had been acknowledged, "
                f"and was acknowledged as version {commit.seq}"
            )
            yield Violation("G3", commit.acked_at or 0.0, shelf, message, (newest.run, commit.run))
        if highest is not None and commit.token < highest.token:
            message = (
                f"run {commit.run} began after token {highest.token} had been accepted, "
                f"and was acknowledged with token {commit.token}"
            )
            yield Violation("G3", commit.acked_at or 0.0, shelf, message, (highest.run, commit.run))


def _tokens_seen_to_fall(records: Records) -> Iterator[Violation]:
    steps = _steps(records)
    for shelf, sights in _sights(records).items():
        highest: Commit | None = None
        done = sorted(sights, key=lambda sight: sight[1])
        upcoming = 0
        for began_at, at, seen in sights:
            while upcoming < len(done) and done[upcoming][1] <= began_at:
                step = steps.get((shelf, done[upcoming][2].runs[0]))
                if step is not None and (highest is None or step.token > highest.token):
                    highest = step
                upcoming += 1
            now = steps.get((shelf, seen.runs[0]))
            if now is not None and highest is not None and now.token < highest.token:
                message = (
                    f"readers saw run {highest.run} with token {highest.token}, "
                    f"and later run {now.run} with token {now.token}: a stale writer overwrote it"
                )
                yield Violation("G3", at, shelf, message, (highest.run, now.run))


def no_lost_work(records: Records) -> Iterator[Violation]:
    """G4: what was acknowledged is in the ledger, is seen from then on until a later version is, and stands at last."""
    entries = {(commit.run, commit.shelf): commit for commit in records.ledger}
    for ack in records.acks:
        entry, at = entries.get((ack.run, ack.shelf)), ack.acked_at or 0.0
        if records.findings is not None and entry is None:
            message = f"run {ack.run} was acknowledged as version {ack.seq}, but is not in the ledger"
            yield Violation("G4", at, ack.shelf, message, (ack.run,))
        elif entry is not None and (entry.token, entry.seq, entry.status) != (ack.token, ack.seq, ack.status):
            message = (
                f"run {ack.run} was acknowledged as {ack.status}, version {ack.seq}, token {ack.token}; the ledger "
                f"says {entry.status}, version {entry.seq}, token {entry.token}"
            )
            yield Violation("G4", at, ack.shelf, message, (ack.run,))
    for commit in records.ledger:
        if commit.run not in records.attempts:
            message = f"the ledger holds run {commit.run}, which nobody began"
            yield Violation("G4", records.ended_at, commit.shelf, message)
        elif commit.run in records.refused:
            message = f"the ledger holds run {commit.run}, whose worker was told that it was refused"
            yield Violation("G4", records.ended_at, commit.shelf, message, (commit.run,))
    yield from _missing_versions(records)
    yield from _acknowledged_but_not_seen(records)
    yield from _seen_and_gone(records)
    yield from _other_than_last_stands(records)
    for finding in records.findings or ():
        yield Violation("G4", records.ended_at, "", f"the ledger does not verify: {finding}")


def _missing_versions(records: Records) -> Iterator[Violation]:
    """Find gaps: the ledger tells every version of a shelf, from the first on and in order."""
    last: dict[str, Commit | None] = {}
    for commit in records.ledger:
        before = last.get(commit.shelf)
        expected = before.seq + 1 if before else 1
        # Two entries of one version are a matter of G3.
        if commit.seq != expected and not (before and commit.seq == before.seq):
            message = f"the ledger tells version {commit.seq} where version {expected} should follow"
            runs = (before.run, commit.run) if before else (commit.run,)
            yield Violation("G4", commit.acked_at or records.ended_at, commit.shelf, message, runs)
        last[commit.shelf] = commit


def _seen_and_gone(records: Records) -> Iterator[Violation]:
    """Find looks that saw an older version than a look that had ended before, whoever was told of either."""
    steps = _steps(records)
    for shelf, sights in _sights(records).items():
        newest: Commit | None = None
        done = sorted(sights, key=lambda sight: sight[1])
        upcoming = 0
        for began_at, at, seen in sights:
            while upcoming < len(done) and done[upcoming][1] <= began_at:
                step = steps.get((shelf, done[upcoming][2].runs[0]))
                if step is not None and (newest is None or step.seq > newest.seq):
                    newest = step
                upcoming += 1
            now = steps.get((shelf, seen.runs[0]))
            if now is not None and newest is not None and now.seq < newest.seq:
                message = f"readers saw version {newest.seq} of run {newest.run}, and later version {now.seq} again"
                yield Violation("G4", at, shelf, message, (newest.run, now.run))


def _acknowledged_but_not_seen(records: Records) -> Iterator[Violation]:
    steps = _steps(records)
    acks: dict[str, list[Commit]] = defaultdict(list)
    for ack in sorted(records.acks, key=lambda ack: ack.acked_at or 0.0):
        acks[ack.shelf].append(ack)
    for shelf, sights in _sights(records).items():
        newest: Commit | None = None
        told = acks.get(shelf, [])
        upcoming = 0
        for began_at, at, seen in sights:
            while upcoming < len(told) and (told[upcoming].acked_at or 0.0) <= began_at:
                ack = told[upcoming]
                if ack.status == "published" and (newest is None or ack.seq > newest.seq):
                    newest = ack
                upcoming += 1
            step = steps.get((shelf, seen.runs[0]))
            if newest is not None and step is not None and step.seq < newest.seq:
                message = (
                    f"version {newest.seq} of run {newest.run} was acknowledged, "
                    f"but a look that began later saw version {step.seq}"
                )
                yield Violation("G4", at, shelf, message, (newest.run, *seen.runs))


def _other_than_last_stands(records: Records) -> Iterator[Violation]:
    if records.stands is None:
        return
    for shelf, commits in records.commits().items():
        last, seen = commits[-1], records.stands.shelves.get(shelf, Seen())
        if last.version is not None and seen.versions != (last.version,):
            stands = ", ".join(seen.versions) or "nothing"
            message = f"the last run, {last.run}, published version {last.version}, but {stands} stands at the end"
            yield Violation("G4", records.ended_at, shelf, message, (last.run, *seen.runs))


def idempotent(records: Records) -> Iterator[Violation]:
    """G5: the same content again is unchanged and writes nothing; every change leaves revisions that fit the chain."""
    revised: dict[tuple[str, str], list[Revised]] = defaultdict(list)
    for revision in records.revised:
        revised[revision.shelf, revision.run].append(revision)
    unchanged = {(commit.shelf, commit.run) for commit in records.ledger if commit.status == "unchanged"}
    for look in _looks(records):
        for shelf, seen in look.shelves.items():
            for run in seen.runs:
                if (shelf, run) in unchanged:
                    message = f"{look.who} saw rows stamped by run {run}, which was unchanged and should write none"
                    yield Violation("G5", look.at, shelf, message, (run,))
    by_shelf: dict[str, list[Commit]] = defaultdict(list)
    for commit in records.ledger:
        by_shelf[commit.shelf].append(commit)
    for shelf, commits in by_shelf.items():
        commits.sort(key=lambda commit: commit.seq)
        for before, after in pairwise([None, *commits]):
            if after is not None:
                at = after.acked_at or records.ended_at
                for message in _misstep(records, before, after, revised.pop((shelf, after.run), [])):
                    runs = (before.run, after.run) if before else (after.run,)
                    yield Violation("G5", at, shelf, message, runs)
    for (shelf, run), left in revised.items():
        message = f"{sum(revision.rows for revision in left)} revisions name run {run}, which published nothing"
        yield Violation("G5", records.ended_at, shelf, message, (run,))


def _misstep(records: Records, before: Commit | None, after: Commit, revised: Sequence[Revised]) -> Iterator[str]:
    same = before is not None and before.content_hash == after.content_hash
    if same and after.status != "unchanged":
        yield f"run {after.run} had the content that stood already, and was {after.status}"
    if not same and after.status != "published":
        yield f"run {after.run} had another content than what stood, and was {after.status}"
    if records.findings is None or after.version is None:
        return
    expected: Mapping[tuple[str, str | None, str | None], int] = {}
    if before is not None and before.version is not None and after.status == "published":
        old, new = records.by_version[before.version], records.by_version[after.version]
        expected = {
            ("changed", old.version, new.version): min(old.rows, new.rows),
            ("added", None, new.version): max(0, new.rows - old.rows),
            ("removed", old.version, None): max(0, old.rows - new.rows),
        }
    found: dict[tuple[str, str | None, str | None], int] = defaultdict(int)
    for revision in revised:
        found[revision.change, revision.old, revision.new] += revision.rows
    if {key: rows for key, rows in expected.items() if rows} != dict(found):
        told = ", ".join(f"{rows} {change} from {old} to {new}" for (change, old, new), rows in found.items())
        stood = before.version if before else "nothing"
        yield f"run {after.run} led from {stood} to {after.version}, but its revisions say: {told or 'nothing'}"


def _looks(records: Records) -> list[Look]:
    return [*records.looks, records.stands] if records.stands else list(records.looks)


def _is_whole(seen: Seen) -> bool:
    return len(seen.versions) == len(seen.runs) == 1 and seen.keys == seen.rows


def _sights(records: Records) -> dict[str, list[tuple[float, float, Seen]]]:
    """Return, by shelf, every look that found one version: (began, ended, what), in the order in which they began."""
    sights: dict[str, list[tuple[float, float, Seen]]] = defaultdict(list)
    for look in _looks(records):
        for shelf, seen in look.shelves.items():
            if _is_whole(seen):
                sights[shelf].append((look.began_at, look.at, seen))
    return {shelf: sorted(found, key=lambda sight: sight[:2]) for shelf, found in sights.items()}


def _steps(records: Records) -> dict[tuple[str, str], Commit]:
    """Return, by shelf and run, what that run did there: rows are known by the stamp of the run that wrote them."""
    return {(step.shelf, step.run): step for steps in records.commits().values() for step in steps}
