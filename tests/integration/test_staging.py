"""Staging and consolidation in one process, the same on every warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import FakeClock, ledger_findings, new_book
from gradeonce.book import Book
from gradeonce.config import load_settings
from gradeonce.errors import InputError, LeaseHeld, UsageError, ValidationFailed, WarehouseError
from gradeonce.leases import acquire
from gradeonce.schema import PREDICTIONS, STAGED_PREDICTIONS
from gradeonce.staging import ConsolidationReport, StageReport
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema
from servers import Postgres
from staged_files import pick, write_file

__all__ = ["postgres", "schema"]

DAY = "2026-01-17"
NEXT_DAY = "2026-01-18"
BOX_HEADER = "player_lookup,game_id,game_date,points,minutes_played\n"


@pytest.fixture(params=["embedded", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    """An empty book; leases of its own store, next to no reserve of disk."""
    settings: dict[str, Any] = {"threads": 1, "minimum_free_megabytes": 1}
    if request.param == "embedded":
        place: str | Path = new_book(tmp_path / "book")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        place, settings["schema"] = server.url, request.getfixturevalue("schema")
    with gradeonce.open(place, **settings) as opened:
        yield opened


# For rules in which the warehouse has no part.
EMBEDDED = pytest.mark.parametrize("book", ["embedded"], indirect=True)

Write = Callable[..., StageReport]


@pytest.fixture
def write(book: Book, tmp_path: Path) -> Write:
    """Stage some rows: `write("w1", pick(...), pick(...), batch="morning")`."""

    def stage(worker: str, *rows: str, batch: str = "morning") -> StageReport:
        return book.stage_write(write_file(tmp_path / "rows.csv", rows), batch=batch, worker=worker)

    return stage


def merged(book: Book, columns: str = "player_lookup, line_value, predicted_value") -> list[tuple[Any, ...]]:
    return book.sql(f"SELECT {columns} FROM {PREDICTIONS.name} ORDER BY loaded_at, load_row").rows


def counting(book: Book, box: Path) -> list[tuple[Any, ...]]:
    """Return the predictions that grading counts once a and b have played."""
    box.write_text(f"{BOX_HEADER}a,0022500601,{DAY},25,34\nb,0022500601,{DAY},25,34\n")
    book.load("actuals", box)
    book.grade(DAY)
    return book.sql("SELECT player_lookup, predicted_value, outcome FROM prediction_accuracy ORDER BY 1, 2").rows


def waiting(book: Book) -> int:
    return sum(batch.rows for batch in book.staged())


def test_the_latest_of_each_key_is_merged_and_half_points_are_kept_apart(book: Book, write: Write) -> None:
    """Three workers, six rows, four keys: 20.5 is not 21, nor is no line; the later one wins, then the higher id."""
    assert write("w1", pick("a", line=20.5, at="10:00", value=1), pick("a", line=21, at="10:00", value=2)).rows == 2
    assert write("w2", pick("a", line=20.5, at="11:00", value=3), pick("b", identity="p2", value=4)).rows == 2
    assert write("w3", pick("b", identity="p1", value=5), pick("a", line="", value=6)).rows == 2

    report = book.stage_consolidate("morning")

    assert (report.status, report.staged, report.rows, report.outdone) == ("consolidated", 6, 4, 2)
    assert report.workers == {"w1": 2, "w2": 2, "w3": 2}
    assert report.partitions == (DAY,)
    assert report.tokens == {DAY: 1}
    assert sorted(merged(book), key=str) == sorted(
        [
            ("a", Decimal("20.5"), Decimal(3)),
            ("a", Decimal("21"), Decimal(2)),
            ("a", None, Decimal(6)),
            ("b", Decimal("20.5"), Decimal(4)),
        ],
        key=str,
    )
    assert waiting(book) == 0
    assert book.sql("SELECT count(*) FROM staged_predictions").rows == [(0,)]
    assert ledger_findings(book.warehouse) == ()


@EMBEDDED
def test_nothing_is_graded_from_staging(book: Book, write: Write) -> None:
    """Rows that are only staged are no predictions yet."""
    write("w1", pick("a"))

    assert merged(book) == []
    assert book.status() == []


def test_the_same_content_is_staged_and_merged_once(book: Book, write: Write) -> None:
    """Before and after the consolidation a repeat writes nothing and says what became of the first."""
    first = write("w1", pick("a"), pick("b"))
    again = write("w1", pick("a"), pick("b"))
    report = book.stage_consolidate("morning")
    late = write("w1", pick("a"), pick("b"))

    assert (again.status, again.load_id) == ("already_staged", first.load_id)
    assert (late.status, late.load_id) == ("already_consolidated", report.load_id)
    assert waiting(book) == 0
    assert len(merged(book)) == 2


def test_a_second_consolidation_merges_nothing_twice(book: Book, write: Write) -> None:
    """It says that it was done before; rows staged afterwards are merged by the next one, and only those."""
    write("w1", pick("a"))
    first = book.stage_consolidate("morning")
    second = book.stage_consolidate("morning")
    write("w2", pick("b"))
    third = book.stage_consolidate("morning")

    assert (second.status, second.load_id, second.rows) == ("already_consolidated", first.load_id, 0)
    assert (third.status, third.staged, third.rows) == ("consolidated", 1, 1)
    assert [row[0] for row in merged(book)] == ["a", "b"]
    assert ledger_findings(book.warehouse) == ()


def test_what_stands_already_is_known_and_not_doubled(book: Book, write: Write, tmp_path: Path) -> None:
    """One row was loaded before, the very same; a batch of nothing else is a repeat, and its staging is gone."""
    book.load("predictions", write_file(tmp_path / "loaded.csv", [pick("a")]))
    write("w1", pick("a"), pick("b"))
    mixed = book.stage_consolidate("morning")
    write("w2", pick("a"), batch="evening")
    repeat = book.stage_consolidate("evening")

    assert (mixed.status, mixed.rows, mixed.known) == ("consolidated", 1, 1)
    assert (repeat.status, repeat.rows, repeat.known, repeat.outdated) == ("repeated", 0, 1, 0)
    assert waiting(book) == 0
    assert [row[0] for row in merged(book)] == ["a", "b"]
    assert ledger_findings(book.warehouse) == ()


def test_a_correction_supersedes_what_stands(book: Book, write: Write, tmp_path: Path) -> None:
    """The same prediction with another value lands as its newer version; back to the old value as a newer one still."""
    for worker, value in (("w1", 20), ("w2", 22), ("w3", 20)):
        write(worker, pick("a", value=value))
        assert book.stage_consolidate("morning").rows == 1

    assert [row[2] for row in merged(book)] == [20, 22, 20]
    assert counting(book, tmp_path / "box.csv") == [("a", 20, "win")]


@EMBEDDED
def test_of_corrections_within_a_batch_the_last_word_is_merged(book: Book, write: Write) -> None:
    """Same key, same instant, same prediction: what was staged last."""
    for value in (20, 22, 21):
        write("w1", pick("a", value=value))

    assert book.stage_consolidate("morning").outdone == 2
    assert [row[2] for row in merged(book)] == [21]


@pytest.mark.parametrize("identity", ["", "same"])
def test_a_late_worker_does_not_displace_a_later_prediction(
    book: Book, write: Write, identity: str, tmp_path: Path
) -> None:
    """Merged in two consolidations, the prediction of 11:00 counts as if both had been staged at once."""
    write("w1", pick("a", at="11:00", value=22, identity=identity))
    book.stage_consolidate("morning")
    write("w2", pick("a", at="10:00", value=20, identity=identity), pick("b"))

    report = book.stage_consolidate("morning")

    assert (report.rows, report.outdated) == (1, 1)
    assert counting(book, tmp_path / "box.csv") == [("a", 22, "win"), ("b", 20, "win")]


def test_a_prediction_without_an_instant_is_older_than_any_with_one(book: Book, write: Write) -> None:
    """Staged beside one, it is outdone; staged after one, it is outdated; between two without, the higher id wins."""
    write("w1", pick("a", at="", value=1, identity="p9"), pick("a", at="10:00", value=2, identity="p1"))
    assert book.stage_consolidate("morning").outdone == 1
    write("w2", pick("a", at="", value=3, identity="p9"), pick("b", at="", value=4, identity="p1"))
    assert book.stage_consolidate("morning").outdated == 1
    write("w3", pick("b", at="", value=5, identity="p0"), pick("c"))
    assert book.stage_consolidate("morning").outdated == 1

    assert [(row[0], row[2]) for row in merged(book)] == [("a", 2), ("b", 4), ("c", 20)]


def test_merging_none_of_a_batch_is_an_error_that_keeps_the_staging(book: Book, write: Write) -> None:
    """All that is staged is older than what stands: an error, until something lands with it or it is swept."""
    write("w1", pick("a", at="11:00"))
    book.stage_consolidate("morning")
    write("w2", pick("a", at="10:00"))

    for _ in range(2):
        with pytest.raises(ValidationFailed, match=r"None of the 1 rows staged for morning would be merged.*is kept"):
            book.stage_consolidate("morning")
        assert waiting(book) == 1
    assert len(merged(book)) == 1

    write("w3", pick("b"))
    assert (book.stage_consolidate("morning").outdated, waiting(book)) == (1, 0)
    assert ledger_findings(book.warehouse) == ()


def test_a_batch_over_several_dates_is_one_commit_under_a_lease_for_each(book: Book, write: Write) -> None:
    """Two dates, two tokens; both ranks rise by one."""
    write("w1", pick("a"), pick("b", day=NEXT_DAY, game="0022500602"))
    write("w2", pick("c", day=NEXT_DAY, game="0022500602"))

    report = book.stage_consolidate("morning")

    assert report.partitions == (DAY, NEXT_DAY)
    assert report.tokens == {DAY: 1, NEXT_DAY: 1}
    fences = book.warehouse.fences(PREDICTIONS, [DAY, NEXT_DAY])
    assert [(f.token, f.seq, f.rows) for f in fences.values()] == [(1, 1, 1), (1, 1, 2)]
    held = {record.key: record.is_held for record in book.leases.records()}
    assert held == {f"consolidation/{DAY}": False, f"consolidation/{NEXT_DAY}": False}


def test_a_fence_moves_on_even_where_nothing_lands(book: Book, write: Write) -> None:
    """The second consolidation of the date adds a row of another date only: the first date has seen token 2 as well."""
    write("w1", pick("a"))
    book.stage_consolidate("morning")
    write("w2", pick("a"), pick("b", day=NEXT_DAY, game="0022500602"))
    book.stage_consolidate("morning")

    fence = book.warehouse.fences(PREDICTIONS, [DAY])[DAY]
    assert (fence.token, fence.seq, fence.rows) == (2, 2, 1)
    assert ledger_findings(book.warehouse) == ()


def test_a_load_after_a_consolidation_leaves_the_token_as_it_was(book: Book, write: Write, tmp_path: Path) -> None:
    """A load takes no part in fencing: it neither lowers the token nor puts another one into the ledger."""
    write("w1", pick("a"))
    book.stage_consolidate("morning")
    book.load("predictions", write_file(tmp_path / "loaded.csv", [pick("b")]))

    assert book.warehouse.fences(PREDICTIONS, [DAY])[DAY].token == 1
    assert ledger_findings(book.warehouse) == ()


@EMBEDDED
def test_a_bad_row_stages_nothing(book: Book, write: Write) -> None:
    """The contract is that of load: a value that is no number stops the write, and the worker may try again."""
    with pytest.raises(InputError, match="predicted_value"):
        write("w1", pick("a"), pick("b").replace(",20,", ",many,"))

    assert waiting(book) == 0
    assert write("w1", pick("a"), pick("b")).status == "staged"


def test_bad_rows_may_go_to_the_quarantine(book: Book, tmp_path: Path) -> None:
    """One good row is staged, one bad row is kept with its reason."""
    rows = write_file(tmp_path / "rows.csv", [pick("a"), pick("b").replace(",20,", ",many,")])

    report = book.stage_write(
        rows, batch="morning", worker="w1", options=gradeonce.LoadOptions(on_bad_rows="quarantine")
    )

    assert (report.rows, report.quarantined) == (1, 1)
    assert len(book.sql("SELECT reasons FROM quarantined_rows").rows) == 1
    assert book.stage_consolidate("morning").rows == 1
    assert ledger_findings(book.warehouse) == ()


def test_an_empty_file_is_a_write_of_nothing(book: Book, write: Write) -> None:
    """The batch is known and holds nothing; staged again it is still nothing."""
    assert write("w1").status == "empty"
    assert write("w1").status == "empty"
    assert book.stage_consolidate("morning") == ConsolidationReport("morning", "nothing_staged")
    assert book.staged() == []


@EMBEDDED
def test_a_batch_that_nobody_staged_is_an_error(book: Book, write: Write) -> None:
    """A slip in its name must not look like a batch that is done; `morn` is not `morning`."""
    write("w1", pick("a"))

    with pytest.raises(UsageError, match="There is no batch 'morn'"):
        book.stage_consolidate("morn")


@EMBEDDED
@pytest.mark.parametrize("name", ["", "a/b", "-x", "a b", "x" * 101])
def test_names_that_could_be_mistaken_are_refused(book: Book, name: str, write: Write) -> None:
    """A slash would reach into another worker's staging."""
    with pytest.raises(UsageError, match="cannot name a"):
        write(name, pick("a"))
    with pytest.raises(UsageError, match="cannot name a"):
        write("w1", pick("a"), batch=name)


