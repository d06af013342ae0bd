"""Every example of the documentation runs and prints what the page shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.examples import Runner, examples, same
from docs.pages import DOCS, WRITTEN, Page, read_page

RUN = [page for page in WRITTEN if examples(page)]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine may change what an example prints."""
    for name in os.environ:
        if name.startswith("GRADEONCE_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], None]:
    """Fills a folder with what a page has left behind when its reader was through; each page is run once."""
    left: dict[str, Path] = {}

    def start(name: str, folder: Path) -> None:
        if name not in left:
            made = tmp_path_factory.mktemp(name)
            here = Path.cwd()
            os.chdir(made)
            try:
                assert not Runner(made).page(read_page(DOCS / f"{name}.md"))
            finally:
                os.chdir(here)
            left[name] = made
        shutil.copytree(left[name], folder, dirs_exist_ok=True)

    return start


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_examples_run_and_print_what_is_shown(page: Page, folder: Path, started) -> None:
    """In order, in one folder, as a reader would."""
    if page.start:
        started(page.start, folder)

    wrong = Runner(folder).page(page)

    assert not wrong, "\n\n".join(wrong)


def test_output_is_compared_word_by_word() -> None:
    """The comparison forgives what differs from run to run, and nothing else."""
    assert same("run g20261123T2136402e4cf0a4 at 2026-11-23 21:36:40 UTC\n", "run g20260101T000000aaaaaaaa at ... UTC")
    assert same("a  1\nb  2\nc  3\n", "a 1\n...\nc 3")
    assert not same("7 predictions = 2 win\n", "7 predictions = 3 win")
    assert not same("a\nb\n", "a")
