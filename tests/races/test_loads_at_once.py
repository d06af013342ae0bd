"""Real processes load at the same moment: no row lands twice, and none is lost."""

from __future__ import annotations

from pathlib import Path

from builders import files_of, ledger_findings, live_files, open_book
from races.crew import Crew, Stand
from races.scenarios import overlapping_loads


def test_overlapping_loads_land_no_row_twice(crew: Crew, folder: Path) -> None:
    """8 different loads that share half of their rows, at once: each row lands once."""
    assert overlapping_loads(crew, folder, rounds=3, fenced=True) == []


def test_without_the_fence_loads_are_seen_to_double_rows(crew: Crew, folder: Path) -> None:
    """The same scenario on the unfenced build: 7 overlaps of 5 rows each land a second time."""
    wrong = overlapping_loads(crew, folder, rounds=1, fenced=False)

    assert "35 rows landed twice" in wrong


def test_the_same_content_loaded_by_eight_at_once_lands_once(crew: Crew, folder: Path) -> None:
    """One load lands; the seven others say which load brought the content, and leave no file behind."""
    crew.stand_at(Stand(folder, meet_at="land.staged"))
    same = {"days": 2, "players": 5, "first_player": 0, "content_id": "the same file"}

    answers = crew.round([("land", {**same, "load_id": f"load{worker}"}) for worker in range(crew.size)])

    assert sorted(answer["rows"] for answer in answers) == [0] * 7 + [10]
    assert {answer["load_id"] for answer in answers} == {a["load_id"] for a in answers if not a["already"]}
    with open_book(folder) as book:
        assert book.sql("SELECT count(*) FROM player_game_actuals").rows == [(10,)]
        assert ledger_findings(book.warehouse) == ()
    assert files_of(folder) == live_files(folder)
