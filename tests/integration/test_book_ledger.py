"""`ledger verify` finds, and names, whatever was changed in a book behind gradeonce's back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from builders import (
    SHELVES,
    catalog_of,
    land_actuals,
    land_season,
    ledger_findings,
    new_book,
    open_book,
    shelf_query,
)
from gradeonce.chain import seal
from gradeonce.errors import LedgerBroken
from gradeonce.ledger import verify
from gradeonce.model import EntryDraft

DAYS = ["2026-01-01", "2026-01-02"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two loads, two days graded at once (3, 4; sums 5, 6), a correction (7), day one again (8, 9), two shelves."""
    folder = new_book(tmp_path_factory.mktemp("ledger") / "book")
    land_season(folder, 2, 3)
    with open_book(folder) as book:
        book.grade(all_dates=True)
        land_actuals(book, 1, 3, points=12, version=2)
        book.grade(DAYS[0])
        for day in DAYS:
            book.publish(SHELVES, shelf_query([day], 1), [day], run_id=f"shelf{day}")
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of that book, to be tampered with."""
    return Path(shutil.copytree(finished, tmp_path / "book"))


def found(folder: Path, *, deep: bool = False, head: str | None = None) -> str:
    """Return what verify finds, one line each."""
    with open_book(folder) as book:
        return "\n".join(ledger_findings(book.warehouse, deep=deep, head=head))


def tamper(folder: Path, sql: str) -> None:
    """Change the catalog as anybody with the file can."""
    connection = catalog_of(folder)
    connection.executescript(sql)
    connection.close()


@pytest.mark.parametrize("deep", [False, True])
def test_an_honest_book_holds(folder: Path, deep: bool) -> None:
    """Eleven entries, and 5 times 2 partitions: predictions, actuals, grades, their sums, shelves."""
    with open_book(folder) as book:
        proof = verify(book.warehouse, deep=deep)
        last = list(book.warehouse.entries())[-1]

    assert (proof.entries, proof.partitions, proof.deep) == (11, 10, deep)
    assert (proof.head, proof.head_at) == (last.entry_hash, last.at)


def test_an_empty_book_holds(tmp_path: Path) -> None:
    """Nothing was recorded, and nothing stands."""
    with open_book(new_book(tmp_path / "empty")) as book:
        proof = verify(book.warehouse, deep=True)

    assert (proof.entries, proof.head, proof.partitions) == (0, "", 0)


CHAIN = {
    "a count edited": (
        "UPDATE ledger SET rows = rows + 1 WHERE number = 3",
        "entry 3 was changed after it was written",
    ),
    "an instant edited": (
        "UPDATE ledger SET at = '2020-01-01T00:00:00+00:00' WHERE number = 1",
        "entry 1 was changed after it was written",
    ),
    "a detail edited": (
        "UPDATE ledger SET details = json_set(details, '$.counts.win', 99) WHERE number = 4",
        "entry 4 was changed after it was written",
    ),
    "an entry removed": ("DELETE FROM ledger WHERE number = 5", "entry 5 is missing: the next one found is 6"),
    "an entry removed and the gap closed": (
        "DELETE FROM ledger WHERE number = 5; UPDATE ledger SET number = number - 1 WHERE number > 5",
        "entry 5 does not follow the entry before it",
    ),
    "an entry doubled at the end": (
        "INSERT INTO ledger SELECT 12, at, kind, run_id, table_name, partition, status, token, seq, rows, content_hash,"
        " holder, details, previous_hash, entry_hash FROM ledger WHERE number = 11",
        "entry 12 does not follow the entry before it",
    ),
    "two entries swapped": (
        "UPDATE ledger SET number = -1 WHERE number = 3; UPDATE ledger SET number = 3 WHERE number = 4;"
        "UPDATE ledger SET number = 4 WHERE number = -1",
        "entry 3 does not follow the entry before it",
    ),
    "the last entry cut off": (
        "DELETE FROM ledger WHERE number = 11",
        "shelf_counts 2026-01-02 was published, but the ledger does not know of it",
    ),
    "a load cut off": (
        "DELETE FROM ledger WHERE number >= 5",
        "player_game_actuals 2026-01-01: the fence says version 2 with 6 rows, the ledger says version 1 with 3 rows",
    ),
}


@pytest.mark.parametrize("name", CHAIN)
def test_a_broken_chain_is_found(folder: Path, name: str) -> None:
    """Whatever is edited, removed, doubled or cut off in the ledger is named by its number or its partition."""
    sql, finding = CHAIN[name]
    tamper(folder, sql)

    assert finding in found(folder)


def test_an_entry_sealed_anew_breaks_the_chain_behind_it(folder: Path) -> None:
    """Who edits an entry and computes its hash again is found at the next entry."""
    connection = catalog_of(folder)
    with open_book(folder) as book:
        entry = list(book.warehouse.entries())[2]
    draft = EntryDraft(**{**vars(entry.draft), "rows": 99})
    forged = seal(entry.number, entry.at, draft, entry.previous_hash)
    connection.execute("UPDATE ledger SET rows = 99, entry_hash = ? WHERE number = 3", (forged.entry_hash,))
    connection.close()

    findings = found(folder)
    assert "entry 4 does not follow the entry before it" in findings
    assert "entry 3 was changed" not in findings


def test_a_chain_rewritten_as_a_whole_is_found_by_a_published_head(folder: Path, tmp_path: Path) -> None:
    """A book put back to yesterday holds in itself; the hash published since is not in it."""
    yesterday = Path(shutil.copytree(folder, tmp_path / "yesterday"))
    with open_book(folder) as book:
        book.publish(SHELVES, shelf_query(DAYS[:1], 2), DAYS[:1], run_id="today")
        head = verify(book.warehouse).head
        assert verify(book.warehouse, head=head).head == head

    assert found(yesterday) == ""
    assert found(yesterday, head=head) == f"the published hash {head} is not in the chain"


def test_an_older_head_is_still_in_the_chain(folder: Path) -> None:
    """A hash published after the third entry is found although five came later."""
    with open_book(folder) as book:
        third = list(book.warehouse.entries())[2].entry_hash

    assert found(folder, head=third) == ""


LIVE = "removed_seq IS NULL AND table_name"
POINTERS = {
    "the fence's count edited": (
        "UPDATE publish_fences SET rows = 2 WHERE table_name = 'prediction_accuracy' AND partition = '2026-01-01'",
        "prediction_accuracy 2026-01-01: the fence says version 2 with 2 rows, the ledger says version 2 with 3 rows",
    ),
    "the fence set back": (
        "UPDATE publish_fences SET seq = 1 WHERE table_name = 'prediction_accuracy' AND partition = '2026-01-01'",
        "prediction_accuracy 2026-01-01: the fence says version 1 with 3 rows, the ledger says version 2 with 3 rows",
    ),
    "the fence's token lowered": (
        "UPDATE publish_fences SET token = 0 WHERE table_name = 'prediction_accuracy' AND partition = '2026-01-01'",
        "prediction_accuracy 2026-01-01: the fence has accepted token 0, the ledger recorded token 2",
    ),
    "the fence removed": (
        "DELETE FROM publish_fences WHERE table_name = 'prediction_accuracy' AND partition = '2026-01-01'",
        "prediction_accuracy 2026-01-01 has lost its fence",
    ),
    "an old version brought back": (
        f"UPDATE segments SET removed_seq = -1 WHERE partition = '2026-01-01' AND {LIVE} = 'prediction_accuracy';"
        "UPDATE segments SET removed_seq = NULL WHERE partition = '2026-01-01' AND removed_seq = 2"
        " AND table_name = 'prediction_accuracy'",
        "prediction_accuracy 2026-01-01 is read from",
    ),
    "two days swapped": (
        "UPDATE segments SET partition = 'x' WHERE table_name = 'shelf_counts' AND partition = '2026-01-01';"
        "UPDATE segments SET partition = '2026-01-01' WHERE table_name = 'shelf_counts' AND partition = '2026-01-02';"
        "UPDATE segments SET partition = '2026-01-02' WHERE table_name = 'shelf_counts' AND partition = 'x'",
        "shelf_counts 2026-01-02 is read from",
    ),
    "a day hidden": (
        f"UPDATE segments SET removed_seq = 9 WHERE partition = '2026-01-01' AND {LIVE} = 'shelf_counts'",
        "shelf_counts 2026-01-01 holds 0 rows that are not the 20 the ledger recorded",
    ),
    "a load hidden": (
        f"UPDATE segments SET removed_seq = 9 WHERE added_seq = 2 AND {LIVE} = 'player_game_actuals'",
        "player_game_actuals 2026-01-01 holds 3 rows that are not the 6 the ledger recorded",
    ),
    "the revisions hidden": (
        f"UPDATE segments SET removed_seq = 9 WHERE {LIVE} = 'grade_revisions'",
        "grade_revisions 2026-01-01 is not read from",
    ),
    "old rows let into a shared file": (
        "UPDATE files SET segments = 1 WHERE table_name = 'prediction_accuracy' AND segments = 2",
        "was written with 2 partitions, the catalog says 1",
    ),
    "a checksum edited": (
        "UPDATE files SET sha256 = 'abc' WHERE table_name = 'shelf_counts'",
        "the catalog's checksum is not the ledger's",
    ),
}


@pytest.mark.parametrize("name", POINTERS)
def test_a_pointer_or_fence_that_was_moved_is_found(folder: Path, name: str) -> None:
    """Without reading a single row: which file holds which partition is in the ledger."""
    sql, finding = POINTERS[name]
    tamper(folder, sql)

    assert finding in found(folder)


def file_of(folder: Path, table: str) -> Path:
    """Return the file of a table's first partition."""
    connection = catalog_of(folder)
    sql = "SELECT path FROM files f JOIN segments s USING (file_id) WHERE removed_seq IS NULL AND f.table_name = ?"
    (path,) = connection.execute(f"{sql} ORDER BY partition", (table,)).fetchone()
    connection.close()
    return folder / path


