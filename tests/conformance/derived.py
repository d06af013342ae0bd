"""What publishing must do with rows that follow from the published ones: one body for every warehouse."""

from __future__ import annotations

from typing import Any

import pytest

from builders import SHELVES, FakeClock, ledger_findings, shelf_query
from conformance.publishing import DAY, NEXT_DAY, counts
from gradeonce.errors import LeaseLost, ValidationFailed
from gradeonce.model import Query
from gradeonce.publish import Derived, Judgement, Published, publish
from gradeonce.schema import Column, ColumnType, Table
from gradeonce.validation import Validation
from gradeonce.warehouses.base import Stage, Warehouse

TOTALS = Table(
    name="shelf_totals",
    partition="day",
    key=("shelf",),
    columns=(
        Column("day", ColumnType.DATE, required=True),
        Column("shelf", ColumnType.TEXT),
        Column("items", ColumnType.INTEGER, required=True),
        Column("markers", ColumnType.SUM),
    ),
)
PER_SHELF = "SELECT day, shelf, count(*) AS items, sum(marker) AS markers FROM staged GROUP BY day, shelf"


class DerivedConformance:
    """Inherit it beside `PublishConformance`."""

    def follow(
        self, warehouse: Warehouse, query: Query, *days: str, run_id: str, sql: str = PER_SHELF, **options: Any
    ) -> Published:
        """Publish SHELVES and what follows from it. Any: options of `publish`."""
        validations = (Validation("few_items", "items > 5", "shelves hold too much"),)
        days, derived = days or (DAY,), [Derived(TOTALS, sql, validations)]
        return publish(
            warehouse, SHELVES, query, days, run_id=run_id, derived=derived, clock=FakeClock(), **options
        )[days[0]]  # fmt: skip

    def totals(self, warehouse: Warehouse) -> list[tuple[Any, ...]]:
        """Return what stands: day, shelf, items, markers."""
        with warehouse.reader() as reader:
            return reader.query(
                "SELECT CAST(day AS VARCHAR), shelf, items, CAST(markers AS INTEGER) FROM shelf_totals "
                "ORDER BY day, shelf"
            ).rows

    def versions(self, warehouse: Warehouse) -> tuple[int, int]:
        """Return how often the day was published: its rows, and what follows from them."""
        return warehouse.fences(SHELVES, [DAY])[DAY].seq, warehouse.fences(TOTALS, [DAY])[DAY].seq

    def test_what_follows_is_published_with_the_rows(self, warehouse: Warehouse) -> None:
        """First publish, correction: both tables at once, each with fence and ledger entry, under the same token."""
        self.follow(warehouse, counts(("a", "nut", 1), ("a", "cog", 2), (None, "nut", 3)), run_id="1", tokens={DAY: 4})
        assert self.totals(warehouse) == [(DAY, "a", 2, 3), (DAY, None, 1, 3)]
        assert warehouse.fences(TOTALS, [DAY])[DAY].token == 4

        self.follow(warehouse, counts(("a", "nut", 1), ("a", "cog", 7)), run_id="2", tokens={DAY: 5})
        assert self.totals(warehouse) == [(DAY, "a", 2, 8)]
        assert warehouse.fences(TOTALS, [DAY])[DAY].token == 5
        assert [(e.draft.kind, e.draft.table, e.draft.rows, e.draft.token) for e in warehouse.entries()] == [
            ("publish", "shelf_counts", 3, 4), ("derive", "shelf_totals", 2, 4),
            ("publish", "shelf_counts", 2, 5), ("derive", "shelf_totals", 1, 5),
        ]  # fmt: skip
        assert ledger_findings(warehouse) == ()

    def test_what_follows_stays_when_it_is_the_same(self, warehouse: Warehouse) -> None:
        """Nothing changed, or only what the sums do not show: no row of theirs is written, no version, no entry."""
        self.follow(warehouse, counts(("a", "nut", 1), ("a", "cog", 2)), run_id="one")
        before = warehouse.fences(TOTALS, [DAY])[DAY]

        assert self.follow(warehouse, counts(("a", "nut", 1), ("a", "cog", 2)), run_id="two").status == "unchanged"
        assert self.follow(warehouse, counts(("a", "nut", 2), ("a", "cog", 1)), run_id="three").status == "published"

        assert warehouse.fences(TOTALS, [DAY])[DAY] == before
        assert [entry.draft.kind for entry in warehouse.entries()] == ["publish", "derive", "publish", "publish"]
        assert ledger_findings(warehouse) == ()

    def test_publishing_the_same_again_puts_right_what_no_longer_follows(self, warehouse: Warehouse) -> None:
        """Rows published without it, or another definition of what follows: the next publish mends it."""
        publish(warehouse, SHELVES, counts(("a", "nut", 1)), [DAY], run_id="one", clock=FakeClock())
        assert self.follow(warehouse, counts(("a", "nut", 1)), run_id="two").status == "unchanged"
        assert self.totals(warehouse) == [(DAY, "a", 1, 1)]

        twice = PER_SHELF.replace("sum(marker)", "2 * sum(marker)")
        assert self.follow(warehouse, counts(("a", "nut", 1)), run_id="three", sql=twice).status == "unchanged"
        assert self.totals(warehouse) == [(DAY, "a", 1, 2)]
        assert self.versions(warehouse) == (3, 2)
        assert ledger_findings(warehouse) == ()

    def test_of_an_emptied_partition_nothing_follows(self, warehouse: Warehouse) -> None:
        """No row, no sum; and both come back."""
        self.follow(warehouse, counts(("a", "nut", 1)), run_id="one")
        self.follow(warehouse, counts(), run_id="two")
        assert self.totals(warehouse) == []

        self.follow(warehouse, counts(), run_id="three")
        self.follow(warehouse, counts(("a", "nut", 4)), run_id="four")
        assert self.totals(warehouse) == [(DAY, "a", 1, 4)]
        assert self.versions(warehouse) == (4, 3)
        assert ledger_findings(warehouse) == ()

    def test_several_partitions_follow_together(self, warehouse: Warehouse) -> None:
        """One stays, one changes, one is new, one is empty: each of the sums with its own."""
        days = [DAY, NEXT_DAY, "2026-01-19", "2026-01-20"]
        one_each = "SELECT day, 'all' AS shelf, 1 AS items, sum(marker) AS markers FROM staged GROUP BY day"
        self.follow(warehouse, shelf_query(days[:2], 1), *days[:2], run_id="one", sql=one_each)
        self.follow(warehouse, shelf_query(days[1:2], 2), days[1], run_id="two", sql=one_each)
        self.follow(warehouse, shelf_query(days[:3], 1), *days, run_id="three", sql=one_each)

        assert self.totals(warehouse) == [(day, "all", 1, 20) for day in days[:3]]
        assert [fence.seq for fence in warehouse.all_fences(TOTALS)] == [1, 3, 1, 0]
        assert ledger_findings(warehouse) == ()

    def test_of_a_partition_held_back_nothing_follows_yet(self, warehouse: Warehouse) -> None:
        """Neither rows nor sums appear while the caller waits."""

        def hold_back(stage: Stage) -> dict[str, Judgement]:
            return {DAY: Judgement(hold_back=True)}

        both = shelf_query([DAY, NEXT_DAY], 1)
        one_each = "SELECT day, 'all' AS shelf, 1 AS items, sum(marker) AS markers FROM staged GROUP BY day"
        self.follow(warehouse, both, DAY, NEXT_DAY, run_id="one", judge=hold_back, sql=one_each)

        assert self.totals(warehouse) == [(NEXT_DAY, "all", 1, 20)]
        assert ledger_findings(warehouse) == ()

    @pytest.mark.parametrize(
        ("sql", "rule"),
        [
            (f"SELECT day, 'a' AS shelf, items, markers FROM ({PER_SHELF}) AS t", "key_unique: 1"),
            (f"SELECT day, shelf, NULL AS items, markers FROM ({PER_SHELF}) AS t", "required: 2"),
            (f"SELECT day, shelf, 6 AS items, markers FROM ({PER_SHELF}) AS t", "few_items: 2 shelves hold too much"),
            (f"SELECT DATE '{NEXT_DAY}' AS day, shelf, items, markers FROM ({PER_SHELF}) AS t", "foreign_partition"),
        ],
    )
    def test_what_follows_keeps_rules_too(self, warehouse: Warehouse, sql: str, rule: str) -> None:
        """A sum that cannot be stops the publish of both."""
        with pytest.raises(ValidationFailed, match=f"staged for shelf_totals .*{rule}"):
            self.follow(warehouse, counts(("a", "nut", 1), ("b", "nut", 2)), run_id="one", sql=sql)

        assert self.versions(warehouse) == (0, 0)
        assert list(warehouse.entries()) == []

    def test_a_stale_writer_changes_neither(self, warehouse: Warehouse) -> None:
        """A successor published after our last look: its rows and its sums stand."""
        self.follow(warehouse, counts(("a", "nut", 1)), run_id="one", tokens={DAY: 1})

        def successor() -> None:
            self.follow(warehouse, counts(("a", "nut", 3)), run_id="successor", tokens={DAY: 3})

        with pytest.raises(LeaseLost, match="superseded"):
            self.follow(warehouse, counts(("a", "nut", 2)), run_id="late", tokens={DAY: 2}, guard=successor)

        assert self.totals(warehouse) == [(DAY, "a", 1, 3)]
        assert ledger_findings(warehouse) == ()

    def test_of_two_writers_without_leases_both_tables_are_of_the_last(self, warehouse: Warehouse) -> None:
        """The loser starts again, and its sums are those of its own rows."""
        overtaken: list[bool] = []

        def overtake_once() -> None:
            if not overtaken:
                overtaken.append(True)
                self.follow(warehouse, counts(("a", "nut", 9), ("b", "nut", 9)), run_id="first")

        self.follow(warehouse, counts(("a", "nut", 2)), run_id="second", guard=overtake_once)

        assert self.totals(warehouse) == [(DAY, "a", 1, 2)]
        assert self.versions(warehouse) == (2, 2)
        assert ledger_findings(warehouse) == ()

    def test_a_dry_run_leaves_what_follows_alone(self, warehouse: Warehouse) -> None:
        """Computed and checked, not published."""
        self.follow(warehouse, counts(("a", "nut", 1)), run_id="one")
        self.follow(warehouse, counts(("a", "nut", 2)), run_id="two", dry_run=lambda *_: None)

        assert self.totals(warehouse) == [(DAY, "a", 1, 1)]
        assert self.versions(warehouse) == (1, 1)

    def test_sums_are_exact(self, warehouse: Warehouse) -> None:
        """18 places survive, and the content hash tells apart what differs in the last of them."""
        tiny = "0.000000000000000001"
        for number, digits in enumerate((f"123456789012 + {tiny}", f"123456789012 + {tiny} + {tiny}")):
            sql = f"SELECT day, shelf, 1 AS items, CAST({digits} AS DECIMAL(38, 18)) AS markers FROM staged"
            self.follow(warehouse, counts(("a", "nut", 1)), run_id=str(number), sql=sql)
            with warehouse.reader() as reader:
                assert reader.query("SELECT CAST(markers AS VARCHAR) FROM shelf_totals").rows == [
                    (f"123456789012.{number + 1:018}",)
                ]
        assert self.versions(warehouse) == (2, 2)
        assert ledger_findings(warehouse) == ()
