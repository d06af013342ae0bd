"""Books that several acceptance tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.command import Command


@pytest.fixture
def gradeonce(tmp_path: Path) -> Command:
    """The command in an empty folder."""
    return Command(tmp_path)


@pytest.fixture
def book(gradeonce: Command) -> Command:
    """The command in a folder with an empty book."""
    gradeonce("init")
    return gradeonce


@pytest.fixture(scope="session")
def official_book(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Command:
    """A book with every official box score; the slates share it, each on dates and systems of its own."""
    command = Command(tmp_path_factory.mktemp("official"))
    command("init")
    command("load", "actuals", real_data / "boxscores_official.csv.gz", "--source", "nba_api.league_game_log")
    return command
