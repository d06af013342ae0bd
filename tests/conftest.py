"""What every folder of tests may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers import postgres, valkey

__all__ = ["postgres", "real_data", "valkey"]

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real box scores, lines and predictions, which is not part of the repository."""
    if not (REAL_DATA / "boxscores_official.csv.gz").is_file():
        pytest.skip(f"the real data is not here: {REAL_DATA} holds no boxscores_official.csv.gz")
    return REAL_DATA
