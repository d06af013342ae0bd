"""Corrections that come in one load after another: what was said last counts, whatever was said before."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradeonce

HEADER = "player_name,game_id,game_date,points,minutes_played\n"


def load(book: gradeonce.Book, file: Path, *rows: str) -> tuple[int, int]:
    file.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    report = book.load("actuals", file)
    return report.rows, report.known


def last_value(book: gradeonce.Book) -> float:
    rows = book.sql(
        "SELECT actual_value FROM player_game_actuals WHERE player_lookup = 'ab' ORDER BY loaded_at, load_row"
    )
    return float(rows.rows[-1][0])


@pytest.fixture
def book(tmp_path: Path) -> gradeonce.Book:
    gradeonce.create(tmp_path / "book")
    return gradeonce.open(tmp_path / "book")


def test_value_corrected_back_and_forth_ends_at_what_was_said_last(book: gradeonce.Book, tmp_path: Path) -> None:
    """29, then 28, then 29 again is 29, although a row saying 29 stood already."""
    file = tmp_path / "box.csv"
    a, b = "A B,0022500600,2026-01-17,29,30", "A B,0022500600,2026-01-17,28,30"
    other = "C D,0022500600,2026-01-17,1,30"

    assert load(book, file, a) == (1, 0)
    assert load(book, file, b) == (1, 0)
    assert load(book, file, a, other) == (2, 0)

    assert last_value(book) == 29
    book.close()


def test_file_that_repeats_its_own_history_lands_only_what_is_new(book: gradeonce.Book, tmp_path: Path) -> None:
    """A growing file with a provisional and a corrected row lands neither again, and the corrected one still counts."""
    file = tmp_path / "box.csv"
    a, b = "A B,0022500600,2026-01-17,29,30", "A B,0022500600,2026-01-17,28,30"

    assert load(book, file, a, b) == (2, 0)
    assert load(book, file, a, b, "C D,0022500600,2026-01-17,1,30") == (1, 2)

    assert last_value(book) == 28
    book.close()


def test_new_version_before_the_standing_one_does_not_outrank_it(book: gradeonce.Book, tmp_path: Path) -> None:
    """A load that says 27 and then 29 ends at 29, also when 29 stood already."""
    file = tmp_path / "box.csv"

    load(book, file, "A B,0022500600,2026-01-17,29,30")
    load(book, file, "A B,0022500600,2026-01-17,27,30", "A B,0022500600,2026-01-17,29,30")

    assert last_value(book) == 29
    book.close()


def test_actuals_in_several_versions_are_counted(book: gradeonce.Book, tmp_path: Path) -> None:
    """Of duplicate actuals the latest counts, and the run says in the ledger how many there were."""
    predictions = tmp_path / "predictions.csv"
    predictions.write_text(
        "system_id,player_name,game_id,game_date,predicted_value,line_value,recommendation\n"
        "s,A B,0022500600,2026-01-17,20,18.5,OVER\n",
        encoding="utf-8",
    )
    book.load("predictions", predictions)
    load(book, tmp_path / "box.csv", "A B,0022500600,2026-01-17,29,30", "C D,0022500600,2026-01-17,1,30")
    load(book, tmp_path / "box.csv", "A B,0022500600,2026-01-17,28,30")

    book.grade("2026-01-17")

    found = book.sql("SELECT details ->> '$.actual_collisions' FROM ledger WHERE kind = 'grade'").rows
    assert found == [("1",)]
    book.close()
