"""Real processes make the same book at the same moment."""

from __future__ import annotations

from pathlib import Path

from builders import new_book
from races.crew import Crew, Stand


def test_eight_processes_that_make_the_same_book_agree(crew: Crew, tmp_path: Path) -> None:
    """Exactly one of them makes it; the others find it made, and nobody fails."""
    crew.stand_at(Stand(new_book(tmp_path / "spare")))

    for number in range(5):
        answers = crew.round([("make_book", {"folder": str(tmp_path / f"made{number}")})] * crew.size)
        assert sorted(str(answer.get("made", answer)) for answer in answers) == ["False"] * 7 + ["True"]
