"""`gradeonce`, `init` and `config`: what a user meets first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gradeonce
from acceptance.command import Command

COMMANDS = (
    *("init", "config", "load", "sources", "grade", "report", "explain", "status", "runs", "revisions", "sql"),
    *("locks", "ledger", "demo"),
)


def test_version_is_that_of_the_package(gradeonce: Command) -> None:
    """`--version` and `python -m gradeonce --version` are the same."""
    assert gradeonce("--version").out == f"gradeonce, version {_version()}\n"


def test_installed_script_is_the_same_command(tmp_path: Path) -> None:
    """The script beside the interpreter does what `python -m gradeonce` does."""
    script = Path(sys.executable).with_name("gradeonce")
    if not script.is_file():
        pytest.skip(f"no script is installed: {script}")

    found = subprocess.run([script, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert found.stdout == f"gradeonce, version {_version()}\n"


def test_help_lists_every_command_and_every_exit_code(gradeonce: Command) -> None:
    """One line a command, one a code."""
    words = [line.split() for line in gradeonce("--help").out.splitlines() if line.startswith("  ")]
    first = {line[0] for line in words if line}

    assert set(COMMANDS) <= first
    assert {"0", "1", "2", "3", "4", "5", "6", "64", "70", "78"} <= first


def test_every_command_has_help(gradeonce: Command) -> None:
    """`COMMAND --help` says how it is used; no book is needed for it."""
    for command in COMMANDS:
        assert gradeonce.inside(command, "--help").out.startswith(f"Usage: gradeonce {command}")


def test_init_makes_a_book_and_a_commented_file(gradeonce: Command) -> None:
    """A folder with a catalog, and settings in which each key is explained."""
    found = gradeonce("init")

    assert found.out.splitlines()[:2] == [
        f"Made the book {gradeonce.folder / 'book'}",
        f"Wrote {gradeonce.folder / 'gradeonce.toml'}",
    ]
    assert (gradeonce.folder / "book" / "catalog.sqlite").is_file()
    text = (gradeonce.folder / "gradeonce.toml").read_text(encoding="utf-8")
    for key in ("ttl_seconds", "wait_seconds", "missing_player", "moved_game_days", "chunk_rows", "timezone"):
        before = text[: text.index(f"{key} =")].splitlines()
        assert before[-2].startswith("# "), key


def test_init_again_changes_nothing_and_says_so(gradeonce: Command) -> None:
    """Settings that were edited and a book with data stay as they are."""
    gradeonce("init")
    file = gradeonce.folder / "gradeonce.toml"
    file.write_text(file.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    before = _snapshot(gradeonce.folder)

    found = gradeonce("init")
    document = gradeonce("init", "--json").json()

    assert found.out.splitlines() == [
        f"Already there, left as it is: the book {gradeonce.folder / 'book'}",
        f"Already there, left as it is: {file}",
    ]
    assert document == {
        "schema_version": 1,
        "book": str(gradeonce.folder / "book"),
        "created": False,
        "config": str(file),
        "dates_summed": 0,
        "wrote_config": False,
        "missing": [],
    }
    assert _snapshot(gradeonce.folder) == before


def test_init_in_a_folder_of_ones_own(gradeonce: Command) -> None:
    """The name goes into the settings, so that later commands find the book, from folders below too."""
    gradeonce("init", "season")
    below = gradeonce.folder / "deep" / "below"
    below.mkdir(parents=True)

    found = Command(below)("status")

    assert found.out == "no dates: nothing was loaded yet\n"
    assert (gradeonce.folder / "season" / "catalog.sqlite").is_file()


@pytest.mark.parametrize("name", ["taken", "taken/book"])
def test_init_where_a_file_is_in_the_way_is_no_bug_of_ours(gradeonce: Command, name: str) -> None:
    """It says why there can be no folder; nothing is made, not even the file of settings."""
    gradeonce.write("taken", "a file\n")

    found = gradeonce("init", name, code=78)

    assert f"{name}: no folder can be made there (" in found.err
    assert "next: Name another folder for the book." in found.err
    assert [path.name for path in gradeonce.folder.iterdir()] == ["taken"]


def test_config_show_tells_where_each_value_comes_from(book: Command) -> None:
    """Defaults < file < environment < flags."""
    file = book.folder / "gradeonce.toml"
    file.write_text('[warehouse]\nbook = "book"\nthreads = 2\n\n[lock]\nttl_seconds = 30\nwait_seconds = 5\n')
    environment = {"GRADEONCE_LOCK_WAIT_SECONDS": "7.5", "GRADEONCE_WAREHOUSE_BOOK": "elsewhere"}

    shown = book("--book", "flagged", "config", "show", "--json", **environment).json()
    settings = {f"{row['section']}.{row['key']}": (row["value"], row["origin"]) for row in shown["settings"]}

    assert settings["lock.on_unavailable"] == ('"fence"', "default")
    assert settings["warehouse.threads"] == ("2", str(file))
    assert settings["lock.ttl_seconds"] == ("30.0", str(file))
    assert settings["lock.wait_seconds"] == ("7.5", "GRADEONCE_LOCK_WAIT_SECONDS")
    assert settings["warehouse.book"][1] == "flag"
    table = book("config", "show", **environment).out
    assert "[lock] wait_seconds" in table
    assert "GRADEONCE_LOCK_WAIT_SECONDS" in table


def test_config_show_masks_secrets(book: Command) -> None:
    """The password of an address is never printed."""
    address = "postgresql://grader:hunter2@db.example/props"

    for arguments in (("config", "show"), ("config", "show", "--json")):
        found = book(*arguments, GRADEONCE_WAREHOUSE_BOOK=address)
        assert "hunter2" not in found.out + found.err
        assert "postgresql://grader:***@db.example/props" in found.out


WRONG = [
    (
        "[lock]\nttl_second = 30\n",
        "unknown key 'ttl_second' in [lock]; expected one of store, ttl_seconds, wait_seconds, on_unavailable. "
        "Did you mean 'ttl_seconds'?",
    ),
    (
        "[locks]\nttl_seconds = 30\n",
        "unknown section [locks]; expected one of [warehouse], [league], [lock], ",
    ),
    ('[lock]\nttl_seconds = "long"\n', "[lock] ttl_seconds is 'long'; expected a number above 0."),
    ("[lock]\nttl_seconds = 0\n", "[lock] ttl_seconds is 0; expected a number above 0."),
    ('[lock]\non_unavailable = "hope"\n', "[lock] on_unavailable is 'hope'; expected one of 'fence', 'fail'."),
    (
        '[league]\ntimezone = "Mars/Olympus"\n',
        "[league] timezone is 'Mars/Olympus'; expected a time zone such as America/New_York.",
    ),
    ("[warehouse\n", "not valid TOML"),
    ('[tables]\ngrades = "mine"\n', "[tables] grades is not a table; expected one of "),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_setting_names_file_key_and_what_was_expected(book: Command, text: str, message: str) -> None:
    """Exit code 78, nothing touched."""
    file = book.write("gradeonce.toml", text)

    found = book.inside("status", code=78)

    assert found.out == ""
    assert found.err.startswith(f"error: {file}: ")
    assert message in found.err
    assert "Nothing was changed." in found.err


def test_wrong_environment_variable_is_named(book: Command) -> None:
    """The variable stands where the file's name would."""
    found = book("status", code=78, GRADEONCE_LOCK_TTL_SECONDS="soon")

    assert found.err.startswith("error: GRADEONCE_LOCK_TTL_SECONDS is 'soon'; expected a number above 0.\n")


def test_missing_book_names_the_command_that_makes_one(gradeonce: Command) -> None:
    """Wrong settings, with a way out."""
    found = gradeonce("status", code=78)

    assert found.err.splitlines() == [
        f"error: {gradeonce.folder / 'book'} holds no book.",
        "       Nothing was changed.",
        "  next: Make one with `gradeonce init`, or name the folder of one with --book.",
    ]


@pytest.mark.parametrize(
    "arguments", [("frobnicate",), ("grade", "--sideways"), ("load", "nonsense", "x.csv"), ("load",)]
)
def test_wrong_usage_exits_64(book: Command, arguments: tuple[str, ...]) -> None:
    """Unknown commands, options and choices; nothing on stdout."""
    found = book(*arguments, code=64)

    assert found.out == ""
    assert "Error: " in found.err


def _version() -> str:
    return gradeonce.__version__


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
