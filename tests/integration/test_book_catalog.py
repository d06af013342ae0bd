"""The catalog's transactions: whole or not at all, one writer at a time, and readers that never wait."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builders import ITEMS, SHELVES, FakeClock, catalog_of, ledger_findings, new_book, open_book, shelf_query
from gradeonce import sqlite_file
from gradeonce.errors import (
    LeaseLost,
    PublishConflict,
    RefusedForSafety,
    TransientWarehouseError,
    UsageError,
    WarehouseError,
)
from gradeonce.model import Change, EntryDraft, Move
from gradeonce.publish import ignore_steps
from gradeonce.sqlite_file import SqliteFile, write_turn
from gradeonce.warehouses.embedded import files
from gradeonce.warehouses.embedded.catalog import CATALOG_FILE, Catalog
from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse

DAY = "2026-01-17"
EMPTY = Move(table=SHELVES.name, partition=DAY, change=Change.REPLACE, token=1, base_seq=0, rows=0, content_hash="")
DRAFT = EntryDraft(kind="publish", run_id="run", table=SHELVES.name, partition=DAY, status="published", token=1, seq=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_book(tmp_path / "book")


@pytest.fixture
def catalog(folder: Path) -> Iterator[Catalog]:
    catalog = Catalog(folder, clock=FakeClock())
    yield catalog
    catalog.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers give up after a fifth of a second."""
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.2)


def commit(catalog: Catalog, *moves: Move, drafts: list[EntryDraft] | None = None) -> None:
    """Commit moves that bring no file."""
    catalog.fences(SHELVES, [move.partition for move in moves])
    catalog.commit(moves, [], [DRAFT] if drafts is None else drafts, version="run", on_step=ignore_steps)


def test_a_commit_moves_the_fence_by_one(catalog: Catalog) -> None:
    """Token, sequence, version and instant, in one step."""
    commit(catalog, EMPTY)

    fence = catalog.fences(SHELVES, [DAY])[DAY]
    assert (fence.token, fence.seq, fence.version) == (1, 1, "run")
    assert fence.published_at == "2026-01-18T12:00:00.000000+00:00"


def test_a_lower_token_is_lost_and_a_moved_base_is_a_conflict(catalog: Catalog) -> None:
    """Of both, the lower token is told: it cannot be mended by starting again."""
    commit(catalog, replace(EMPTY, token=5))

    with pytest.raises(LeaseLost, match="has accepted token 5 since"):
        commit(catalog, replace(EMPTY, token=4, base_seq=1))
    with pytest.raises(LeaseLost):
        commit(catalog, replace(EMPTY, token=4))
    with pytest.raises(PublishConflict, match="moved from version 0 to 1 while we worked"):
        commit(catalog, replace(EMPTY, token=5))
    with pytest.raises(PublishConflict):
        commit(catalog, replace(EMPTY, token=None))

    assert catalog.fences(SHELVES, [DAY])[DAY].seq == 1
    assert len(list(catalog.entries())) == 1


def test_one_refused_move_takes_back_all(catalog: Catalog) -> None:
    """Three partitions, the last of them at another base: no fence moved and no entry was written."""
    commit(catalog, replace(EMPTY, partition="2026-01-19"), drafts=[])
    moves = [replace(EMPTY, partition=f"2026-01-{day}") for day in (17, 18, 19)]

    with pytest.raises(PublishConflict):
        commit(catalog, *moves)

    assert [fence.seq for fence in catalog.all_fences(SHELVES)] == [0, 0, 1]
    assert list(catalog.entries()) == []


def test_a_watched_partition_must_stay_where_it_is(catalog: Catalog) -> None:
    """Watching moves nothing; if somebody else moved it, the commit is refused."""
    watch = Move(SHELVES.name, "2026-01-18", Change.WATCH, None, 0, 0, "")
    commit(catalog, EMPTY, watch)
    assert [fence.seq for fence in catalog.all_fences(SHELVES)] == [1, 0]

    commit(catalog, replace(EMPTY, partition="2026-01-18"))
    with pytest.raises(PublishConflict):
        commit(catalog, replace(EMPTY, base_seq=1), watch)
    assert [fence.seq for fence in catalog.all_fences(SHELVES)] == [1, 1]


def test_a_commit_that_would_not_hold_what_it_says_is_taken_back(catalog: Catalog) -> None:
    """Rows announced, but no file with them: the look at what stands finds out before the commit."""
    with pytest.raises(WarehouseError, match=r"would hold 0 rows, not the 7 that were staged; the publish was taken"):
        commit(catalog, replace(EMPTY, rows=7))

    assert catalog.fences(SHELVES, [DAY])[DAY].seq == 0


def test_the_ledger_can_be_read_while_something_else_is_looked_up(catalog: Catalog) -> None:
    """A loop over the entries may ask for fences."""
    commit(catalog, EMPTY)
    commit(catalog, replace(EMPTY, base_seq=1))

    seen = [(entry.number, catalog.fences(SHELVES, [DAY])[DAY].seq) for entry in catalog.entries()]

    assert seen == [(1, 2), (2, 2)]


