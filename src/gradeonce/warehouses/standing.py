"""What stands, held against what the ledger says stands: the comparison that server warehouses share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gradeonce.model import EntryDraft, Fence, PartitionRange

EVERYTHING = PartitionRange("", chr(0x10FFFF))
"""All partitions there can be."""


def differing_fences(table: str, fences: Iterable[Fence], expected: Mapping[str, EntryDraft]) -> list[str]:
    """Return a line for each fence that says something else than the ledger's last word on its partition."""
    findings = []
    for fence in fences:
        draft = expected.get(fence.partition)
        if draft is None:
            if fence.seq:
                findings.append(f"{table} {fence.partition} was published, but the ledger does not know of it")
        elif (fence.seq, fence.rows, fence.content_hash) != (draft.seq, draft.rows, draft.content_hash):
            findings.append(
                f"{table} {fence.partition}: the fence says version {fence.seq} with {fence.rows} rows, "
                f"the ledger says version {draft.seq} with {draft.rows} rows"
            )
    return findings


def differing_rows(
    table: str, counted: Mapping[str, tuple[int, str]], expected: Mapping[str, EntryDraft], *, deep: bool
) -> list[str]:
    """Return a line for each partition whose rows are not those that the ledger recorded.

    Args:
        counted: Rows and content hash of each partition that has any.
        deep: Whether the hashes are to be compared, too.
    """
    findings = []
    for partition in sorted(set(counted) | {p for p, draft in expected.items() if draft.rows}):
        rows, digest = counted.get(partition, (0, ""))
        draft = expected.get(partition)
        if draft is None or rows != draft.rows or (deep and digest != draft.content_hash):
            wanted = draft.rows if draft else 0
            findings.append(f"{table} {partition} holds {rows} rows that are not the {wanted} the ledger recorded")
    return findings
