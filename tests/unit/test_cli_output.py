"""Tables and reports on stdout, and what is shown of long work."""

import io
import re
import sys
import threading

import pytest

from gradeonce.cli.loading import load_lines
from gradeonce.cli.output import emit_table
from gradeonce.cli.waiting import waiting
from gradeonce.load import LoadReport


def test_piped_table_is_as_wide_as_it_needs(capsys) -> None:
    """One very wide cell must not push its neighbours out of the table."""
    wide = "x" * 1500

    emit_table(["number", "details", "kind"], [(1, wide, "load"), (22, "short", "grade")], right=["number"])

    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["number", "details", "kind"]
    assert first.split() == ["1", wide, "load"]
    assert second.split() == ["22", "short", "grade"]


def test_piped_table_without_rows_shows_its_head(capsys) -> None:
    """An answer without rows still says which columns were asked for."""
    emit_table(["system", "n"], [])

    assert capsys.readouterr().out == "system  n\n"


@pytest.mark.parametrize(("known", "word"), [(0, "nothing landed"), (3, "nothing new")])
def test_load_without_a_row_says_whether_its_rows_stood_already(known: int, word: str) -> None:
    """A file with nothing but a header, or with bad rows only, held nothing that is not new."""
    report = LoadReport("lines", "nothing_new", "l1", ("board.csv",), rows_read=3, known=known)

    assert load_lines(report)[0] == f"lines: {word}; 3 rows read"


class Terminal(io.StringIO):
    """A terminal that tells when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        written = super().write(text)
        self.is_written.set()
        return written


def test_long_work_says_on_a_terminal_what_it_is_and_takes_that_away(monkeypatch) -> None:
    """What and for how long, in one line that is cleared at the end, also when the work fails."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    def work() -> None:
        assert terminal.is_written.wait(30)
        raise KeyError

    with pytest.raises(KeyError), waiting("loading lines from board.csv", after_seconds=0):
        work()

    assert re.search(r"loading lines from board\.csv: \d+ s", terminal.getvalue())
    assert terminal.getvalue().endswith("\r\x1b[2K")


@pytest.mark.parametrize(("stream", "after_seconds"), [(Terminal(), 60), (io.StringIO(), 0)])
def test_short_work_and_pipes_show_nothing(monkeypatch, stream: io.StringIO, after_seconds: float) -> None:
    """A log file is no place for it, and what is over at once needs no word."""
    monkeypatch.setattr(sys, "stderr", stream)

    with waiting("loading lines from board.csv", after_seconds=after_seconds):
        pass

    assert stream.getvalue() == ""
