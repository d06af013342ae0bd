"""What makes a load *that* load: its files, byte for byte, and how they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from gradeonce.errors import InputError
from gradeonce.schema import LOADED_TABLES
from gradeonce.sources import find_source


def content_id(
    kind: str,
    files: Sequence[Path],
    *,
    source: str = "gradeonce",
    select: Path | None = None,
    references: Mapping[str, Path] | None = None,
    aliases: Path | None = None,
    options: Mapping[str, str | None] | None = None,
) -> str:
    """Return a SHA-256 over everything that decides which rows a load makes; cheap, nothing is parsed.

    The order of the files counts, because of two readings of one game the later one wins. Names of files do not.

    Args:
        kind: What is loaded.
        files: The files, in order.
        source: Name of the preset.
        select: A user's own mapping, which takes the preset's place.
        references: Further files by slot.
        aliases: The user's alias file.
        options: Whatever else decides about the rows, e.g. the timezone.

    Raises:
        InputError: If a file cannot be read.
        UsageError: If there is no such source.
    """
    digest = hashlib.sha256()
    has_source = select is None and kind in LOADED_TABLES
    mapping = "".join(v.sql for v in find_source(source, kind).variants) if has_source else ""
    head = [kind, source if select is None else "", mapping, sorted((options or {}).items())]
    digest.update(json.dumps(head, ensure_ascii=False).encode())
    extra = sorted((references or {}).items())
    labelled = [("select", select), ("aliases", aliases), *extra, *(("file", path) for path in files)]
    for label, path in labelled:
        if path is not None:
            digest.update(f"\n{label} {_file_digest(path)}".encode())
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
