"""The plan of a deduplication: what stands more than once, and which row of each would stay. Nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gradeonce.adopted import adopted_partitions
from gradeonce.clock import Clock
from gradeonce.dedupe.choice import Choice, Keep
from gradeonce.errors import PublishConflict, RefusedForSafety
from gradeonce.model import Fence, PartitionFacts, Query
from gradeonce.publish import ATTEMPTS
from gradeonce.warehouses.base import Stage, Warehouse

__all__ = ["Keep", "Plan", "PlannedPartition", "SampleKey", "make_plan"]

SAMPLES = 5


@dataclass(frozen=True)
class PlannedPartition:
    """One partition in which keys stand more than once.

    Attributes:
        partition: Which one.
        fence: Where it stood when it was looked at; it must still be there when the plan is applied.
        rows: Rows that stand.
        rows_hash: Hash over all columns of them, stamps too.
        kept_rows: Rows that would stay.
        kept_hash: Hash over all columns of those.
        keys: Keys that stand more than once, by number of copies.
        identical: Of these keys, how many have copies that are equal in every column.
        same_content: How many have copies that differ in stamps only.
        differing: How many have copies that say different things.
        is_adopted: Whether the rows were adopted and not graded by us since.
    """

    partition: str
    fence: Fence
    rows: int
    rows_hash: str
    kept_rows: int
    kept_hash: str
    keys: Mapping[int, int]
    identical: int
    same_content: int
    differing: int
    is_adopted: bool = False

    @property
    def rows_deleted(self) -> int:
        """How many rows would go."""
        return self.rows - self.kept_rows


@dataclass(frozen=True)
class SampleKey:
    """A key that stands more than once.

    Attributes:
        partition: Where.
        key: Its columns, as texts.
        kept_by: What the row that stays holds in the column that decides, as text.
        removed_by: The same of the rows that go.
    """

    partition: str
    key: Mapping[str, str | None]
    kept_by: str | None
    removed_by: tuple[str | None, ...]


@dataclass(frozen=True)
class Plan:
    """What `apply` would do.

    Attributes:
        plan_id: Its name; empty if there is nothing to do.
        choice: What counts as a copy, and which one stays.
        made_at: When it was made, ISO 8601 UTC.
        partitions: Partitions in which keys stand more than once, in order.
        differing_columns: Columns in which copies differ, with the number of keys.
        samples: The first keys.
        backup: Table that will keep the rows as they stood.
        beside: Quoted name of a table that is not the book's; empty for one that is.
    """

    plan_id: str
    choice: Choice
    made_at: str
    partitions: tuple[PlannedPartition, ...] = ()
    differing_columns: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[SampleKey, ...] = ()
    backup: str = ""
    beside: str = ""

    @property
    def table_name(self) -> str:
        """The table, as it is shown."""
        return self.beside or self.choice.table.name

    @property
    def names(self) -> list[str]:
        """The partitions' names."""
        return [planned.partition for planned in self.partitions]

    @property
    def keys(self) -> dict[int, int]:
        """How many keys stand more than once, by number of copies."""
        totals: dict[int, int] = {}
        for planned in self.partitions:
            for copies, keys in planned.keys.items():
                totals[copies] = totals.get(copies, 0) + keys
        return dict(sorted(totals.items()))

    @property
    def rows_deleted(self) -> int:
        """How many rows would go."""
        return sum(planned.rows_deleted for planned in self.partitions)


def make_plan(warehouse: Warehouse, clock: Clock, choice: Choice, *, partitions: Sequence[str] | None = None) -> Plan:
    """Look for copies and say what would be done about them.

    Args:
        partitions: Only these; None: the whole table.

    Raises:
        RefusedForSafety: If a partition that holds copies was never published nor adopted.
        PublishConflict: If somebody else published in every partition looked at, every time.
    """
    at = clock.now().astimezone(UTC)
    plan_id = new_plan_id(at)
    for attempt in range(1, ATTEMPTS + 1):
        with warehouse.reader() as reader:
            affected = [name for (name,) in reader.query(choice.affected(partitions)).rows]
        if not affected:
            return Plan("", choice, at.isoformat(timespec="seconds"))
        fences = warehouse.fences(choice.table, affected)
        _require_published(fences)
        adopted = set(adopted_partitions(warehouse, choice.table))
        query = Query(choice.kept(affected), inputs={choice.table.name: tuple(affected)})
        with warehouse.stage(choice.whole, query, run_id=f"plan_{plan_id}") as stage:
            plan = _looked_at(stage, choice, plan_id, at.isoformat(timespec="seconds"), fences, adopted)
        if warehouse.fences(choice.table, affected) == fences:
            return plan
        if attempt == ATTEMPTS:
            break
    raise PublishConflict(f"{choice.table.name} is published to all the time.", hint="Run the same command again.")


def new_plan_id(at: datetime) -> str:
    """Return the name of a plan made at an instant (UTC); it is part of a table's name, the backup's."""
    return f"{at:%Y%m%d_%H%M%S}_{os.urandom(3).hex()}"


def _require_published(fences: Mapping[str, Fence]) -> None:
    for partition, fence in fences.items():
        if not fence.seq:
            raise RefusedForSafety(
                f"The rows of {fence.table} {partition} were put there by somebody else: they have no fence.",
                hint=f"Adopt them first: gradeonce adopt {fence.table}",
            )


def _looked_at(
    stage: Stage, choice: Choice, plan_id: str, at: str, fences: Mapping[str, Fence], adopted: set[str]
) -> Plan:
    names = list(fences)
    standing = by_partition(stage.facts_of(choice.whole, f"({choice.standing(names)})"))
    kept = by_partition(stage.facts())
    counted: dict[str, list[tuple[int, ...]]] = {}
    for partition, *numbers in stage.query(choice.keys_by_copies(names)).rows:
        counted.setdefault(partition, []).append(tuple(numbers))
    differing = stage.query(choice.differing_columns(names)).rows[0]
    partitions = tuple(
        PlannedPartition(
            partition=name,
            fence=fences[name],
            rows=standing[name].rows,
            rows_hash=standing[name].content_hash,
            kept_rows=kept[name].rows,
            kept_hash=kept[name].content_hash,
            keys={copies: keys for copies, keys, *_ in counted[name]},
            identical=sum(numbers[2] for numbers in counted[name]),
            same_content=sum(numbers[3] for numbers in counted[name]),
            differing=sum(numbers[4] for numbers in counted[name]),
            is_adopted=name in adopted,
        )
        for name in names
        if name in counted
    )
    return Plan(
        plan_id=plan_id,
        choice=choice,
        made_at=at,
        partitions=partitions,
        differing_columns={name: keys for name, keys in zip(choice.compared, differing, strict=True) if keys},
        samples=_samples(stage, choice, names),
        backup=choice.backup(plan_id).name,
    )


def _samples(stage: Stage, choice: Choice, names: Sequence[str]) -> tuple[SampleKey, ...]:
    found: dict[int, SampleKey] = {}
    for partition, *values, when, copy_number, nth in stage.query(choice.samples(names, SAMPLES)).rows:
        if copy_number == 1:
            found[nth] = SampleKey(partition, dict(zip(choice.key, values, strict=True)), when, ())
        else:
            first = found[nth]
            found[nth] = SampleKey(first.partition, first.key, first.kept_by, (*first.removed_by, when))
    return tuple(found.values())


def by_partition(facts: Sequence[PartitionFacts]) -> dict[str, PartitionFacts]:
    """Return facts by the partition they are of."""
    return {fact.partition: fact for fact in facts}
