"""An entry of the ledger as a row of a server's table, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gradeonce.chain import Entry, canonical_json
from gradeonce.model import EntryDraft


def row_of_entry(entry: Entry) -> dict[str, str | int]:
    """Return an entry as the columns of the table `ledger`."""
    draft = entry.draft
    return {
        "number": entry.number,
        "at": entry.at,
        "kind": draft.kind,
        "run_id": draft.run_id,
        "table_name": draft.table,
        "partition": draft.partition,
        "status": draft.status,
        "token": draft.token,
        "seq": draft.seq,
        "rows": draft.rows,
        "content_hash": draft.content_hash,
        "holder": draft.holder,
        "details": canonical_json(draft.details),
        "previous_hash": entry.previous_hash,
        "entry_hash": entry.entry_hash,
    }


def entry_of_row(row: Mapping[str, Any]) -> Entry:
    """Return the entry that a row of the table `ledger` holds. Any: the columns are texts and numbers."""
    draft = EntryDraft(
        kind=row["kind"],
        run_id=row["run_id"],
        table=row["table_name"],
        partition=row["partition"],
        status=row["status"],
        token=int(row["token"]),
        seq=int(row["seq"]),
        rows=int(row["rows"]),
        content_hash=row["content_hash"],
        holder=row["holder"],
        details=json.loads(row["details"]),
    )
    return Entry(int(row["number"]), row["at"], draft, row["previous_hash"], row["entry_hash"])
