"""What every page must keep: links that lead somewhere, commands that exist, nothing of this machine."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from docs.pages import PAGES, ROOT, WRITTEN, Page
from gradeonce.cli.main import cli

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"\bgradeonce((?: [\w-]+)+)")


def anchors(page: Page) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    found: set[str] = set()
    for heading in _HEADING.findall(page.prose):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Page) -> None:
    """To a file of the checkout and a heading that is there."""
    known = {other.name: other for other in PAGES}
    wrong = []
    for link in _LINK.findall(page.prose):
        target, _, anchor = link.partition("#")
        path = (ROOT / page.name).parent / target if target else ROOT / page.name
        if not path.exists():
            wrong.append(f"{link}: no such file")
        elif anchor:
            name = path.resolve().relative_to(ROOT).as_posix()
            if name not in known or anchor not in anchors(known[name]):
                wrong.append(f"{link}: no such heading")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_machine(page: Page) -> None:
    """Absolute paths of a home, of temporary folders or of where this was written mean nothing to a reader."""
    found = re.findall(r"(?:/(?:home|root|tmp|Users|work)/|localhost:|127\.0\.0\.1)\S*", page.text)

    assert not found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_host(page: Page) -> None:
    """The pages stand by themselves, and packages come from wherever pip is told to find them."""
    assert not re.findall(r"https?://\S+|\bpypi\b", page.text, flags=re.IGNORECASE)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_named_commands_and_options_exist(page: Page) -> None:
    """Also where a command is only mentioned, in a sentence or in a crontab."""
    wrong = []
    mentioned = re.findall(r"`(gradeonce [^`]+)`", page.prose)
    mentioned += [line for block in page.blocks for line in block.text.splitlines() if "gradeonce " in line]
    for text in mentioned:
        for match in _COMMAND.finditer(text):
            command = _find(match[1].split())
            if command is None:
                continue
            known = {name for part in (command, cli) for option in part.params for name in option.opts}
            options = re.findall(r"(?<![\w-])--[a-z][\w-]*", text[match.start() :].split(" | ")[0])
            wrong += [f"{text}: no option {name}" for name in options if name not in known | {"--help", "--version"}]
    assert not wrong, "\n".join(wrong)


def _find(words: list[str]) -> click.Command | None:
    context, command = click.Context(cli), None
    first = cli.get_command(context, words[0])
    assert first is not None or words[0] not in ("check", "serve", "torture"), f"{words[0]} is not there yet"
    command = first
    if isinstance(first, click.Group) and len(words) > 1:
        command = first.get_command(context, words[1])
        assert command is not None, f"gradeonce {' '.join(words[:2])} is no command"
    return command


def test_every_page_is_reached_from_the_readme() -> None:
    """A page that nothing links to is not found."""
    known = {page.name: page for page in PAGES}
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for link in _LINK.findall(known[name].prose):
            target = link.partition("#")[0]
            if not target:
                continue
            path = ((ROOT / name).parent / target).resolve()
            if path.is_relative_to(ROOT) and path.relative_to(ROOT).as_posix() in known:
                waiting.append(path.relative_to(ROOT).as_posix())
    assert set(known) - reached == set()


def test_docs_folder_holds_the_four_kinds() -> None:
    """Tutorial, how-to, concepts, reference."""
    names = {Path(page.name).parent.as_posix() for page in PAGES}

    assert {"docs/howto", "docs/concepts", "docs/reference"} <= names
    assert "docs/tutorial.md" in {page.name for page in PAGES}
