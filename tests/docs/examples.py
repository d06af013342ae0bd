"""Running the examples of a page in a folder, and comparing what they print with what the page says."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from docs.pages import Page
from gradeonce.cli.main import run

SHOWN_HOME = "~/season"
"""What the pages call the folder they work in."""

_MASKS = [
    (re.compile(r"\b[glwcs]\d{8}T\d{6}[0-9a-f]{8}(-[0-9a-f]{8})?\b"), "<run>"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "<hash>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?"), "<instant>"),
    (re.compile(r"\b\w+@[\w.-]+:\d+:[0-9a-f]{6}"), "<holder>"),
    (re.compile(r"\(\d+\.\d s\)"), "<seconds>"),
    (re.compile(r'"(\w+_seconds)": [\d.e-]+'), r'"\1": <seconds>'),
]


@dataclass(frozen=True)
class Example:
    """One command or Python block, and what the page says that it prints.

    Attributes:
        where: page:line.
        code: What is run.
        expected: What it prints; None: the page does not say.
        is_python: Whether it is Python.
        code_is_shown: Whether the next command asks for the exit code, so that any code will do.
    """

    where: str
    code: str
    expected: str | None
    is_python: bool = False
    code_is_shown: bool = False


class Runner:
    """Runs examples one after the other, with one Python namespace, in the current folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, object] = {"__name__": "__main__"}
        self.last_code = 0

    def page(self, page: Page) -> list[str]:
        """Save the page's files, run its examples, and return what is wrong, one text each."""
        wrong = []
        self.save_files(page)
        for example in examples(page):
            printed = self.run(example)
            if self.last_code and not example.code_is_shown:
                wrong.append(f"{example.where}: {example.code}\nexit code {self.last_code}\n{printed}")
            elif example.expected is not None and not same(printed, example.expected):
                wrong.append(f"{example.where}: {example.code}\n--- printed\n{printed}\n--- shown\n{example.expected}")
        return wrong

    def save_files(self, page: Page) -> None:
        """Save every block that the reader is told to save."""
        for block in page.blocks:
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")

    def run(self, example: Example) -> str:
        """Run one example and return what it printed, stdout and stderr as they came."""
        if example.code == "echo $?":
            printed, self.last_code = f"{self.last_code}\n", 0
        elif example.is_python:
            printed = self._python(example)
        elif example.code.startswith("gradeonce ") and not re.search(r"[|<>&;`]|\$\(", _unquoted(example.code)):
            printed = self._ours(shlex.split(example.code)[1:])
        else:
            printed = self._shell(example.code)
        return printed.replace(str(self.folder), SHOWN_HOME)

    def _ours(self, arguments: list[str]) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            self.last_code = run(arguments)
        return out.getvalue()

    def _shell(self, command: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        finished = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        self.last_code = finished.returncode
        return finished.stdout

    def _python(self, example: Example) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            exec(compile(example.code, example.where, "exec"), self.names)
        self.last_code = 0
        return out.getvalue()


def examples(page: Page) -> list[Example]:
    """Return the examples of a page in order: ```console lines after `$ `, and ```python blocks."""
    found: list[Example] = []
    for block in page.blocks:
        where = f"{block.page}:{block.line}"
        if block.language == "python" and not block.file:
            found.append(Example(where, block.text, None, is_python=True))
        elif block.language == "text output" and found:
            last = found.pop()
            found.append(Example(last.where, last.code, block.text, is_python=last.is_python))
        elif block.language == "console":
            found += _console(where, block.text)
    return [_with_code(example, found[place : place + 2]) for place, example in enumerate(found)]


def _with_code(example: Example, pair: list[Example]) -> Example:
    shown = len(pair) == 2 and pair[1].code == "echo $?"
    return Example(example.where, example.code, example.expected, example.is_python, shown)


def _console(where: str, text: str) -> list[Example]:
    found: list[Example] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        while command.endswith("\\"):
            more, _, printed = printed.partition("\n")
            command = command[:-1].rstrip() + " " + more.strip()
        found.append(Example(where, command, printed if printed.strip() else None))
    return found


def same(printed: str, shown: str) -> bool:
    """Whether both are the same but for spaces, run ids, hashes, instants and seconds; `...` stands for anything."""
    pattern = re.escape(_plain(shown)).replace(re.escape("..."), "(?:.|\n)*?")
    return re.fullmatch(pattern, _plain(printed)) is not None


def _plain(text: str) -> str:
    for mask, put in _MASKS:
        text = mask.sub(put, text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _unquoted(command: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
