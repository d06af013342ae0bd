"""What a reader sees is one instant of the whole book: rows, fences and ledger alike (G2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import SHELVES, catalog_of, days_of, land_season, ledger_findings, new_book, open_book, shelf_query
from gradeonce.book import Book
from gradeonce.errors import UsageError, WarehouseError
from gradeonce.warehouses.embedded.catalog import Catalog
from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse

DAY = "2026-01-01"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_book(tmp_path / "book")


def publish(folder: Path, marker: int) -> None:
    """Publish one version of a day from a connection of its own, as another process would."""
    with open_book(folder) as book:
        book.publish(SHELVES, shelf_query([DAY], marker), [DAY], run_id=f"run{marker}")


def test_reader_sees_rows_and_fences_of_one_instant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publish between the look at the rows and the look at the fences is not seen by half."""
    publish(folder, 1)
    look_at_rows = Catalog.live_segments

    def look_then_publish(self: Catalog, tables: list[str]) -> object:
        segments = look_at_rows(self, tables)
        monkeypatch.setattr(Catalog, "live_segments", look_at_rows)
        publish(folder, 2)
        return segments

    with open_book(folder) as book:
        monkeypatch.setattr(Catalog, "live_segments", look_then_publish)
        with book.reader() as reader:
            rows = reader.query(f"SELECT DISTINCT marker FROM {SHELVES.name}").rows
            fences = reader.query("SELECT version FROM publish_fences WHERE table_name = 'shelf_counts'").rows
            runs = reader.query("SELECT max(run_id) FROM ledger").rows

    assert (rows, fences, runs) == ([(1,)], [("run1",)], [("run1",)])


def test_verify_is_not_alarmed_by_a_publish_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publish between reading the ledger and reading the files is no finding."""
    publish(folder, 1)
    look_at_files = EmbeddedWarehouse.verify_rows

    def publish_then_look(self: EmbeddedWarehouse, *args: object, **options: object) -> object:
        monkeypatch.setattr(EmbeddedWarehouse, "verify_rows", look_at_files)
        publish(folder, 2)
        return look_at_files(self, *args, **options)

    with open_book(folder) as book:
        monkeypatch.setattr(EmbeddedWarehouse, "verify_rows", publish_then_look)
        assert ledger_findings(book.warehouse) == ()
        assert ledger_findings(book.warehouse) == ()


def test_reader_keeps_its_instant_while_others_publish(folder: Path) -> None:
    """A notebook that is open for a while reads the same version throughout; a new look sees the new one."""
    publish(folder, 1)
    sql = f"SELECT count(*), min(marker), max(marker) FROM {SHELVES.name}"

    with open_book(folder) as book:
        with book.reader() as reader:
            before = reader.query(sql).rows
            publish(folder, 2)
            after = reader.query(sql).rows

        assert before == after == [(20, 1, 1)]
        assert book.sql(sql).rows == [(20, 2, 2)]


def test_a_partition_is_read_from_a_file_that_it_shares(folder: Path) -> None:
    """Three days in one file; one is replaced: the others are still read from the old file, and nothing twice."""
    days = [day.isoformat() for day in days_of(3)]
    with open_book(folder) as book:
        book.publish(SHELVES, shelf_query(days, 1), days, run_id="all")
        book.publish(SHELVES, shelf_query(days[1:2], 2), days[1:2], run_id="one")

        rows = book.sql("SELECT CAST(day AS VARCHAR), count(*), max(marker) FROM shelf_counts GROUP BY 1 ORDER BY 1")

    assert rows.rows == [(days[0], 20, 1), (days[1], 20, 2), (days[2], 20, 1)]


def test_tables_nobody_wrote_yet_are_there_and_empty(folder: Path) -> None:
    """A fresh book answers queries over all tables, with no row and the right types."""
    with open_book(folder) as book:
        assert book.sql("SELECT count(*) FROM prediction_accuracy").rows == [(0,)]
        assert book.sql("SELECT count(*) FROM grading_runs").rows == [(0,)]
        assert book.sql("SELECT count(*) FROM ledger").rows == [(0,)]
        assert book.sql("SELECT typeof(actual_value) FROM player_game_actuals RIGHT JOIN (SELECT 1) ON true").rows == [
            ("DECIMAL(18,9)",)
        ]


def test_a_table_can_be_read_under_the_name_the_user_gave_it(folder: Path) -> None:
    """[tables] offers a table under the user's name beside ours."""
    land_season(folder, 1, 3)
    with open_book(folder, tables={"player_prop_predictions": "my_picks"}) as book:
        assert book.sql("SELECT count(*) FROM my_picks").rows == [(3,)]
        assert book.sql("SELECT count(*) FROM player_prop_predictions").rows == [(3,)]


def test_columns_can_be_read_under_the_names_the_user_gave_them(folder: Path) -> None:
    """[columns] names them in the user's table; ours keeps its own."""
    land_season(folder, 1, 3)
    names = {
        "tables": {"player_prop_predictions": "my_picks"},
        "columns": {"player_prop_predictions": {"line_value": "x"}},
    }
    with open_book(folder, **names) as book:
        assert book.sql("SELECT CAST(max(x) AS VARCHAR), count(game_id) FROM my_picks").rows == [("10.500000000", 3)]
        assert book.sql("SELECT count(line_value) FROM player_prop_predictions").rows == [(3,)]


def test_queries_cannot_change_anything(folder: Path) -> None:
    """`sql` refuses what is not a SELECT."""
    with open_book(folder) as book, pytest.raises(UsageError):
        book.sql("DELETE FROM prediction_accuracy")


def test_a_folder_without_a_book_is_named(tmp_path: Path) -> None:
    """The catalog of a folder that holds no book is an error with the command to type."""
    with pytest.raises(WarehouseError, match=r"holds no book\. .*gradeonce init"):
        EmbeddedWarehouse(tmp_path)


def test_a_book_of_a_newer_layout_is_refused(folder: Path) -> None:
    """A book that a newer gradeonce wrote is not touched: exit code 6."""
    connection = catalog_of(folder)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(Exception, match=r"written by a newer gradeonce \(layout 99, this one knows 1\)") as refused:
        Book.__enter__(open_book(folder))

    assert refused.value.exit_code == 6
