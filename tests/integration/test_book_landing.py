"""Landing rows: all of a load or none, never the same row twice, and the fence knows what stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import (
    catalog_of,
    files_of,
    land_actuals,
    land_predictions,
    land_rows,
    ledger_findings,
    live_files,
    new_book,
    open_book,
)
from gradeonce.book import Book
from gradeonce.errors import PublishConflict
from gradeonce.model import EntryDraft
from gradeonce.publish import ignore_steps
from gradeonce.schema import ACTUALS, PREDICTIONS, QUARANTINE
from gradeonce.warehouses.base import Landed, OnStep
from gradeonce.warehouses.embedded.warehouse import LAND_ATTEMPTS


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with open_book(new_book(tmp_path / "book")) as book:
        yield book


def test_a_load_lands_in_one_file_and_one_entry(book: Book) -> None:
    """Three days of two rows: six rows, three partitions at version 1, one file, one ledger entry."""
    landed = land_predictions(book, 3, 2, load_id="first")

    assert (landed.load_id, landed.rows, landed.known, landed.already) == ("first", 6, 0, False)
    assert landed.partitions == ("2026-01-01", "2026-01-02", "2026-01-03")
    assert [(f.seq, f.rows, f.version) for f in book.warehouse.all_fences(PREDICTIONS)] == [(1, 2, "first")] * 3
    (entry,) = book.warehouse.entries()
    assert (entry.draft.kind, entry.draft.rows, len(entry.draft.details["files"])) == ("load", 6, 1)
    assert len(files_of(book.settings.book_path)) == 1
    assert ledger_findings(book.warehouse) == ()


def test_the_same_content_lands_once(book: Book) -> None:
    """The second time nothing happens, and the answer names the load that brought it."""
    land_predictions(book, 1, 2, load_id="first")

    again = land_rows(book, PREDICTIONS, {}, "range(0)", "second", content_id="first")

    assert (again.load_id, again.rows, again.already) == ("first", 0, True)
    assert len(list(book.warehouse.entries())) == 1


def test_rows_that_stand_already_do_not_land_again(book: Book) -> None:
    """Players 0 to 9, then 5 to 14 in another file: five are known, five land."""
    land_actuals(book, 1, 10, points=11, load_id="first")

    landed = land_actuals(book, 1, 10, points=11, first_player=5, load_id="second")

    assert (landed.rows, landed.known) == (5, 5)
    assert book.sql("SELECT count(*), count(DISTINCT player_lookup) FROM player_game_actuals").rows == [(15, 15)]
    assert ledger_findings(book.warehouse) == ()


def test_a_load_without_anything_new_leaves_an_entry_and_no_file(book: Book) -> None:
    """It is on record that the content came, and the fences did not move."""
    land_actuals(book, 1, 3, points=11, load_id="first")
    before = files_of(book.settings.book_path)

    landed = land_actuals(book, 1, 3, points=11, load_id="second")

    assert (landed.rows, landed.known, landed.partitions) == (0, 3, ())
    assert files_of(book.settings.book_path) == before
    assert [entry.draft.run_id for entry in book.warehouse.entries()] == ["first", "second"]
    assert book.warehouse.all_fences(ACTUALS)[0].seq == 1
    assert ledger_findings(book.warehouse) == ()


def test_a_correction_stands_beside_what_it_corrects(book: Book) -> None:
    """Versions are kept; the fence's hash is that of both together."""
    land_actuals(book, 1, 3, points=11, version=1)
    land_actuals(book, 1, 3, points=12, version=2)

    assert book.sql("SELECT actual_value, count(*) FROM player_game_actuals GROUP BY ALL ORDER BY ALL").rows == [
        (11, 3),
        (12, 3),
    ]
    assert book.warehouse.all_fences(ACTUALS)[0].rows == 6
    assert ledger_findings(book.warehouse) == ()


def test_rows_and_quarantine_land_together_or_not_at_all(book: Book) -> None:
    """One load, two tables: a process that dies before the commit has landed neither, the next one lands both."""

    class Died(BaseException):
        pass

    def die(step: str) -> None:
        if step == "commit.pointed":
            raise Died

    def load(on_step: OnStep) -> Landed:
        with book.warehouse.engine() as engine:
            good = "'ann' AS player_lookup, 'g' AS game_id, DATE '2026-01-01' AS game_date, 'points' AS market"
            bad = (
                "'actuals' AS kind, 'l' AS load_id, 'a.csv' AS file, 1 AS file_row, 'bad' AS reasons, '{}' AS row_json"
            )
            given = f"(SELECT {good}, true AS is_final, 'l' AS load_id, 1 AS load_row, now()::TIMESTAMP AS loaded_at)"
            engine.execute(f"CREATE TEMP TABLE good AS SELECT * FROM player_game_actuals UNION ALL BY NAME {given}")
            engine.execute(f"CREATE TEMP TABLE bad AS SELECT {bad}")
            relations = {"rows": (ACTUALS, "good"), "quarantine": (QUARANTINE, "bad")}
            entry = EntryDraft(kind="load", run_id="l", status="loaded", details={"kind": "actuals"})
            return book.warehouse.land(engine, relations, entry, content_id="c", on_step=on_step)

    counts = "SELECT (SELECT count(*) FROM player_game_actuals), (SELECT count(*) FROM quarantined_rows)"
    with pytest.raises(Died):
        load(die)
    assert book.sql(counts).rows == [(0, 0)]

    assert load(ignore_steps).rows == 1
    assert book.sql(counts).rows == [(1, 1)]
    assert ledger_findings(book.warehouse) == ()
    connection = catalog_of(book)
    connection.execute("UPDATE segments SET removed_seq = 9 WHERE table_name = 'quarantined_rows'")
    connection.close()
    assert "quarantined_rows actuals is not read from" in ledger_findings(book.warehouse)[0]


def test_who_is_always_overtaken_gives_up_and_leaves_nothing(book: Book) -> None:
    """Somebody lands in our partition each time before we commit: after twenty attempts the conflict comes out."""
    rivals: list[int] = []

    def overtake(step: str) -> None:
        if step == "land.staged":
            rivals.append(len(rivals))
            with open_book(book.settings.book_path) as rival:
                land_actuals(rival, 1, 1, points=11, first_player=1000 + len(rivals))

    with pytest.raises(PublishConflict):
        land_actuals(book, 1, 5, points=11, load_id="unlucky", on_step=overtake)

    assert len(rivals) == LAND_ATTEMPTS
    assert book.sql("SELECT count(*) FROM player_game_actuals WHERE load_id = 'unlucky'").rows == [(0,)]
    assert files_of(book.settings.book_path) == live_files(book.settings.book_path)
    assert ledger_findings(book.warehouse) == ()


def test_partitions_that_share_a_value_are_found(book: Book) -> None:
    """The index of game ids says on which dates a game occurs; each value is remembered once."""
    land_predictions(book, 3, 2)
    land_actuals(book, 2, 2, points=11)
    land_actuals(book, 2, 2, points=12, version=2)

    assert book.warehouse.sharing(ACTUALS, "game_id", PREDICTIONS, ["2026-01-02", "2026-01-03"]) == ["2026-01-02"]
    connection = catalog_of(book)
    assert connection.execute("SELECT count(*) FROM segment_values").fetchone() == (5,)
    connection.close()
