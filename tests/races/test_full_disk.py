"""A disk that is full: a clear error that may be retried, nothing changed, nothing left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import SHELVES, FakeClock, files_of, land_season, ledger_findings, new_book, open_book, shelf_query
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.errors import TransientWarehouseError
from gradeonce.publish import publish
from races.child import answer_of, child

DAY = "2026-01-01"
MANY = 100_000
"""Rows whose Parquet file is larger than what is left on the small disk."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB with a book in it."""
    point = tmp_path / "disk"
    point.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(point)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a file system can be mounted only by root: {mounted.stderr.decode().strip()}")
    try:
        yield new_book(point / "book")
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


def fill(folder: Path, *, leave: int) -> Path:
    """Fill the disk up to that many bytes."""
    filler = folder.parent / "filler"
    free = os.statvfs(folder)
    filler.write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - leave))
    return filler


@pytest.mark.parametrize("leave", [0, 64 * 1024])
def test_publish_on_a_full_disk_changes_nothing_and_can_be_rerun(small_disk: Path, leave: int) -> None:
    """No space for the staged file: transient, exit code 5; the old version stands; once there is space it works."""
    with open_book(small_disk) as book:
        book.publish(SHELVES, shelf_query([DAY], 1), [DAY], run_id="first")
    before = files_of(small_disk)

    # The retries wait on this clock, not on ours.
    with open_book(small_disk, clock=FakeClock()) as book:
        # The check of free space comes too early to help when others fill the disk meanwhile.
        book.warehouse._minimum_free_megabytes = 0
        filler = fill(small_disk, leave=leave)
        with pytest.raises(TransientWarehouseError) as failed:
            book.publish(SHELVES, shelf_query([DAY], 2, items=MANY), [DAY], run_id="second")
        assert failed.value.exit_code == ExitCode.UNREACHABLE
        assert files_of(small_disk) == before

        filler.unlink()
        assert book.sql("SELECT count(*), max(marker) FROM shelf_counts").rows == [(20, 1)]
        assert ledger_findings(book.warehouse) == ()
        published = book.publish(SHELVES, shelf_query([DAY], 2, items=500), [DAY], run_id="third")[DAY]
        assert (published.rows, published.seq) == (500, 2)
        assert ledger_findings(book.warehouse) == ()


def test_disk_that_fills_up_at_the_commit_takes_the_commit_back(small_disk: Path) -> None:
    """The rows are on disk, but the catalog cannot grow: transient, the old version stands, a rerun publishes."""
    fillers: list[Path] = []
    is_time = False

    def fill_before_commit(step: str) -> None:
        if is_time and step == "commit.begun" and not fillers:
            fillers.append(fill(small_disk, leave=0))

    with open_book(small_disk, clock=FakeClock(), on_step=fill_before_commit) as book:
        book.warehouse._minimum_free_megabytes = 0
        book.publish(SHELVES, shelf_query([DAY], 1), [DAY], run_id="first")
        is_time = True
        with pytest.raises(TransientWarehouseError):
            book.publish(SHELVES, shelf_query([DAY], 2), [DAY], run_id="second")

        assert book.sql("SELECT count(*), max(marker) FROM shelf_counts").rows == [(20, 1)]
        fillers[0].unlink()
        assert ledger_findings(book.warehouse) == ()
        assert book.publish(SHELVES, shelf_query([DAY], 2), [DAY], run_id="third")[DAY].seq == 2
        assert ledger_findings(book.warehouse) == ()


def test_load_on_a_full_disk_lands_nothing_and_can_be_rerun(small_disk: Path) -> None:
    """No space for the rows of a load: transient, nothing landed; the same load lands once there is space."""
    with open_book(small_disk) as book:
        book.warehouse._minimum_free_megabytes = 0
        filler = fill(small_disk, leave=0)
        with pytest.raises(TransientWarehouseError):
            land_season(book, 2, 20)
        assert files_of(small_disk) == set()

        filler.unlink()
        land_season(book, 2, 20)
        assert book.sql("SELECT count(*) FROM player_prop_predictions").rows == [(40,)]
        assert ledger_findings(book.warehouse) == ()


def test_publish_that_may_not_write_enough_fails_clearly(tmp_path: Path) -> None:
    """A file that may not grow past 256 kB, as with a quota: transient, nothing published, nothing left behind."""
    folder = new_book(tmp_path / "book")
    values = {"day": DAY, "marker": 1, "run_id": "run", "items": MANY}

    with child(folder, "publish_shelf", values, settings={"store": "off"}, file_size_limit=1 << 18) as process:
        answer = answer_of(process)

    assert process.returncode == ExitCode.UNREACHABLE, answer
    assert answer["error"] == "TransientWarehouseError"
    assert "Nothing was changed." in answer["message"]
    assert files_of(folder) == set()
    with open_book(folder) as book:
        assert ledger_findings(book.warehouse) == ()
        assert book.publish(SHELVES, shelf_query([DAY], 1, items=MANY), [DAY], run_id="again")[DAY].rows == MANY


def test_staging_is_not_begun_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    """Below [warehouse] minimum_free_megabytes nothing is written, and the message says how much is free."""
    with open_book(new_book(tmp_path / "book"), minimum_free_megabytes=10**9, clock=FakeClock()) as book:
        with pytest.raises(
            TransientWarehouseError, match=r"Only \d+ MB are free .*; staging wants at least 1000000000"
        ):
            publish(book.warehouse, SHELVES, shelf_query([DAY], 1), [DAY], run_id="run", clock=FakeClock())
        with pytest.raises(TransientWarehouseError, match="minimum_free_megabytes"):
            land_season(book, 1, 1)
    assert files_of(tmp_path) == set()
