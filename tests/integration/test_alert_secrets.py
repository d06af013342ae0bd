"""The address of a channel is seen nowhere: not in what commands print, not in the book, not in what channels say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.command import Command
from builders import land_predictions, new_book, open_book
from receiver import SECRET, Answer, Receiver
from servers import require

PARTS = SECRET.split("/")
DAY = "2026-01-01"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that refuses and says the whole address back."""
    with Receiver() as receiver:
        receiver.answer(Answer(404, f"cannot POST {receiver.url}; team {PARTS[0]}, hook {PARTS[2]} unknown"))
        yield receiver


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command in a folder with a book whose only date cannot be graded: somebody else holds its lease."""
    require("apprise")
    folder = new_book(tmp_path / "book")
    land_predictions(folder, 1, 3)
    with open_book(folder) as book:
        assert book.leases.try_acquire(f"grading/{DAY}", holder="other@box:1:abcdef", ttl_seconds=600, floor=0)
    command = Command(tmp_path)
    (tmp_path / "gradeonce.toml").write_text(
        "[alerts]\nslack = 'env:SLACK_HOOK'\nwebhook = 'file:hook.txt'\nsend_seconds = 20\non_grade = true\n"
        "[lock]\nttl_seconds = 600\nwait_seconds = 0\n"
    )
    return command


def test_no_output_and_no_file_shows_an_address(command: Command, receiver: Receiver) -> None:
    """Every command that alerts, or looks at alerts, with --verbose, while channels fail and say the address back."""
    (command.folder / "hook.txt").write_text(receiver.url + "\n")
    by_apprise = {"GRADEONCE_ALERTS_APPRISE": f"json://127.0.0.1:{receiver.port}/{SECRET}"}
    command.environment["SLACK_HOOK"] = receiver.url

    printed = [
        command("--verbose", "grade", DAY, "--json", code=3),
        command("--verbose", "alerts", "test", "--channel", "apprise", code=1, **by_apprise),
        command("--verbose", "alerts", "retry", code=1),
        command.inside("alerts", "list", "--json"),
        command.inside("alerts", "show", "a"),
        command.inside("config", "show"),
        command.inside("sql", "SELECT * FROM alerts_sent"),
        command.inside("sql", "SELECT * FROM ledger"),
    ]
    shutil.move(command.folder / "hook.txt", command.folder.parent / "hook.txt")

    agents = {request.headers["User-Agent"].partition("/")[0] for request in receiver.requests}
    assert agents == {"gradeonce", "Apprise"}
    for found in printed:
        assert not _seen(found.out + found.err), f"gradeonce {' '.join(found.arguments)}: {found.out}{found.err}"
    for path in command.folder.rglob("*"):
        assert not path.is_file() or not _seen(path.read_bytes().decode("latin-1")), path


def test_the_errors_in_the_book_are_told_without_it(command: Command, receiver: Receiver) -> None:
    """What the channel said is kept, with the address masked."""
    with open_book(command.folder / "book", slack=[receiver.url], ttl_seconds=600) as book:
        book.grade(DAY, alert=True, wait_seconds=0)
        errors = [row[0] for row in book.sql("SELECT error FROM alerts_sent WHERE error IS NOT NULL").rows]

    assert errors == ["The channel answered 404: cannot POST ***; team ***, hook *** unknown."]


def _seen(text: str) -> list[str]:
    return [part for part in PARTS if part in text]
