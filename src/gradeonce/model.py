"""Frozen records that cross the floors of the house."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradeonce.schema import Table


@dataclass(frozen=True)
class Fence:
    """What the warehouse has accepted for one partition of one table.

    Attributes:
        table: Table name.
        partition: The partition's value as text, e.g. `2026-01-17`.
        token: Highest fencing token accepted; a publish with a lower one is refused.
        seq: Number of commits so far; every commit adds one, so two of them can never both start from the same.
        rows: Rows that stand.
        content_hash: Order-free hash over the content of those rows; empty while nothing was ever published.
        version: The run or load that wrote what stands.
        published_at: When what stands was written, ISO 8601 UTC; empty while nothing was.
    """

    table: str
    partition: str
    token: int = 0
    seq: int = 0
    rows: int = 0
    content_hash: str = ""
    version: str = ""
    published_at: str = ""


@dataclass(frozen=True)
class PartitionRange:
    """Partitions from first to last, as texts, both included."""

    first: str
    last: str

    def holds(self, partition: str) -> bool:
        """Say whether a partition is one of them."""
        return self.first <= partition <= self.last


@dataclass(frozen=True)
class Query:
    """A SELECT for the engine.

    Attributes:
        sql: Its text; values are bound as `$name`.
        params: The values. Any: whatever the driver can bind.
        inputs: Tables it reads, each with the partitions it needs; None means all of them.
        files: Parquet files on this machine that it reads as well, by the name it uses: the table whose columns they
            have, and the path.
    """

    sql: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    files: Mapping[str, tuple[Table, Path]] = field(default_factory=dict)


@dataclass(frozen=True)
class PartitionFacts:
    """What is staged for one partition: how many rows, and their content hash."""

    partition: str
    rows: int
    content_hash: str


class Change(StrEnum):
    """What a commit does with the rows of a partition."""

    REPLACE = "replace"
    APPEND = "append"
    KEEP = "keep"
    WATCH = "watch"
    TAKE_OVER = "take_over"


class Copies(StrEnum):
    """Where several rows of one key may stand.

    `none`: nowhere, which is the promise to every reader. `removed`: in what a publish replaces, not in what it puts
    there. `allowed`: in both, for rows that stood so before and are brought back as they were. `in_place`: in both, and
    the rows stay where they are: the fence takes over what it finds.
    """

    NONE = "none"
    REMOVED = "removed"
    ALLOWED = "allowed"
    IN_PLACE = "in_place"


@dataclass(frozen=True)
class Move:
    """One partition's step from one version to the next.

    Attributes:
        table: Table name.
        partition: Which partition.
        change: Whether the staged rows replace what stands, are added to it, nothing moves but the fence, the
            partition is only watched (it must still be at its base, and stays there), or the fence takes over rows that
            stand without one.
        token: Our fencing token; None takes no part in fencing (appends to an input table need none).
        base_seq: The `seq` this step starts from.
        rows: Rows that will stand afterwards.
        content_hash: Their content hash.
    """

    table: str
    partition: str
    change: Change
    token: int | None
    base_seq: int
    rows: int
    content_hash: str


@dataclass(frozen=True)
class EntryDraft:
    """A ledger entry before it has its place in the chain.

    Attributes:
        kind: grade, publish, load, lease_broken, ...
        run_id: The run or load it tells of.
        table: Table concerned; empty for none.
        partition: Partition concerned; empty for all or none.
        status: How it ended, e.g. published.
        token: Fencing token used.
        seq: Sequence number of the partition afterwards.
        rows: Rows that stand afterwards.
        content_hash: Content hash of those rows.
        holder: Who did it.
        details: Everything else, as plain JSON values.
    """

    kind: str
    run_id: str
    table: str = ""
    partition: str = ""
    status: str = ""
    token: int = 0
    seq: int = 0
    rows: int = 0
    content_hash: str = ""
    holder: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
