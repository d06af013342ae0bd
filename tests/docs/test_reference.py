"""The reference is what the code says, and leaves nothing out."""

from __future__ import annotations

import inspect
import subprocess
import sys

import click
import pytest

from docs.pages import DOCS, ROOT
from gradeonce import errors, leases, metrics
from gradeonce.alerts import AlertKind
from gradeonce.alerts.channels.webhook import webhook_payload
from gradeonce.alerts.samples import sample_messages
from gradeonce.checks import built_in_checks
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import COMMANDS, cli
from gradeonce.clock import SystemClock
from gradeonce.config import Settings
from gradeonce.config_text import shown_settings
from gradeonce.loading.contract import KINDS, fields_of
from gradeonce.schema import OUTCOMES, ROW_TABLES
from gradeonce.sources import sources


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_reference_is_up_to_date() -> None:
    """Whoever changes the code runs `python docs/generate`."""
    finished = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate"), "--check"], capture_output=True, encoding="utf-8", check=False
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr


def commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": command.commands[inner] for inner in command.commands}
    return found


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_is_documented(name: str) -> None:
    """Each command has a heading, each option a row with a meaning."""
    page = text_of("reference/cli.md")
    part = page.split(f"# gradeonce {name}\n", 1)[1].split("\n#", 1)[0]

    for option in commands()[name].params:
        if isinstance(option, click.Option):
            assert option.help, f"{option.opts[0]} has no help text"
            assert any(line.startswith(f"| `{option.opts[0]}") for line in part.splitlines())


@pytest.mark.parametrize("name", [name for name, found in commands().items() if not isinstance(found, click.Group)])
def test_every_command_shows_how_it_is_typed(name: str) -> None:
    """Its help holds the command itself, with something that might stand there."""
    assert f"gradeonce {name}" in (commands()[name].help or "")


def test_every_setting_is_documented() -> None:
    """Each key in its section."""
    page = text_of("reference/settings.md")

    assert not [
        s.key for s in shown_settings(Settings()) if f"| `{s.key}` |" not in page and f"## [{s.key}]" not in page
    ]


def test_every_error_is_documented() -> None:
    """Each class has a heading."""
    page = text_of("reference/errors.md")
    ours = [
        name for name, thing in vars(errors).items() if inspect.isclass(thing) and thing.__module__ == errors.__name__
    ]

    assert not [name for name in ours if f"\n## {name}\n" not in page]


def test_every_source_is_documented() -> None:
    """Each source and each layout of it."""
    page = text_of("reference/sources.md")

    assert not [s.name for s in sources() if f"\n## {s.name}\n" not in page]


def test_every_check_is_documented_and_has_its_place_in_the_runbook() -> None:
    """What it is, and what to type."""
    reference, runbook = text_of("reference/checks.md"), text_of("howto/runbook-checks.md")
    names = [check.name for check in built_in_checks()]

    assert len(names) == 15
    assert not [name for name in names if f"[`{name}`]" not in reference]
    assert not [
        name for name in names if "gradeonce" not in runbook.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    ]


def test_every_table_and_column_is_documented() -> None:
    """Tables by heading, columns by row; and what a file may hold."""
    tables, load = text_of("reference/tables.md"), text_of("reference/load-columns.md")

    assert not [c.name for table in ROW_TABLES for c in table.columns if f"| `{c.name}` |" not in tables]
    assert not [name for kind in KINDS for name in fields_of(kind) if f"| `{name}` |" not in load]


def test_every_public_name_is_documented() -> None:
    """Leases and figures name what is public; each has a heading."""
    page = text_of("reference/python-api.md")

    assert not [name for name in (*leases.__all__, *metrics.__all__) if f"\n### {name}\n" not in page]


def test_every_exit_code_is_documented() -> None:
    """Also that of an interruption, which --help does not list."""
    page = text_of("reference/cli.md")

    assert not [code for code in ExitCode if f"| {int(code)} |" not in page and f"{int(code)}:" not in page]


def test_every_kind_of_alert_has_its_entry_in_the_runbook() -> None:
    """By its name, with what it means and what to type; and when it is over, unless it is the end itself."""
    page = text_of("howto/runbook-alerts.md")
    entries = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}

    assert set(entries) == {kind.value for kind in AlertKind}
    for name, entry in entries.items():
        assert "**What it means.**" in entry, name
        assert "**What to type.**" in entry, name
        assert "**It is over**" in entry or name == AlertKind.RECOVERY, name


def test_every_key_of_a_webhook_is_documented() -> None:
    """In the how-to page, with those of the alerts in it."""
    page = text_of("howto/alert-to-slack.md")
    payload = webhook_payload(sample_messages(book="book", now=SystemClock().now())[0])

    assert not [key for key in (*payload, *payload["alerts"][0]) if f"`{key}`" not in page and f"].{key}`" not in page]


def test_every_outcome_and_reason_is_explained() -> None:
    """In the page on the rules."""
    page = text_of("concepts/grading-rules.md")
    reasons = ("dnp_injury_confirmed", "dnp_late_scratch", "dnp_unknown", "game_moved", "player_not_in_box_score")
    reasons += ("market_not_in_box_score", "value_not_in_box_score", "inactive", "invalidated", "line_source_excluded")
    reasons += ("line_excluded", "after_tipoff", "superseded")

    assert not [word for word in (*OUTCOMES, *reasons) if f"`{word}`" not in page]
