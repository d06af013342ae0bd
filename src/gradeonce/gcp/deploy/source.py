"""The folder of code that is sent to Google: a few lines, made here, so that nobody keeps a copy of ours."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gradeonce.errors import ConfigError, InputError, RefusedForSafety
from gradeonce.gcp.deploy.deployment import Deployment
from gradeonce.gcp.deploy.plan import ENTRY_POINT

_FIRST_LINE = '"""Written by `gradeonce gcp deploy`; the next one writes it again."""'


def source_files(version: str, *, wheel: Path | None = None, settings: Path | None = None) -> dict[str, bytes]:
    """Return the files of the folder by name.

    Args:
        version: Of gradeonce, which is installed there.
        wheel: A built wheel that is installed in place of the release.
        settings: The user's `gradeonce.toml`, for what environment variables cannot say.

    Raises:
        InputError: If a file cannot be read.
        ConfigError: If the settings hold a password: the folder is copied to Google as it is.
    """
    requirement = f"gradeonce[gcp]=={version}"
    files: dict[str, bytes] = {}
    if wheel is not None:
        requirement = f"./{wheel.name}[gcp]"
        files[wheel.name] = _read(wheel)
    if settings is not None:
        files["gradeonce.toml"] = _without_secrets(settings)
    files["main.py"] = (
        (f"{_FIRST_LINE}\n\nfrom gradeonce.gcp.function import {ENTRY_POINT}\n\n__all__ = [{ENTRY_POINT!r}]\n")
        .replace("'", '"')
        .encode()
    )
    files["requirements.txt"] = f"{requirement}\n".encode()
    return files


def written_files(folder: Path) -> dict[str, bytes]:
    """Return the files of the folder as the last deploy wrote them; none if none did."""
    main = folder / "main.py"
    if not _is_ours(main):
        return {}
    paths = (*folder.glob("gradeonce-*.whl"), folder / "gradeonce.toml", main, folder / "requirements.txt")
    return {path.name: _read(path) for path in paths if path.is_file()}


def _is_ours(main: Path) -> bool:
    return main.is_file() and main.read_text(encoding="utf-8", errors="replace").startswith(_FIRST_LINE)


def with_fingerprint(deployment: Deployment, files: Mapping[str, bytes]) -> Deployment:
    """Return the deployment with the fingerprint of its code."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return replace(deployment, fingerprint=digest.hexdigest())


def write_source(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the folder; what an earlier deploy wrote is written over.

    Raises:
        RefusedForSafety: If the folder holds something that no deploy wrote.
    """
    if folder.exists() and not _is_ours(folder / "main.py") and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedForSafety(
            f"{folder} holds something that `gradeonce gcp deploy` did not write.",
            hint="Name another folder with --source.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    # All that lies in it is sent, so nothing that an earlier deploy wrote may stay; what somebody put there does.
    for path in (*folder.glob("gradeonce-*.whl"), folder / "gradeonce.toml"):
        if path.name not in files:
            path.unlink(missing_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", state="Nothing was changed.") from error


def _without_secrets(path: Path) -> bytes:
    from gradeonce.config import mask_secrets

    content = _read(path)
    # The values only: the file that `init` writes shows in its comments how a URL with a password looks.
    text = repr(tomllib.loads(content.decode("utf-8")))
    if mask_secrets(text) != text:
        raise ConfigError(
            f"{path} holds a password, and would be sent to Google as it is.",
            hint="Take it out, or deploy with a settings file without it: gradeonce --config FILE gcp deploy.",
        )
    return content