@EMBEDDED
def test_batches_are_kept_apart(book: Book, write: Write) -> None:
    """Consolidating one leaves the other waiting."""
    write("w1", pick("a"), batch="morning")
    write("w1", pick("b"), batch="evening")
    book.stage_consolidate("morning")

    assert [(b.batch, b.workers, b.writes, b.rows) for b in book.staged()] == [("evening", {"w1": 1}, 1, 1)]


def test_a_sweep_removes_one_batch_and_its_content_may_be_staged_again(book: Book, write: Write) -> None:
    """Without `apply` it only looks; with it the ledger has a line, and the predictions never see the rows."""
    write("w1", pick("a"), pick("b"))
    write("w2", pick("c"), batch="evening")

    looked = book.stage_sweep("morning")
    assert (looked.applied, [b.rows for b in looked.batches], waiting(book)) == (False, [2], 3)
    swept = book.stage_sweep("morning", apply=True)

    assert (swept.applied, [(b.batch, b.rows) for b in swept.batches]) == (True, [("morning", 2)])
    assert waiting(book) == 1
    line = book.sql("SELECT kind, status, run_id FROM ledger ORDER BY number DESC LIMIT 1").rows
    assert line == [("stage_sweep", "swept", swept.run_id)]
    assert book.stage_consolidate("morning").status == "nothing_staged"
    assert merged(book) == []
    assert ledger_findings(book.warehouse) == ()

    assert write("w1", pick("a"), pick("b")).status == "staged"
    assert write("w1", pick("a"), pick("b")).status == "already_staged"
    assert book.stage_consolidate("morning").rows == 2


