"""Eight real processes, spawned once for all races."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import new_book
from races.crew import Crew


@pytest.fixture(scope="session")
def crew() -> Iterator[Crew]:
    """Eight workers; gone at the end, whatever happens."""
    with Crew(8) as crew:
        yield crew


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty book."""
    return new_book(tmp_path / "book")
