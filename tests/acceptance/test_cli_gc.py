"""`gradeonce gc`: what it prints, and what it leaves."""

from __future__ import annotations

import os
from pathlib import Path

from acceptance.command import Command


def test_shown_then_removed(tmp_path: Path) -> None:
    """A leftover of long ago: listed, counted, and there until --apply; after that there is nothing to remove."""
    command = Command(tmp_path)
    command.inside("init")
    left = tmp_path / "book" / "staging" / "g20251101T1100.parquet"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"1234567")
    os.utime(left, (1_700_000_000, 1_700_000_000))

    shown = command("gc")
    document = command.inside("gc", "--json").json()
    assert left.exists()
    assert shown.out.splitlines() == [
        "file                            what         bytes  since (UTC)",
        "staging/g20251101T1100.parquet  staged file      7  2023-11-14 22:13",
        "dry run: 1 file(s), 7 bytes would be removed; --apply removes them",
    ]
    assert document == {
        "schema_version": 1,
        "applied": False,
        "bytes": 7,
        "files": [
            {
                "name": "staging/g20251101T1100.parquet",
                "kind": "staged file",
                "bytes": 7,
                "made_at": "2023-11-14T22:13:20+00:00",
            }
        ],
    }

    assert command.inside("gc", "--apply").out == "removed 1 file(s), 7 bytes\n"
    assert not left.exists()
    assert command.inside("gc", "--apply").out == "nothing to remove\n"
    assert command.inside("gc", "--json").json()["files"] == []