def test_only_batches_left_alone_for_long_are_orphans(tmp_path: Path) -> None:
    """24 hours after the last write of a batch; what is swept by age is what the daily check lists."""
    clock = FakeClock()
    rows = [write_file(tmp_path / f"{number}.csv", [pick(f"player{number}")]) for number in range(4)]
    with gradeonce.open(new_book(tmp_path / "book"), clock=clock, threads=1, minimum_free_megabytes=1) as book:
        for path, batch, hours in zip(rows, ["old", "lively", "new", "lively"], [2, 23, 0.5, 0], strict=True):
            book.stage_write(path, batch=batch, worker="w1")
            clock.advance(hours * 3600)

        assert [(b.batch, b.is_orphan) for b in book.staged()] == [("lively", False), ("new", False), ("old", True)]
        listed = book.check(only=["orphaned_staging"]).results[0]
        assert [key["name"] for key in listed.keys] == ["old"]
        assert [b.batch for b in book.stage_sweep(apply=True).batches] == ["old"]
        assert [b.batch for b in book.staged()] == ["lively", "new"]
        assert book.stage_sweep(apply=True).batches == ()


def test_how_long_an_orphan_waits_is_a_setting(tmp_path: Path) -> None:
    """`[staging] orphan_hours`, 24 unless set."""
    (tmp_path / "gradeonce.toml").write_text("[staging]\norphan_hours = 1.5\n")

    assert load_settings(folder=tmp_path, environment={}).orphan_hours == 1.5
    assert load_settings(folder=tmp_path / "nowhere", environment={}).orphan_hours in (1.5, 24.0)