@pytest.mark.usefixtures("impatient")
def test_readers_do_not_wait_for_a_stuck_writer(folder: Path) -> None:
    """Somebody stopped in the middle of a commit: rows can be read; writers are told who to look for, exit code 5."""
    with open_book(folder) as book:
        book.publish(SHELVES, shelf_query([DAY], 1), [DAY], run_id="one")
        stuck = SqliteFile(folder / CATALOG_FILE, durable=True)
        with stuck.write() as connection:
            connection.execute("UPDATE publish_fences SET seq = 99")

            assert book.sql("SELECT count(*) FROM shelf_counts").rows == [(ITEMS,)]
            with pytest.raises(TransientWarehouseError, match="is being written by another process") as refused:
                book.warehouse.append_entries([DRAFT])
            assert refused.value.exit_code == 5
            connection.execute("UPDATE publish_fences SET seq = 1")
        stuck.close()
        assert ledger_findings(book.warehouse) == ()


@pytest.mark.usefixtures("impatient")
def test_a_writer_that_gave_up_does_not_hold_the_turn_later(folder: Path) -> None:
    """Its thread still gets the turn when it comes, and lets go of it at once."""
    path = folder / CATALOG_FILE
    with write_turn(path), pytest.raises(TransientWarehouseError), write_turn(path):
        pytest.fail("two writers at once")

    for thread in threading.enumerate():
        if thread.name == "gradeonce-write-queue":
            thread.join(30)
    with write_turn(path):
        pass


def test_writers_are_let_in_one_at_a_time(folder: Path) -> None:
    """Twenty threads with a turn each: never two inside, all served."""
    inside, served = threading.Lock(), []
    start = threading.Barrier(20)

    def work(number: int) -> None:
        start.wait(30)
        with write_turn(folder / CATALOG_FILE):
            assert inside.acquire(blocking=False)
            served.append(number)
            inside.release()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(served) == list(range(20))


def test_a_new_file_is_opened_by_several_at_once(tmp_path: Path) -> None:
    """200 files, each opened by six threads at the same moment: it is made once, keeps a log, and nobody is refused."""
    meeting = threading.Barrier(6)
    refused: list[str] = []

    def work() -> None:
        for number in range(200):
            meeting.wait(60)
            try:
                file = SqliteFile(tmp_path / f"{number}.sqlite", durable=False)
                assert file.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
                file.close()
            except WarehouseError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert refused == []
    assert len(list(tmp_path.glob("*.sqlite"))) == 200


def test_an_error_in_a_write_takes_it_back_and_comes_out(tmp_path: Path) -> None:
    """The block's own error, not one about the transaction; a driver's error becomes ours, with its cause."""
    file = SqliteFile(tmp_path / "file.sqlite", durable=False)
    with file.write() as connection:
        connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")

    def insert_and_fail() -> None:
        with file.write() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        insert_and_fail()
    with pytest.raises(WarehouseError, match="UNIQUE") as failed, file.write() as connection:
        connection.execute("INSERT INTO t VALUES (2), (2)")
    assert isinstance(failed.value.__cause__, sqlite3.IntegrityError)

    with file.read() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    file.close()


def test_a_folder_of_something_else_is_not_made_a_book(tmp_path: Path) -> None:
    """Exit code 6, and the folder is as it was."""
    (tmp_path / "holiday.jpg").touch()

    with pytest.raises(RefusedForSafety, match="is not empty and holds no book"):
        EmbeddedWarehouse.create(tmp_path)

    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".queue")] == ["holiday.jpg"]


def test_a_book_that_was_half_made_is_made_anew(tmp_path: Path) -> None:
    """What a process that died left behind is swept away; made twice, the second time changes nothing."""
    folder = tmp_path / "book"
    folder.mkdir()
    (folder / f"{CATALOG_FILE}.new").write_bytes(b"half")
    (folder / f"{CATALOG_FILE}.new-wal").write_bytes(b"half")

    assert EmbeddedWarehouse.create(folder)
    assert not EmbeddedWarehouse.create(folder)
    assert list(folder.glob("*.new*")) == []
    with open_book(folder) as book:
        assert ledger_findings(book.warehouse) == ()


def test_a_network_file_system_is_refused_unless_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where file locks cannot be trusted, two runs could both write: exit code 6, for opening and for making."""
    monkeypatch.setattr(files, "_file_system", lambda _: "nfs4")

    with pytest.raises(RefusedForSafety, match=r"on a network file system \(nfs4\)"):
        EmbeddedWarehouse(folder)
    with pytest.raises(RefusedForSafety, match="allow_network_filesystem = true"):
        EmbeddedWarehouse.create(folder / "other")
    EmbeddedWarehouse(folder, allow_network_filesystem=True).close()


def test_a_table_cannot_change_its_columns(catalog: Catalog) -> None:
    """The definition of a table stands from its first fence on."""
    catalog.fences(SHELVES, [DAY])
    with pytest.raises(RefusedForSafety):
        catalog.fences(replace(SHELVES, key=("shelf",)), [DAY])
    with pytest.raises(UsageError):
        replace(SHELVES, key=("colour",))


def test_small_tables_are_strict(folder: Path) -> None:
    """A text in a column of numbers is refused by the catalog itself."""
    connection = catalog_of(folder)
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value"):
        connection.execute("INSERT INTO publish_fences (table_name, partition, seq) VALUES ('t', 'p', 'many')")
    connection.close()