def flip_a_byte(path: Path) -> None:
    """Change one byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte changed": (flip_a_byte, "was changed after it was written"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-8]), "was changed after it was written"),
    "gone": (Path.unlink, "is missing"),
}


@pytest.mark.parametrize("table", ["prediction_accuracy", "player_game_actuals", "grade_revisions", "shelf_counts"])
@pytest.mark.parametrize("harm", HARM)
def test_a_file_that_was_harmed_is_found(folder: Path, table: str, harm: str) -> None:
    """A byte of any file that readers see, revisions too."""
    harmed = file_of(folder, table)
    change, finding = HARM[harm]
    change(harmed)

    assert f"file {harmed.relative_to(folder).as_posix()} {finding}" in found(folder, deep=True)


def test_a_file_replaced_together_with_its_checksum_is_found(folder: Path) -> None:
    """The ledger has the checksum too, and the ledger is a chain."""
    mine, other = file_of(folder, "shelf_counts"), file_of(folder, "grade_revisions")
    shutil.copyfile(other, mine)
    tamper(
        folder,
        "UPDATE files SET sha256 = (SELECT f.sha256 FROM files f JOIN segments s USING (file_id)"
        f" WHERE s.{LIVE.replace('table_name', 's.table_name')} = 'grade_revisions') WHERE path LIKE '%{mine.name}'",
    )

    assert "the catalog's checksum is not the ledger's" in found(folder)


def test_the_error_tells_all_and_names_the_first(folder: Path) -> None:
    """Exit code 1, every finding, and what to do."""
    tamper(folder, "UPDATE ledger SET rows = 1 WHERE number IN (3, 7)")

    with open_book(folder) as book, pytest.raises(LedgerBroken) as broken:
        verify(book.warehouse)

    assert broken.value.exit_code == 1
    assert "The ledger does not hold: entry 3 was changed after it was written (and " in str(broken.value)
    assert "Restore the book from a backup." in str(broken.value)
    assert "entry 7 was changed after it was written" in broken.value.findings


def test_a_run_that_failed_and_a_lease_that_was_broken_are_in_the_chain(folder: Path) -> None:
    """Entries that moved no rows are covered like the others, and say nothing of what stands."""
    with open_book(folder) as book:
        book.warehouse.append_entries(
            [
                EntryDraft(kind="grade", run_id="r", table="prediction_accuracy", partition=DAYS[0], status="failed"),
                EntryDraft(kind="lease_broken", run_id="b", status="released", details={"key": "grading/x"}),
            ]
        )
        assert verify(book.warehouse, deep=True).entries == 13
    tamper(folder, "UPDATE ledger SET details = '{}' WHERE number = 13")

    assert found(folder) == "entry 13 was changed after it was written"


def test_the_ledger_can_be_read_with_plain_tools(folder: Path) -> None:
    """Anyone can check the chain without gradeonce: a hash covers the entry's JSON, and the one before it."""
    import hashlib

    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.row_factory = sqlite3.Row
    previous = "0" * 64
    for row in connection.execute("SELECT * FROM ledger ORDER BY number"):
        body = {name: row[name] for name in row.keys() if name not in ("entry_hash", "table_name", "details")}  # noqa: SIM118
        body |= {"table": row["table_name"], "details": json.loads(row["details"]), "previous_hash": previous}
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert previous == row["entry_hash"]
    connection.close()
