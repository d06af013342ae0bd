"""What publishing must do on every warehouse: one body, inherited by the tests of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from builders import ITEMS, SHELVES, FakeClock, ledger_findings, shelf_query
from gradeonce.errors import (
    LeaseLost,
    PublishConflict,
    RefusedForSafety,
    TransientWarehouseError,
    UsageError,
    ValidationFailed,
    WarehouseError,
)
from gradeonce.ledger import standing_partitions
from gradeonce.model import Change, Move, Query
from gradeonce.publish import Judgement, Published, PublishStatus, ignore_steps, publish
from gradeonce.schema import ACCURACY, Column, ColumnType, Table
from gradeonce.validation import Validation
from gradeonce.warehouses.base import Revised, Stage, Warehouse

DAY, NEXT_DAY = "2026-01-17", "2026-01-18"

ROWS = "SELECT shelf, item, marker, counted_by FROM shelf_counts WHERE day = $day ORDER BY ALL"


def counts(*rows: tuple[str | None, str | None, int], day: str = DAY, by: str = "ann") -> Query:
    """Return the SELECT of these rows: shelf, item, marker."""
    values = ", ".join(f"($day{i}, $shelf{i}, $item{i}, $marker{i}, $by{i})" for i in range(len(rows)))
    params: dict[str, Any] = {}
    for i, (shelf, item, marker) in enumerate(rows):
        params |= {f"day{i}": day, f"shelf{i}": shelf, f"item{i}": item, f"marker{i}": marker, f"by{i}": by}
    if not rows:
        return Query("SELECT NULL AS day, NULL AS shelf, NULL AS item, NULL AS marker, NULL AS counted_by WHERE false")
    return Query(f"SELECT * FROM (VALUES {values}) AS t (day, shelf, item, marker, counted_by)", params)


def silence_at(step: str, then: Callable[[], None] = lambda: None) -> Callable[[str], None]:
    """Return an `on_step` that breaks the way to the warehouse at the first such step, once something else was done."""
    broken: list[str] = []

    def on_step(name: str) -> None:
        if name == step and not broken:
            broken.append(name)
            then()
            raise TransientWarehouseError("The way to the warehouse broke.")

    return on_step


class PublishConformance:
    """Inherit it and give it two fixtures, `warehouse`, an empty one, and `neighbour`, the same opened once more.

    Both are closed at the end.
    """

    # What warehouses spell differently.
    halves, doubled, type_of = "1.5::DOUBLE", "range(2)", ("typeof(kg)", "DECIMAL(18,9)")

    def publish(self, warehouse: Warehouse, query: Query, *days: str, run_id: str, **options: Any) -> Published:
        """Publish SHELVES; return what came of the first day. Any: options of `publish`."""
        days = days or (DAY,)
        return publish(warehouse, SHELVES, query, days, run_id=run_id, clock=FakeClock(), **options)[days[0]]

    def stands(self, warehouse: Warehouse, day: str = DAY) -> list[tuple[Any, ...]]:
        """Return the rows of a day: shelf, item, marker, counted_by."""
        with warehouse.reader() as reader:
            return reader.query(ROWS, {"day": day}).rows

    def revisions(self, warehouse: Warehouse) -> list[tuple[Any, ...]]:
        """Return all revisions: partition, change, reason, key, old marker, new marker, run."""
        sql = (
            "SELECT partition, change, reason, key_json, old_json ->> '$.marker', new_json ->> '$.marker', run_id "
            "FROM grade_revisions ORDER BY ALL"
        )
        with warehouse.reader() as reader:
            return reader.query(sql).rows

    def test_first_publish_of_a_partition(self, warehouse: Warehouse) -> None:
        """The rows stand, version 1, without a revision; the ledger has the entry."""
        published = self.publish(warehouse, counts(("a", "nut", 1), ("b", "nut", 2)), run_id="one", holder="ann")

        assert (published.status, published.seq, published.token, published.rows) == ("published", 1, 0, 2)
        assert published.revised == Revised(0, 0, 0)
        assert self.stands(warehouse) == [("a", "nut", 1, "ann"), ("b", "nut", 2, "ann")]
        assert self.revisions(warehouse) == []
        (entry,) = warehouse.entries()
        draft = entry.draft
        assert (draft.kind, draft.run_id, draft.table, draft.partition, draft.status) == (
            "publish", "one", "shelf_counts", DAY, "published",
        )  # fmt: skip
        assert (draft.token, draft.seq, draft.rows, draft.holder) == (0, 1, 2, "ann")
        assert draft.content_hash == published.content_hash
        assert entry.entry_hash == published.entry_hash
        assert ledger_findings(warehouse) == ()

    def test_null_key_parts_are_keys_like_others(self, warehouse: Warehouse) -> None:
        """A null part equals a null part: corrected in place, never doubled."""
        self.publish(warehouse, counts((None, "nut", 1), ("a", None, 2), (None, None, 3)), run_id="one")
        published = self.publish(warehouse, counts((None, "nut", 9), ("a", None, 2), (None, None, 3)), run_id="two")

        assert published.revised == Revised(added=0, removed=0, changed=1)
        assert [row[:3] for row in self.stands(warehouse)] == [("a", None, 2), (None, "nut", 9), (None, None, 3)]

    def test_a_staged_key_that_stands_twice_is_refused(self, warehouse: Warehouse) -> None:
        """Also when its parts are null; the message counts and names the key, and nothing is published."""
        with pytest.raises(ValidationFailed, match=r"key_unique: 1 business keys stand more than once, .*\(.*a, nut\)"):
            self.publish(warehouse, counts(("a", "nut", 1), ("a", "nut", 2)), run_id="one")
        with pytest.raises(ValidationFailed, match="key_unique: 1 business keys") as refused:
            self.publish(warehouse, counts((None, None, 1), (None, None, 1)), run_id="two")

        assert refused.value.exit_code == 1
        assert self.stands(warehouse) == []
        assert list(warehouse.entries()) == []

    def test_the_same_key_may_stand_in_two_partitions(self, warehouse: Warehouse) -> None:
        """The key is unique within its partition."""
        self.publish(warehouse, counts(("a", "nut", 1)), run_id="one")
        self.publish(warehouse, counts(("a", "nut", 1), day=NEXT_DAY), NEXT_DAY, run_id="two")

        assert len(self.stands(warehouse, DAY)) == len(self.stands(warehouse, NEXT_DAY)) == 1

    def test_a_null_where_none_may_be_is_refused(self, warehouse: Warehouse) -> None:
        """The message names the columns and the key."""
        query = Query(
            "SELECT CAST($day AS DATE) AS day, 'a' AS shelf, 'nut' AS item, NULL AS marker, 'x' AS counted_by",
            {"day": DAY},
        )

        with pytest.raises(ValidationFailed, match="required: 1 rows lack one of day, marker, counted_by"):
            self.publish(warehouse, query, run_id="one")

    def test_a_row_of_a_partition_nobody_asked_for_is_refused(self, warehouse: Warehouse) -> None:
        """A query that reaches over to the next day cannot touch it."""
        self.publish(warehouse, counts(("a", "nut", 1), day=NEXT_DAY), NEXT_DAY, run_id="one")

        with pytest.raises(ValidationFailed, match=f"foreign_partition: rows of {NEXT_DAY}, which nobody asked"):
            self.publish(warehouse, counts(("a", "nut", 2), day=NEXT_DAY), run_id="two")

        assert self.stands(warehouse, NEXT_DAY) == [("a", "nut", 1, "ann")]

    def test_a_row_without_a_partition_is_refused(self, warehouse: Warehouse) -> None:
        """A null partition is nobody's; all broken rules are told at once."""
        query = Query("SELECT NULL AS day, 'a' AS shelf, 'nut' AS item, 1 AS marker, 'x' AS counted_by")

        with pytest.raises(ValidationFailed) as refused:
            self.publish(warehouse, query, run_id="one")

        assert [failure.split(":")[0] for failure in refused.value.failures] == ["foreign_partition", "required"]

    def test_rules_of_the_caller_are_kept(self, warehouse: Warehouse) -> None:
        """A rule over rows and one over groups of rows: each tells how many break it, with a sample of five."""
        rules = [
            Validation("not_negative", "marker < 0", "counts are below zero"),
            Validation("few_shelves", "count(*) > 6", "shelves hold too much", groups="day, shelf"),
        ]
        query = counts(*[("a", f"item{i}", -1) for i in range(7)], ("b", "nut", 1))

        with pytest.raises(ValidationFailed) as refused:
            self.publish(warehouse, query, run_id="one", validations=rules)

        negative, shelves = refused.value.failures
        assert negative.startswith("not_negative: 7 counts are below zero, e.g. ")
        assert negative.count(";") == 4
        assert "a, item0" in negative
        assert shelves.startswith("few_shelves: 1 shelves hold too much, e.g. ")
        assert self.stands(warehouse) == []

    def test_a_rule_that_follows_from_another_is_told_as_well_when_both_are_broken(self, warehouse: Warehouse) -> None:
        """Unique over shelf and item is unique over day, shelf and item; a key on two days breaks only the first."""
        rules = [Validation("one_key", "count(*) > 1", "keys stand on two days", groups="shelf, item")]
        twice, both_days = counts(("a", "nut", 1), ("a", "nut", 2)), shelf_query([DAY, NEXT_DAY], 1, items=1)

        with pytest.raises(ValidationFailed) as doubled:
            self.publish(warehouse, twice, run_id="one", validations=rules)
        with pytest.raises(ValidationFailed) as moved:
            self.publish(warehouse, both_days, DAY, NEXT_DAY, run_id="two", validations=rules)

        assert [failure.split(":")[0] for failure in doubled.value.failures] == ["key_unique", "one_key"]
        assert [failure.split(":")[0] for failure in moved.value.failures] == ["one_key"]

    def test_neighbours_are_not_touched(self, warehouse: Warehouse) -> None:
        """Two days published together, one of them again: the other keeps rows, stamps and version."""
        both = Query(f"{counts(('a', 'nut', 1)).sql}", counts(("a", "nut", 1)).params)
        self.publish(warehouse, both, run_id="one")
        self.publish(warehouse, counts(("a", "nut", 1), day=NEXT_DAY, by="bob"), NEXT_DAY, run_id="two")

        self.publish(warehouse, counts(("a", "nut", 5)), run_id="three")

        assert self.stands(warehouse, NEXT_DAY) == [("a", "nut", 1, "bob")]
        assert warehouse.fences(SHELVES, [NEXT_DAY])[NEXT_DAY].seq == 1
        assert ledger_findings(warehouse) == ()

    def test_publishing_the_same_again_keeps_rows_and_stamps(self, warehouse: Warehouse) -> None:
        """Only the stamp differs, so nothing does: the first stamp stays, no revision, and the entry says unchanged."""
        self.publish(warehouse, counts(("a", "nut", 1), ("b", None, 2), by="ann"), run_id="one")
        before = warehouse.fences(SHELVES, [DAY])[DAY]

        # The order of rows is no difference either.
        published = self.publish(warehouse, counts(("b", None, 2), ("a", "nut", 1), by="bob"), run_id="two")

        assert (published.status, published.seq) == ("unchanged", 2)
        assert self.stands(warehouse) == [("a", "nut", 1, "ann"), ("b", None, 2, "ann")]
        assert self.revisions(warehouse) == []
        after = warehouse.fences(SHELVES, [DAY])[DAY]
        assert (
            (after.version, after.published_at) == (before.version, before.published_at) == ("one", after.published_at)
        )
        assert [entry.draft.status for entry in warehouse.entries()] == ["published", "unchanged"]
        assert ledger_findings(warehouse) == ()

    def test_a_correction_changes_exactly_the_rows_it_touches(self, warehouse: Warehouse) -> None:
        """One changed, one removed, one added, one as before: three revisions, and only new rows get the new stamp."""
        self.publish(warehouse, counts(("a", "nut", 1), ("b", "nut", 2), ("c", "nut", 3)), run_id="one")

        published = self.publish(
            warehouse, counts(("a", "nut", 1), ("b", "nut", 7), ("d", None, 4), by="bob"), run_id="two",
            reason_sql="CASE WHEN new.marker > old.marker THEN 'more' ELSE 'less' END",
        )  # fmt: skip

        assert (published.status, published.revised) == ("published", Revised(added=1, removed=1, changed=1))
        assert self.stands(warehouse) == [
            ("a", "nut", 1, "ann"), ("b", "nut", 7, "bob"), ("d", None, 4, "bob"),
        ]  # fmt: skip
        assert self.revisions(warehouse) == [
            (DAY, "added", "new row", '{"shelf":"d","item":null}', None, "4", "two"),
            (DAY, "changed", "more", '{"shelf":"b","item":"nut"}', "2", "7", "two"),
            (DAY, "removed", "row no longer counts", '{"shelf":"c","item":"nut"}', "3", None, "two"),
        ]
        assert list(warehouse.entries())[-1].draft.details["revised"] == 3
        assert ledger_findings(warehouse) == ()

    def test_a_partition_can_become_empty_and_come_back(self, warehouse: Warehouse) -> None:
        """No rows is a version like another: published, then unchanged, then filled again; each leaves a trace."""
        self.publish(warehouse, counts(("a", "nut", 1)), run_id="one")

        emptied = self.publish(warehouse, counts(), run_id="two")
        again = self.publish(warehouse, counts(), run_id="three")
        assert (emptied.status, emptied.rows, emptied.revised.removed) == ("published", 0, 1)
        assert again.status == "unchanged"
        assert self.stands(warehouse) == []

        self.publish(warehouse, counts(("a", "nut", 1), by="bob"), run_id="four")
        assert self.stands(warehouse) == [("a", "nut", 1, "bob")]
        assert [entry.draft.status for entry in warehouse.entries()] == [
            "published",
            "published",
            "unchanged",
            "published",
        ]
        assert ledger_findings(warehouse) == ()

    def test_an_empty_first_publish_is_a_version(self, warehouse: Warehouse) -> None:
        """A day on which nothing was there to count has been counted."""
        published = self.publish(warehouse, counts(), run_id="one")

        assert (published.status, published.seq, published.rows) == ("published", 1, 0)
        assert ledger_findings(warehouse) == ()

    def test_several_partitions_are_published_together(self, warehouse: Warehouse) -> None:
        """One unchanged, one changed, one new: each has its own status and entry, in one publish."""
        days = [DAY, NEXT_DAY, "2026-01-19"]
        self.publish(warehouse, shelf_query(days[:2], 1), *days[:2], run_id="one")
        self.publish(warehouse, shelf_query(days[1:2], 2), days[1], run_id="two")

        published = publish(warehouse, SHELVES, shelf_query(days, 1), days, run_id="three", clock=FakeClock())

        assert [(p.status, p.seq, p.revised.changed) for p in published.values()] == [
            ("unchanged", 2, 0), ("published", 3, ITEMS), ("published", 1, 0),
        ]  # fmt: skip
        for day in days:
            assert {row[2] for row in self.stands(warehouse, day)} == {1}
            assert len(self.stands(warehouse, day)) == ITEMS
        assert ledger_findings(warehouse) == ()

    def test_several_partitions_are_published_all_or_none(self, warehouse: Warehouse) -> None:
        """The fence of one of two days has moved on: the other is not published either."""
        with pytest.raises(LeaseLost):
            self.publish(
                warehouse, shelf_query([DAY, NEXT_DAY], 1), DAY, NEXT_DAY, run_id="late",
                tokens={DAY: 5, NEXT_DAY: 5}, guard=lambda: self.overtake(warehouse, NEXT_DAY, token=6),
            )  # fmt: skip

        assert self.stands(warehouse, DAY) == []
        assert {row[2] for row in self.stands(warehouse, NEXT_DAY)} == {99}

    def overtake(self, warehouse: Warehouse, day: str, *, token: int | None) -> None:
        """Publish as a successor does while somebody else is about to commit."""
        tokens = None if token is None else {day: token}
        self.publish(warehouse, shelf_query([day], 99), day, run_id="successor", tokens=tokens)

    def test_the_token_of_a_publish_becomes_the_fences(self, warehouse: Warehouse) -> None:
        """Equal tokens go on, higher ones raise the fence, and without tokens the fence keeps the one it has."""
        for token, marker in ((3, 1), (3, 2), (8, 3)):
            self.publish(warehouse, shelf_query([DAY], marker), run_id=f"run{marker}", tokens={DAY: token})
            assert warehouse.fences(SHELVES, [DAY])[DAY].token == token

        assert self.publish(warehouse, shelf_query([DAY], 4), run_id="run4").token == 8
        assert warehouse.fences(SHELVES, [DAY])[DAY].token == 8

    def test_a_stale_token_is_refused_before_anything_is_staged(self, warehouse: Warehouse) -> None:
        """The fence has seen 5: token 4 is told so at once."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one", tokens={DAY: 5})
        steps: list[str] = []

        with pytest.raises(LeaseLost, match=r"token 4\) was lost: superseded\. The fence has accepted token 5") as lost:
            self.publish(warehouse, shelf_query([DAY], 2), run_id="two", tokens={DAY: 4}, on_step=steps.append)

        assert steps == ["publish.based"]
        assert lost.value.exit_code == 4
        assert {row[2] for row in self.stands(warehouse)} == {1}

    @pytest.mark.parametrize("marker", [99, 1], ids=["changed", "unchanged"])
    def test_a_stale_token_is_refused_at_the_commit(self, warehouse: Warehouse, marker: int) -> None:
        """A successor publishes (or finds nothing to change) after our last look: our rows do not appear."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one", tokens={DAY: 1})

        def successor() -> None:
            self.publish(warehouse, shelf_query([DAY], marker), run_id="successor", tokens={DAY: 3})

        with pytest.raises(LeaseLost, match="superseded"):
            self.publish(warehouse, shelf_query([DAY], 2), run_id="late", tokens={DAY: 2}, guard=successor)

        assert {row[2] for row in self.stands(warehouse)} == {marker}
        assert warehouse.fences(SHELVES, [DAY])[DAY].seq == 2
        assert ledger_findings(warehouse) == ()

    def test_the_commit_itself_refuses_a_token_below_the_accepted_one(self, warehouse: Warehouse) -> None:
        """From the right base, so that only the token is wrong: who forgot to look before is refused all the same."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one", tokens={DAY: 5})
        fence = warehouse.fences(SHELVES, [DAY])[DAY]
        late = Move(SHELVES.name, DAY, Change.KEEP, 4, fence.seq, fence.rows, fence.content_hash)

        with (
            warehouse.stage(SHELVES, shelf_query([DAY], 1), run_id="late") as stage,
            pytest.raises(LeaseLost, match="has accepted token 5"),
        ):
            stage.commit([late], [], on_step=ignore_steps)

        assert warehouse.fences(SHELVES, [DAY])[DAY] == fence

    def test_of_two_writers_at_one_base_the_second_starts_again(self, warehouse: Warehouse) -> None:
        """Without tokens: the loser reads afresh and replaces what the winner wrote, and says so in the revisions."""
        overtaken: list[bool] = []

        def overtake_once() -> None:
            if not overtaken:
                overtaken.append(True)
                self.overtake(warehouse, DAY, token=None)

        published = self.publish(warehouse, shelf_query([DAY], 2), run_id="second", guard=overtake_once)

        assert (published.seq, published.revised.changed) == (2, ITEMS)
        assert {row[2] for row in self.stands(warehouse)} == {2}
        # One run, one name: also when it took two attempts.
        assert {(row[4], row[5], row[6]) for row in self.revisions(warehouse)} == {("99", "2", "second")}
        assert warehouse.fences(SHELVES, [DAY])[DAY].version == "second"
        assert ledger_findings(warehouse) == ()

    def test_who_is_always_overtaken_gives_up_and_changes_nothing(self, warehouse: Warehouse) -> None:
        """After ten attempts the conflict comes out: transient, exit code 5."""
        attempts: list[int] = []

        def overtake_always() -> None:
            attempts.append(len(attempts))
            self.publish(warehouse, shelf_query([DAY], 100 + len(attempts)), run_id=f"rival{len(attempts)}")

        with pytest.raises(PublishConflict, match="moved from version 9 to 10 while we worked") as conflict:
            self.publish(warehouse, shelf_query([DAY], 2), run_id="unlucky", guard=overtake_always)

        assert (conflict.value.is_transient, conflict.value.exit_code, len(attempts)) == (True, 5, 10)
        assert {row[2] for row in self.stands(warehouse)} == {110}

    def test_a_commit_whose_answer_is_lost_is_told_as_it_was(self, warehouse: Warehouse) -> None:
        """It landed, and the way broke before we heard: published as version 1, with one entry in the ledger."""
        published = self.publish(
            warehouse, shelf_query([DAY], 1), run_id="one", tokens={DAY: 1}, on_step=silence_at("commit.done")
        )

        (entry,) = warehouse.entries()
        assert (published.status, published.seq, published.entry_hash) == ("published", 1, entry.entry_hash)
        assert warehouse.fences(SHELVES, [DAY])[DAY].seq == 1

    def test_a_commit_whose_answer_is_lost_was_not_refused(self, warehouse: Warehouse) -> None:
        """A successor published before we could ask: our rows had stood all the same, so we are not told otherwise."""

        def successor() -> None:
            self.publish(warehouse, shelf_query([DAY], 2), run_id="successor", tokens={DAY: 3})

        published = self.publish(
            warehouse,
            shelf_query([DAY], 1),
            run_id="one",
            tokens={DAY: 1},
            on_step=silence_at("commit.done", successor),
        )

        assert (published.status, published.seq) == ("published", 1)
        assert [entry.draft.run_id for entry in warehouse.entries()] == ["one", "successor"]
        assert {row[2] for row in self.stands(warehouse)} == {2}

    def test_a_commit_that_was_taken_back_starts_again(self, warehouse: Warehouse) -> None:
        """The way broke inside the commit: nothing had landed, and the second attempt is version 1."""
        published = self.publish(
            warehouse, shelf_query([DAY], 1), run_id="one", tokens={DAY: 1}, on_step=silence_at("commit.pointed")
        )

        assert (published.status, published.seq) == ("published", 1)
        assert len(list(warehouse.entries())) == 1
        assert ledger_findings(warehouse) == ()

    def test_a_commit_that_cannot_be_asked_after_is_in_doubt(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The warehouse stays out of reach: the error does not claim that nothing was changed."""

        def out_of_reach(*_: Any) -> Any:
            raise TransientWarehouseError("out of reach")

        with pytest.raises(TransientWarehouseError) as doubt:
            self.publish(
                warehouse,
                shelf_query([DAY], 1),
                run_id="one",
                on_step=silence_at("commit.done", lambda: monkeypatch.setattr(warehouse, "entries", out_of_reach)),
            )

        assert doubt.value.state == "It is not known whether this run was published."

    def test_a_guard_that_raises_leaves_everything_as_it_was(self, warehouse: Warehouse) -> None:
        """The caller's lease is lost: its error comes out, no row, no version, no entry."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one")

        def guard() -> None:
            raise LeaseLost("shelves", token=1, reason="expired")

        with pytest.raises(LeaseLost, match="expired"):
            self.publish(warehouse, shelf_query([DAY], 2), run_id="two", guard=guard)

        assert {row[2] for row in self.stands(warehouse)} == {1}
        assert len(list(warehouse.entries())) == 1

    def test_a_partition_is_held_back_only_while_nothing_stands(self, warehouse: Warehouse) -> None:
        """Held back before the first publish; afterwards the same judgement does not hide a change."""

        def hold_back(stage: Stage) -> Mapping[str, Judgement]:
            return {DAY: Judgement({"why": "too early"}, hold_back=True)}

        held = self.publish(warehouse, shelf_query([DAY], 1), run_id="one", judge=hold_back)
        assert (held.status, held.rows, held.details) == (PublishStatus.HELD_BACK, 0, {"why": "too early"})
        assert self.stands(warehouse) == []
        assert list(warehouse.entries()) == []

        self.publish(warehouse, shelf_query([DAY], 1), run_id="two")
        later = self.publish(warehouse, shelf_query([DAY], 2), run_id="three", judge=hold_back)
        assert later.status == "published"
        assert {row[2] for row in self.stands(warehouse)} == {2}

    def test_details_of_the_caller_are_in_the_ledger(self, warehouse: Warehouse) -> None:
        """What the judge says is covered by the chain."""

        def judge(stage: Stage) -> Mapping[str, Judgement]:
            return {DAY: Judgement({"total": int(stage.query("SELECT sum(marker) FROM staged").rows[0][0])})}

        self.publish(warehouse, counts(("a", "nut", 2), ("b", "nut", 3)), run_id="one", judge=judge)

        assert next(iter(warehouse.entries())).draft.details["total"] == 5

    def test_a_dry_run_changes_nothing(self, warehouse: Warehouse) -> None:
        """It says what would change, lets the caller look, and leaves rows, fences and ledger alone: it makes none."""
        self.publish(warehouse, counts(("a", "nut", 1), ("b", "nut", 2)), run_id="one")
        before = warehouse.fences(SHELVES, [DAY])[DAY]

        seen: list[object] = []

        def look(stage: Stage, replaced: Sequence[str], compared: Sequence[str]) -> None:
            seen.extend([list(replaced), list(compared), stage.query("SELECT count(*) FROM staged").rows[0][0]])

        preview = self.publish(warehouse, counts(("a", "nut", 9), ("c", "nut", 3)), run_id="two", dry_run=look)

        assert seen == [[DAY], [DAY], 2]
        assert (preview.status, preview.revised) == ("published", Revised(added=1, removed=1, changed=1))
        assert warehouse.fences(SHELVES, [DAY])[DAY] == before
        assert [row[2] for row in self.stands(warehouse)] == [1, 2]
        assert self.revisions(warehouse) == []
        assert len(list(warehouse.entries())) == 1

        query = shelf_query([NEXT_DAY], 1)
        preview = publish(warehouse, SHELVES, query, [NEXT_DAY], run_id="three", dry_run=lambda *_: None)[NEXT_DAY]
        assert (preview.status, preview.rows) == ("published", ITEMS)
        assert warehouse.all_fences(SHELVES) == [before]

    def test_what_a_crashed_run_left_is_never_read(self, warehouse: Warehouse) -> None:
        """A run that dies past the staging: readers see the old rows, the same run id can be used again."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one")

        class Died(BaseException):
            pass

        def die(step: str) -> None:
            if step == "commit.pointed":
                raise Died

        with pytest.raises(Died):
            self.publish(warehouse, shelf_query([DAY], 2), run_id="two", on_step=die)
        assert {row[2] for row in self.stands(warehouse)} == {1}
        assert ledger_findings(warehouse) == ()

        assert self.publish(warehouse, shelf_query([DAY], 2), run_id="two").seq == 2
        assert {row[2] for row in self.stands(warehouse)} == {2}
        assert ledger_findings(warehouse) == ()

    def test_a_run_id_may_be_used_again(self, warehouse: Warehouse) -> None:
        """A caller who names every run by its day: the second run replaces rows, never files that readers have."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id=DAY)

        with warehouse.reader() as reader:
            assert self.publish(warehouse, shelf_query([DAY], 2), run_id=DAY).seq == 2
            assert reader.query("SELECT DISTINCT marker FROM shelf_counts").rows == [(1,)]

        assert {row[2] for row in self.stands(warehouse)} == {2}
        assert ledger_findings(warehouse) == ()

    def test_a_run_id_is_only_a_name(self, warehouse: Warehouse) -> None:
        """Quotes, spaces and paths in it reach neither the file system nor the SQL."""
        for number, run_id in enumerate(("../../evil", "it's", 'a "b" c', "x" * 300, "ü/é", ".")):
            published = self.publish(warehouse, shelf_query([DAY], number), run_id=run_id)
            assert published.seq == number + 1

        assert {entry.draft.run_id for entry in warehouse.entries()} >= {"../../evil", "it's", "ü/é", "."}
        assert ledger_findings(warehouse) == ()

    def test_rows_are_kept_in_the_types_the_table_declares(self, warehouse: Warehouse) -> None:
        """A day of whole numbers before a day of halves: the halves are not rounded when both are read together."""
        columns = (Column("day", ColumnType.DATE), Column("item", ColumnType.TEXT), Column("kg", ColumnType.DECIMAL))
        table = Table("weights", columns, partition="day", key=("item",))
        for day, kg in ((DAY, "1"), (NEXT_DAY, self.halves)):
            query = Query(f"SELECT '{day}' AS day, 'nut' AS item, {kg} AS kg")
            publish(warehouse, table, query, [day], run_id=day, clock=FakeClock())

        with warehouse.reader() as reader:
            rows = reader.query(
                f"SELECT CAST(day AS VARCHAR), CAST(kg AS VARCHAR), {self.type_of[0]} FROM weights ORDER BY 1"
            ).rows
        assert rows == [(DAY, "1.000000000", self.type_of[1]), (NEXT_DAY, "1.500000000", self.type_of[1])]

        query = Query(f"SELECT DATE '{NEXT_DAY}' AS day, 'nut' AS item, 1.50::DECIMAL(9,2) AS kg")
        assert publish(warehouse, table, query, [NEXT_DAY], run_id="again")[NEXT_DAY].status == "unchanged"

    def test_a_table_whose_key_is_all_it_has(self, warehouse: Warehouse) -> None:
        """Rows come and go; there is nothing in them that could change."""
        table = Table(
            "members", (Column("day", ColumnType.DATE), Column("who", ColumnType.TEXT)), partition="day", key=("who",)
        )
        for number, who in enumerate(("ann", "bob", "bob")):
            query = Query(f"SELECT DATE '{DAY}' AS day, '{who}' AS who")
            last = publish(warehouse, table, query, [DAY], run_id=f"run{number}")[DAY]
            if number == 1:
                assert last.revised == Revised(added=1, removed=1, changed=0)
        assert last.status == "unchanged"

    def test_a_table_without_a_key(self, warehouse: Warehouse) -> None:
        """Any row may stand beside any other, twice too; it is replaced whole, without revisions."""
        table = Table("notes", (Column("day", ColumnType.DATE), Column("note", ColumnType.TEXT)), partition="day")
        same = Query(f"SELECT DATE '{DAY}' AS day, 'hello' AS note FROM {self.doubled}")
        other = Query(f"SELECT DATE '{DAY}' AS day, 'bye' AS note")

        assert publish(warehouse, table, same, [DAY], run_id="one")[DAY].rows == 2
        assert publish(warehouse, table, same, [DAY], run_id="two")[DAY].status == "unchanged"
        assert publish(warehouse, table, other, [DAY], run_id="three")[DAY].status == "published"
        assert self.revisions(warehouse) == []
        assert ledger_findings(warehouse) == ()

    def test_a_table_may_not_change_its_columns(self, warehouse: Warehouse) -> None:
        """The same name with another column is refused: old and new rows could not be read together."""
        self.publish(warehouse, shelf_query([DAY], 1), run_id="one")
        other = Table(SHELVES.name, (*SHELVES.columns, Column("colour", ColumnType.TEXT)), "day", key=SHELVES.key)
        query = Query(
            f"SELECT *, 'red' AS colour FROM ({counts(('a', 'nut', 1)).sql}) AS c", counts(("a", "nut", 1)).params
        )

        with pytest.raises(RefusedForSafety, match="shelf_counts with other columns, key or stamps") as refused:
            publish(warehouse, other, query, [DAY], run_id="two")

        assert refused.value.exit_code == 6
        assert len(self.stands(warehouse)) == ITEMS

    def test_a_query_that_fails_says_so(self, warehouse: Warehouse) -> None:
        """A column that is missing, text where a number belongs: errors, never an empty partition."""
        with pytest.raises(UsageError, match="shelf"):
            self.publish(warehouse, Query(f"SELECT DATE '{DAY}' AS day"), run_id="one")
        query = Query(f"SELECT '{DAY}' AS day, 'a' AS shelf, 'nut' AS item, 'many' AS marker, 'x' AS counted_by")
        with pytest.raises(WarehouseError, match="many") as failed:
            self.publish(warehouse, query, run_id="two")

        assert failed.value.exit_code == 5
        assert list(warehouse.entries()) == []

    def test_every_partition_needs_its_token(self, warehouse: Warehouse) -> None:
        """Tokens for some of the partitions are a mistake of the caller."""
        with pytest.raises(UsageError, match=f"No fencing token was given for {NEXT_DAY}"):
            self.publish(warehouse, shelf_query([DAY, NEXT_DAY], 1), DAY, NEXT_DAY, run_id="one", tokens={DAY: 1})

    def test_a_query_reads_the_tables_it_names(self, warehouse: Warehouse) -> None:
        """`inputs` puts other tables in view, limited to the partitions named."""
        self.publish(warehouse, shelf_query([DAY, NEXT_DAY], 7), DAY, NEXT_DAY, run_id="one")
        table = Table(
            "totals", (Column("day", ColumnType.DATE), Column("total", ColumnType.DECIMAL)), "day", key=("day",)
        )
        sql = "SELECT day, sum(marker) AS total FROM shelf_counts GROUP BY day"

        query = Query(sql, inputs={SHELVES.name: (DAY,)})
        assert publish(warehouse, table, query, [DAY], run_id="two")[DAY].rows == 1

        with warehouse.reader() as reader:
            assert reader.query("SELECT CAST(total AS INTEGER) FROM totals").rows == [(7 * ITEMS,)]

    def test_all_that_is_read_in_a_steady_block_is_of_one_instant(
        self, warehouse: Warehouse, neighbour: Warehouse
    ) -> None:
        """Whoever verifies while a neighbour publishes sees ledger, fences and rows as they were before it."""
        self.publish(warehouse, counts(("a", "nut", 1)), run_id="one")

        with warehouse.steady():
            entries = list(warehouse.entries())
            fences = warehouse.all_fences(SHELVES)
            self.publish(neighbour, counts(("a", "nut", 2), ("b", "nut", 2)), run_id="two")

            assert warehouse.verify_rows(entries, standing_partitions(entries), deep=True) == []
            assert list(warehouse.entries()) == entries
            assert warehouse.all_fences(SHELVES) == fences
            assert [row[:3] for row in self.stands(warehouse)] == [("a", "nut", 1)]
        assert len(list(warehouse.entries())) == 2
        assert ledger_findings(warehouse) == ()

    def test_an_empty_warehouse_has_fences_for_nobody(self, warehouse: Warehouse) -> None:
        """A fence exists from the moment somebody asks for it, with nothing accepted yet."""
        assert warehouse.all_fences(ACCURACY) == []
        fence = warehouse.fences(ACCURACY, [DAY])[DAY]

        assert (fence.token, fence.seq, fence.rows, fence.content_hash) == (0, 0, 0, "")
        assert ledger_findings(warehouse) == ()
