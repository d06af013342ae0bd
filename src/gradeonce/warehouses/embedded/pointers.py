"""Which file holds the rows of which partition, told by the ledger alone, and held against the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gradeonce.chain import Entry
from gradeonce.model import Change, EntryDraft, PartitionRange
from gradeonce.schema import QUARANTINE, REVISIONS
from gradeonce.warehouses.embedded.catalog import LiveSegment


@dataclass
class RecordedPointers:
    """What the ledger says, from the first entry to the last.

    Attributes:
        live: Per table and partition, the files that hold its rows now.
        written: Per file, the partitions it was written with.
    """

    live: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    written: dict[str, set[str]] = field(default_factory=dict)

    def _add(self, table: str, partition: str, paths: Iterable[str], *, replace: bool = False) -> None:
        files = set(paths)
        self.live[table, partition] = files if replace else self.live.get((table, partition), set()) | files
        for path in files:
            self.written.setdefault(path, set()).add(partition)

    def follow(self, draft: EntryDraft) -> None:
        """Take in one more entry."""
        files: dict[str, list[str]] = {}
        for path in draft.details.get("files", {}):
            files.setdefault(PurePosixPath(path).parent.name, []).append(path)
        for part in draft.details.get("partitions", ()):
            change = part.get("change", Change.APPEND)
            if change != Change.KEEP:
                own = files.get(draft.table, ())
                self._add(draft.table, part["partition"], own, replace=change == Change.REPLACE)
        if files.get(QUARANTINE.name):
            self._add(QUARANTINE.name, draft.details.get("kind", ""), files[QUARANTINE.name])
        if draft.status == "published" and draft.partition:
            # The files of a run hold all its partitions; those without rows are in none.
            self._add(draft.table, draft.partition, files.get(draft.table, ()) if draft.rows else (), replace=True)
            if draft.details.get("revised"):
                self._add(REVISIONS.name, draft.partition, files.get(REVISIONS.name, ()))


def verify_pointers(
    entries: Iterable[Entry], segments: Mapping[str, list[LiveSegment]], *, within: PartitionRange | None = None
) -> list[str]:
    """Return where readers look elsewhere than the ledger says, one line each. No file is opened.

    Args:
        entries: The whole ledger.
        segments: What readers see of every table.
        within: The partitions that `segments` is limited to; None: it is not.
    """
    recorded = RecordedPointers()
    for entry in entries:
        recorded.follow(entry.draft)
    seen: dict[tuple[str, str], set[str]] = {}
    findings = []
    for table, live in segments.items():
        for segment in live:
            seen.setdefault((table, segment.partition), set()).add(segment.path)
            partitions = len(recorded.written.get(segment.path, ()))
            if partitions != segment.segments_in_file:
                findings.append(
                    f"file {segment.path} was written with {partitions} partitions, "
                    f"the catalog says {segment.segments_in_file}"
                )
    for table, partition in sorted(seen.keys() | recorded.live.keys()):
        if within is not None and not within.holds(partition):
            continue
        read, meant = seen.get((table, partition), set()), recorded.live.get((table, partition), set())
        findings += [
            f"{table} {partition} is read from {path}, where the ledger has no rows of it"
            for path in sorted(read - meant)
        ]
        findings += [
            f"{table} {partition} is not read from {path}, where the ledger has rows of it"
            for path in sorted(meant - read)
        ]
    return findings
