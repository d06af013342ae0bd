"""Removing files that nobody reads: what was left by runs that died, and versions that were replaced long ago."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gradeonce.errors import WarehouseError
from gradeonce.model import EntryDraft
from gradeonce.warehouses.base import Leftover, OnStep, Removal
from gradeonce.warehouses.embedded.catalog import Catalog, ReplacedFile
from gradeonce.warehouses.embedded.files import leftover_files

_REPLACED = "file of rows that were replaced"


def find(catalog: Catalog, folder: Path, removal: Removal) -> list[Leftover]:
    """Return what may go: unfinished files, and files of which every partition has been replaced."""
    with catalog.steady():
        replaced = catalog.replaced_files(_instant(removal.replaced_before))
        known = catalog.file_paths()
    return _unfinished(folder, known, removal) + _leftovers(replaced)


def collect(catalog: Catalog, folder: Path, removal: Removal, *, on_step: OnStep) -> list[Leftover]:
    """Remove what may go, and say so in the ledger if versions went. Return what it was.

    Unfinished files go while nobody can commit: a run that was asleep for longer than they are kept finds its file
    gone when it wants to point at it, and starts again. Files of replaced rows go after the catalog has forgotten them:
    should we die in between they are unfinished ones, and go the next time.
    """
    unfinished: list[Leftover] = []

    def sweep(known: Collection[str]) -> None:
        unfinished.extend(_unfinished(folder, known, removal))
        _unlink(folder, [leftover.name for leftover in unfinished])
        on_step("collect.swept")

    def entry(replaced: Sequence[ReplacedFile]) -> EntryDraft:
        details = {
            "removed_files": len(replaced),
            "removed_bytes": sum(file.bytes for file in replaced),
            "replaced_before": _instant(removal.replaced_before),
        }
        return EntryDraft("gc", removal.run_id, status="collected", holder=removal.holder, details=details)

    replaced = catalog.forget_files(_instant(removal.replaced_before), sweep=sweep, entry=entry)
    on_step("collect.forgotten")
    _unlink(folder, [file.path for file in replaced])
    on_step("collect.done")
    return unfinished + _leftovers(replaced)


def _unfinished(folder: Path, known: Collection[str], removal: Removal) -> list[Leftover]:
    return [file for file in leftover_files(folder, known) if file.made_at < removal.unfinished_before]


def _leftovers(replaced: Sequence[ReplacedFile]) -> list[Leftover]:
    return [
        Leftover(file.path, _REPLACED, file.bytes, datetime.fromisoformat(file.replaced_at).astimezone(UTC))
        for file in replaced
    ]


def _unlink(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise WarehouseError(
                f"{folder / name} could not be removed: {error.strerror}.",
                hint="Nobody reads it. Let this user remove it, then run `gradeonce gc --apply` again.",
            ) from error


def _instant(moment: datetime) -> str:
    """Return an instant as the ledger writes it, so that texts compare as instants do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
