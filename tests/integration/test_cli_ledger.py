"""`gradeonce ledger head`: the hash that people publish."""

import json
from pathlib import Path

import pytest

import gradeonce
from gradeonce.cli.main import run


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book into which one file was loaded."""
    picks = tmp_path / "picks.csv"
    picks.write_text(
        "system_id,player_name,game_id,game_date,predicted_value\nalpha,Ana Berg,20260117_RED_BLU,2026-01-17,24.5\n",
        encoding="utf-8",
    )
    gradeonce.create(tmp_path / "book")
    with gradeonce.open(tmp_path / "book") as book:
        book.load("predictions", picks)
    return tmp_path / "book"


def test_head_is_the_hash_that_verify_reports(book, capsys) -> None:
    """`at` is a reserved word of the engine: the query must quote it."""
    assert run(["--book", str(book), "ledger", "verify", "--json"]) == 0
    verified = json.loads(capsys.readouterr().out)

    assert run(["--book", str(book), "ledger", "head", "--json"]) == 0
    head = json.loads(capsys.readouterr().out)["head"]

    assert (head["number"], head["at"], head["entry_hash"]) == (1, verified["head_at"], verified["head"])


def test_head_of_an_empty_ledger_says_so(tmp_path, capsys) -> None:
    """Nothing loaded yet is an answer, not an error."""
    gradeonce.create(tmp_path / "book")

    assert run(["--book", str(tmp_path / "book"), "ledger", "head"]) == 0

    assert capsys.readouterr().out == "the ledger is empty: nothing was loaded or graded yet\n"


@pytest.mark.parametrize("deep", [(), ("--deep",)])
@pytest.mark.parametrize("harm", ["damaged", "missing"])
def test_verify_names_a_file_that_cannot_be_read(book, capsys, harm, deep) -> None:
    """A damaged file is a finding (exit 1), not a failure of the engine that opens it (exit 5)."""
    (file,) = (book / "rows").rglob("*.parquet")
    if harm == "damaged":
        file.write_bytes(file.read_bytes()[:-1])
    else:
        file.unlink()

    code = run(["--book", str(book), "ledger", "verify", *deep])

    said = {"damaged": "was changed after it was written", "missing": "is missing"}[harm]
    assert (code, f"file {file.relative_to(book).as_posix()} {said}" in capsys.readouterr().err) == (1, True)
