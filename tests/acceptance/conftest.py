"""Books that several acceptance tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from acceptance.command import Command
from acceptance.season import load_season


@pytest.fixture
def gradeonce(tmp_path: Path) -> Command:
    """The command in an empty folder."""
    return Command(tmp_path)


@pytest.fixture(scope="session")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty book, for copying: a book is a folder and may be copied."""
    command = Command(tmp_path_factory.mktemp("empty"))
    command("init")
    return command.folder


@pytest.fixture
def book(empty_folder: Path, gradeonce: Command) -> Command:
    """The command in a folder of its own with an empty book."""
    shutil.copytree(empty_folder, gradeonce.folder, dirs_exist_ok=True)
    return gradeonce


@pytest.fixture(scope="session")
def loaded_season(empty_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small season loaded and not graded, for copying."""
    folder = tmp_path_factory.mktemp("season")
    shutil.copytree(empty_folder, folder, dirs_exist_ok=True)
    load_season(Command(folder))
    return folder


@pytest.fixture(scope="session")
def official_book(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Command:
    """A book with every official box score; the slates share it, each on dates and systems of its own."""
    command = Command(tmp_path_factory.mktemp("official"))
    command("init")
    command("load", "actuals", real_data / "boxscores_official.csv.gz", "--source", "nba_api.league_game_log")
    return command