def test_somebody_elses_hand_in_the_staging_is_noticed(postgres: Postgres, schema: str, tmp_path: Path) -> None:
    """A row deleted beside gradeonce: the consolidation does not merge less than was staged."""
    import psycopg

    with gradeonce.open(postgres.url, schema=schema, threads=1) as book:
        book.stage_write(write_file(tmp_path / "rows.csv", [pick("a"), pick("b")]), batch="morning", worker="w1")
        with psycopg.connect(postgres.url) as connection:
            connection.execute(f"DELETE FROM \"{schema}\".{STAGED_PREDICTIONS.name} WHERE player_lookup = 'a'".encode())

        with pytest.raises(gradeonce.errors.PublishConflict, match="1 rows are staged where 2 should be"):
            book.stage_consolidate("morning")
        assert book.sql("SELECT count(*) FROM player_prop_predictions").rows == [(0,)]


def test_a_consolidation_waits_for_the_lease_of_its_dates(book: Book, write: Write) -> None:
    """Somebody else is at one of them: after the wait it is told who, and the staging is kept."""
    write("w1", pick("a"))
    with acquire(book.leases, f"consolidation/{DAY}", ttl_seconds=book.settings.ttl_seconds, holder="somebody"):
        with pytest.raises(LeaseHeld, match=f"consolidation/{DAY} is held by somebody"):
            book.stage_consolidate("morning", wait_seconds=0)
        assert waiting(book) == 1

    assert book.stage_consolidate("morning", wait_seconds=0).rows == 1


def test_a_book_made_before_staging_gets_its_table(postgres: Postgres, schema: str, tmp_path: Path) -> None:
    """`init --check` says what is missing, `init` makes it, and a worker who came too early is told to run it."""
    import psycopg

    rows = write_file(tmp_path / "rows.csv", [pick("a")])
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f'DROP TABLE "{schema}".{STAGED_PREDICTIONS.name}'.encode())
        # Steps are counted: those after it are done again, over what is there.
        connection.execute(f'DELETE FROM "{schema}".schema_steps WHERE number >= 4'.encode())

    assert f"{STAGED_PREDICTIONS.name}: it does not exist" in PostgresWarehouse.missing(postgres.url, schema=schema)
    with gradeonce.open(postgres.url, schema=schema, threads=1) as book:
        with pytest.raises(WarehouseError, match="gradeonce init"):
            book.stage_write(rows, batch="morning", worker="w1")
        assert PostgresWarehouse.create(postgres.url, schema=schema) is True
        assert PostgresWarehouse.missing(postgres.url, schema=schema) == []
        assert book.stage_write(rows, batch="morning", worker="w1").rows == 1
        assert book.stage_consolidate("morning").rows == 1
