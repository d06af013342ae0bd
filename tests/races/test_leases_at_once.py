"""Real processes want one lease at the same moment: one at a time, everybody in the end."""

from __future__ import annotations

from pathlib import Path

from races.crew import Crew, Stand

TURNS = 6


def test_eight_processes_take_turns_and_all_are_served(crew: Crew, folder: Path, tmp_path: Path) -> None:
    """8 processes, 6 turns each: 48 tokens without a gap, each process's own rising, never two inside at once."""
    crew.stand_at(Stand(folder))

    answers = crew.round([("take_turns", {"turns": TURNS, "witness": str(tmp_path / "inside")})] * crew.size)

    assert [answer for answer in answers if "error" in answer] == []
    assert sorted(token for answer in answers for token in answer["tokens"]) == list(range(1, crew.size * TURNS + 1))
    assert all(answer["tokens"] == sorted(answer["tokens"]) for answer in answers)
