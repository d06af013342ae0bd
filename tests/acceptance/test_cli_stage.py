"""`gradeonce stage`: what it prints, and with which code it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

import gradeonce
from acceptance.command import Command
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.leases import acquire
from staged_files import pick, write_file

BATCH = ("--batch", "morning")


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """A folder with a book and two files of picks; the second has a later prediction of the first one's key."""
    command = Command(tmp_path)
    command.inside("init")
    write_file(tmp_path / "one.csv", [pick("a", at="10:00"), pick("b")])
    write_file(tmp_path / "two.csv", [pick("a", at="11:00")])
    return command


def test_from_workers_to_predictions(command: Command) -> None:
    """The installed command: two workers stage, one consolidates, and once more finds nothing to do."""
    first = command("stage", "write", "one.csv", *BATCH, "--worker", "w1", "--json").json()
    second = command("stage", "write", "two.csv", *BATCH, "--worker", "w2")
    listed = command.inside("stage", "list", "--json").json()["batches"]
    merged = command("stage", "consolidate", *BATCH, "--json").json()
    again = command.inside("stage", "consolidate", *BATCH)

    assert (first["status"], first["rows"]) == ("staged", 2)
    assert "morning/w2: 1 rows staged on 1 date(s)" in second.out
    assert [(b["batch"], b["workers"], b["rows"], b["is_orphan"]) for b in listed] == [
        ("morning", {"w1": 2, "w2": 1}, 3, False)
    ]
    assert (merged["staged"], merged["rows"], merged["outdone"]) == (3, 2, 1)
    assert "morning: nothing is waiting; it was consolidated before" in again.out
    assert command.inside("stage", "list").out == "nothing is staged\n"
    assert [row["player_lookup"] for row in command.query("FROM player_prop_predictions ORDER BY load_row")] == [
        "a",
        "b",
    ]
    command.inside("ledger", "verify", "--deep")


def test_files_are_read_as_load_reads_them(command: Command) -> None:
    """A mapping of the user's own, and a bad row in quarantine."""
    command.write("other.csv", "who,said\na,20\nb,many\n")
    command.write(
        "other.sql",
        "SELECT 'alpha' AS system_id, who AS player_lookup, '20260117_RED_BLU' AS game_id, said AS predicted_value, "
        "_file, _row FROM {rows}",
    )

    staged = command.inside(
        *("stage", "write", "other.csv", *BATCH, "--worker", "w1", "--json"),
        *("--select", "other.sql", "--on-bad-rows", "quarantine"),
    ).json()

    assert (staged["rows"], staged["quarantined"], staged["partitions"]) == (1, 1, ["2026-01-17"])


def test_a_batch_of_which_nothing_would_be_merged_is_an_error(command: Command) -> None:
    """Exit 1, with what to type; the sweep shows what would go, and then removes it."""
    command.inside("load", "predictions", "two.csv")
    write_file(command.folder / "late.csv", [pick("a", at="10:00")])
    command.inside("stage", "write", "late.csv", *BATCH, "--worker", "w1")

    refused = command.inside("stage", "consolidate", *BATCH, code=ExitCode.FAILED)
    looked = command.inside("stage", "sweep", *BATCH)
    orphans = command.inside("stage", "sweep", "--apply")
    swept = command.inside("stage", "sweep", *BATCH, "--apply", "--json").json()

    assert "next: If that is right, remove it with `gradeonce stage sweep --batch morning`." in refused.err
    assert "dry run: 1 staged rows would be removed; --apply removes them" in looked.out
    assert orphans.out == "nothing to sweep\n"
    assert (swept["applied"], swept["batches"][0]["rows"]) == (True, 1)
    assert command.inside("stage", "list").out == "nothing is staged\n"


def test_exit_codes_say_what_happened(command: Command) -> None:
    """64: no such batch, or no name; 3: the lease is somebody else's, and what is staged stays."""
    command.inside("stage", "consolidate", *BATCH, code=ExitCode.WRONG_USAGE)
    command.inside("stage", "write", "one.csv", "--batch", "a/b", "--worker", "w1", code=ExitCode.WRONG_USAGE)
    command.inside("stage", "write", "one.csv", *BATCH, "--worker", "w1")
    with (
        gradeonce.open(command.folder / "book") as book,
        acquire(book.leases, "consolidation/2026-01-17", ttl_seconds=book.settings.ttl_seconds, holder="somebody"),
    ):
        held = command.inside("stage", "consolidate", *BATCH, "--wait", "0", code=ExitCode.LEASE_HELD)

    assert "The lease consolidation/2026-01-17 is held by somebody" in held.err
    assert command.inside("stage", "list", "--json").json()["batches"][0]["rows"] == 2
