"""The hash chain under the ledger, and the hash of a set of rows. Pure functions; nothing here reads or writes.

Every entry's hash covers the hash of the entry before it, so an entry that is changed, dropped or slipped in later
breaks the chain from there on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gradeonce.model import EntryDraft

GENESIS = "0" * 64
"""What the first entry names as the hash before it."""

_WORD = 1 << 64


@dataclass(frozen=True)
class Entry:
    """One entry in its place.

    Attributes:
        number: 1 for the first, then without a gap.
        at: When it was appended, ISO 8601 UTC.
        draft: What it tells.
        previous_hash: Hash of the entry before it.
        entry_hash: Hash of this one.
    """

    number: int
    at: str
    draft: EntryDraft
    previous_hash: str
    entry_hash: str


def seal(number: int, at: str, draft: EntryDraft, previous_hash: str) -> Entry:
    """Put a draft in its place in the chain."""
    body = {"number": number, "at": at, "previous_hash": previous_hash, **asdict(draft)}
    return Entry(number, at, draft, previous_hash, hashlib.sha256(canonical_json(body).encode()).hexdigest())


def seal_all(drafts: Sequence[EntryDraft], *, number: int, at: str, previous_hash: str) -> list[Entry]:
    """Put drafts one behind the other in the chain, all at one instant.

    Args:
        drafts: What they tell, in order.
        number: Of the entry that they follow; 0 if there is none.
        at: When they are appended, ISO 8601 UTC.
        previous_hash: Of the entry that they follow; `GENESIS` if there is none.
    """
    entries: list[Entry] = []
    for place, draft in enumerate(drafts, start=1):
        entries.append(seal(number + place, at, draft, entries[-1].entry_hash if entries else previous_hash))
    return entries


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a plain value: keys sorted, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def content_hash(low: int, high: int) -> str:
    """Return the hash of a set of rows from the sums of their row hashes' halves.

    The row hash is the MD5 of the row's text; sums do not depend on the order of rows, and the hash of two sets
    together follows from the hashes of each (`add_hashes`). It finds accidents and edits; the files themselves are
    covered by SHA-256 in the entry that wrote them.
    """
    return f"{high % _WORD:016x}{low % _WORD:016x}"


def add_hashes(first: str, second: str) -> str:
    """Return the content hash of two sets of rows together; an empty text stands for no rows."""
    if not first or not second:
        return first or second
    high = int(first[:16], 16) + int(second[:16], 16)
    low = int(first[16:], 16) + int(second[16:], 16)
    return content_hash(low, high)
