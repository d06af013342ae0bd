"""Parquet files that are either complete and on disk, or not there at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.errors import RefusedForSafety, TransientWarehouseError
from gradeonce.statements import quote_literal
from gradeonce.warehouses.base import Leftover
from gradeonce.warehouses.engine import run

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from duckdb import DuckDBPyConnection

STAGING_FOLDER = "staging"
ROWS_FOLDER = "rows"

ROW_GROUP_ROWS = 16_384
"""Rows are sorted by partition; small row groups let one date be read without its neighbours."""

_UNSAFE_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.s3fs", "afs")


def unique_name(run_id: str) -> str:
    """Return a file name, without ending, that nobody else has: readable by its run, safe whatever the run is called.

    Callers choose run ids; two that choose the same one must not write the same file, and least of all one that
    readers are reading.
    """
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', run_id)[:80]}-{os.urandom(4).hex()}"


def copy_to_parquet(
    engine: DuckDBPyConnection, select: str, path: Path, params: Mapping[str, Any] | None = None
) -> None:
    """Write the rows of a SELECT to a Parquet file; a file that could not be finished is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sql = f"COPY ({select}) TO {quote_literal(str(path))} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
    try:
        run(engine, sql, params)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def leftover_files(folder: Path, known: Collection[str]) -> list[Leftover]:
    """Return the files that no reader sees: staged ones, and those in final folders that no version points at.

    Args:
        folder: The book.
        known: Paths, relative to the book, that some version points at.
    """
    found = []
    for path in sorted(folder.glob("*/**/*")):
        name = path.relative_to(folder).as_posix()
        try:
            facts = path.stat()
        except FileNotFoundError:
            # Whoever staged it has just published or removed it.
            continue
        if not path.is_file() or name in known:
            continue
        kind = "staged file" if name.startswith(f"{STAGING_FOLDER}/") else "file of rows that no version points at"
        if kind == "staged file" or name.startswith(f"{ROWS_FOLDER}/"):
            found.append(Leftover(name, kind, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC)))
    return found


def make_durable(path: Path, final: Path) -> tuple[int, str]:
    """Force a finished file to disk and give it its final name. Return its size and SHA-256.

    In this order, because a name that survives a power cut must never point at bytes that did not.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
            size = file.tell()
            os.fsync(file.fileno())
        final.parent.mkdir(parents=True, exist_ok=True)
        path.rename(final)
        sync_folder(final.parent)
    except FileNotFoundError as error:
        raise TransientWarehouseError(
            f"{path} was removed as a leftover before it was finished.",
            hint="The run was asleep for long. Run the same command again.",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise TransientWarehouseError(
                f"{final} could not be forced to disk: {error.strerror}.", hint="Free some disk space, then rerun."
            ) from error
        raise
    return size, digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_free_space(folder: Path, minimum_megabytes: int) -> None:
    """Raise before anything is written if the disk is nearly full."""
    free = shutil.disk_usage(folder).free // (1 << 20)
    if free < minimum_megabytes:
        raise TransientWarehouseError(
            f"Only {free} MB are free on the disk of {folder}; staging wants at least {minimum_megabytes} MB.",
            hint="Free some disk space, or lower [warehouse] minimum_free_megabytes.",
        )


def require_local_disk(folder: Path) -> None:
    """Raise if the folder lies on a network file system, whose file locks are not to be trusted."""
    kind = _file_system(folder)
    if kind in _UNSAFE_FILE_SYSTEMS:
        raise RefusedForSafety(
            f"{folder} is on a network file system ({kind}), where file locks may be lost: two runs could both write.",
            hint="Put the book on a local disk, or set [warehouse] allow_network_filesystem = true if you are certain.",
        )


def _file_system(folder: Path) -> str:
    mounts = Path("/proc/self/mounts")
    if not mounts.is_file():
        return ""
    resolved = folder.resolve()
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, mounted, *_ = line.split()
        point = point.replace("\\040", " ")
        if resolved.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, mounted
    return kind
