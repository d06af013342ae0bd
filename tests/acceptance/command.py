"""Running the installed command, as a user does: another process, its output and its exit code."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gradeonce.cli import main
from servers import Postgres

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return what it printed as JSON; nothing else may stand beside it."""
        return json.loads(self.out)

    def rows(self) -> list[dict[str, str]]:
        """Return what it printed as CSV."""
        return list(csv.DictReader(io.StringIO(self.out)))


class Command:
    """`gradeonce` in one working folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = environment

    def __call__(self, *arguments: str | Path, code: int = 0, **environment: str) -> Finished:
        """Run it and check its exit code; the message of a failure shows all that it printed."""
        return _checked(self.run(*arguments, **environment), code)

    def run(self, *arguments: str | Path, **environment: str) -> Finished:
        """Run it, whatever its exit code."""
        given = tuple(str(argument) for argument in arguments)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GRADEONCE_")}
        finished = subprocess.run(
            [sys.executable, "-m", "gradeonce", *given],
            cwd=self.folder,
            env={**clean, **self.environment, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Finished(given, finished.returncode, finished.stdout, finished.stderr)

    def write(self, name: str, text: str) -> Path:
        """Write a file in the folder."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def inside(self, *arguments: str | Path, code: int = 0) -> Finished:
        """Run it within this process, for long tails of cases: the same code, no interpreter to start."""
        given = tuple(str(argument) for argument in arguments)
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name, value in self.environment.items():
                patch.setenv(name, value)
            found = main.run(list(given))
        finished = Finished(given, found, out.getvalue(), err.getvalue())
        return _checked(finished, code)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a SELECT; only a probe, so it runs within this process."""
        found = self.inside("sql", sql, "--json").json()
        assert isinstance(found, list)
        return found


def on_server(postgres: Postgres, folder: Path, schema: str) -> Command:
    """Return the command in a folder whose book is a schema on the server."""
    return Command(folder, GRADEONCE_WAREHOUSE_BOOK=postgres.url, GRADEONCE_WAREHOUSE_SCHEMA=schema)


def _checked(finished: Finished, code: int) -> Finished:
    assert finished.code == code, (
        f"gradeonce {' '.join(finished.arguments)}\nexit code {finished.code}, expected {code}\n"
        f"stdout: {finished.out}\nstderr: {finished.err}"
    )
    return finished
