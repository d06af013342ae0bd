"""The ledger: everything that was loaded, published or broken open, checked against what stands.

Publish the latest hash (`gradeonce ledger head`), and others can check that the record they are shown is the one that
stood then: nothing was added, changed or dropped afterwards, and what was loaded before tip-off is seen to have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gradeonce.chain import GENESIS, Entry, seal
from gradeonce.errors import LedgerBroken
from gradeonce.model import EntryDraft
from gradeonce.warehouses.base import Warehouse


@dataclass(frozen=True)
class LedgerProof:
    """What `ledger verify` found to hold.

    Attributes:
        entries: Entries in the chain.
        head: Hash of the last one; empty for an empty ledger.
        head_at: When the last one was appended.
        partitions: Partitions whose rows were held against it.
        deep: Whether every row was hashed again, not only every file.
    """

    entries: int
    head: str
    head_at: str
    partitions: int
    deep: bool


def verify(warehouse: Warehouse, *, deep: bool = False, head: str | None = None) -> LedgerProof:
    """Check the chain, and that what readers see is what the chain says.

    Args:
        deep: Hash every row again. Slower; without it every file is checked by its bytes.
        head: A hash that was published earlier: the chain must still contain it.

    Raises:
        LedgerBroken: With one line per finding.
    """
    # As of one instant: what others publish meanwhile is not a finding.
    with warehouse.steady():
        entries = list(warehouse.entries())
        findings = verify_chain(entries)
        if head is not None and head not in {entry.entry_hash for entry in entries}:
            findings.append(f"the published hash {head} is not in the chain")
        standing = standing_partitions(entries)
        findings += warehouse.verify_rows(entries, standing, deep=deep)
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise LedgerBroken(f"The ledger does not hold: {findings[0]}{more}.", findings=findings)
    last = entries[-1] if entries else None
    return LedgerProof(len(entries), last.entry_hash if last else "", last.at if last else "", len(standing), deep)


def verify_chain(entries: Iterable[Entry]) -> list[str]:
    """Return what is wrong with the chain, one line per broken entry; empty when it holds."""
    findings = []
    previous, number = GENESIS, 0
    for entry in entries:
        number += 1
        if entry.number != number:
            findings.append(f"entry {number} is missing: the next one found is {entry.number}")
            number = entry.number
        if entry.previous_hash != previous:
            findings.append(f"entry {entry.number} does not follow the entry before it")
        if seal(entry.number, entry.at, entry.draft, entry.previous_hash).entry_hash != entry.entry_hash:
            findings.append(f"entry {entry.number} was changed after it was written")
        previous = entry.entry_hash
    return findings


def standing_partitions(entries: Iterable[Entry]) -> Mapping[tuple[str, str], EntryDraft]:
    """Return, per table and partition, the last entry that says what stands there."""
    standing: dict[tuple[str, str], EntryDraft] = {}
    for entry in entries:
        draft = entry.draft
        for part in draft.details.get("partitions", ()):
            standing[draft.table, part["partition"]] = EntryDraft(
                kind=draft.kind,
                run_id=draft.run_id,
                table=draft.table,
                partition=part["partition"],
                token=part["token"],
                seq=part["seq"],
                rows=part["rows"],
                content_hash=part["content_hash"],
            )
        if draft.partition and draft.seq:
            standing[draft.table, draft.partition] = draft
    return standing
