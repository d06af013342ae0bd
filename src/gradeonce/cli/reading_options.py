"""How files are to be read: the same options wherever a command reads files."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gradeonce.load import LoadOptions

_OPTIONS = (
    click.option(
        "--source", default="gradeonce", show_default=True, help="Layout of the files; see `gradeonce sources`."
    ),
    click.option("--select", type=click.Path(path_type=Path), help="A mapping of your own: one SELECT over {rows}."),
    click.option(
        "--with", "references", multiple=True, metavar="NAME=FILE", help="A further file that the layout needs."
    ),
    click.option(
        "--on-bad-rows",
        type=click.Choice(["fail", "quarantine"]),
        default="fail",
        show_default=True,
        help="fail: nothing lands. quarantine: good rows land, bad ones are kept with their reasons.",
    ),
    click.option("--timezone", metavar="ZONE", help="Zone of instants without an offset, e.g. America/New_York."),
    click.option("--ignore-extra", is_flag=True, help="Leave unknown columns out instead of refusing the file."),
    click.option(
        "--line-from", type=click.Choice(["lines"]), help="Take the line of predictions without one from lines."
    ),
    click.option(
        "--book", "bookmaker", default="consensus", show_default=True, help="Whose lines: a name or consensus."
    ),
    click.option(
        "--derive-recommendation", is_flag=True, help="Fill an empty recommendation: prediction against line."
    ),
)


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it gets them as one `options: LoadOptions`."""

    @wraps(command)
    def with_options(*arguments: Any, **given: Any) -> None:
        # Any: whatever click hands to the command beside them.
        own = {name: given.pop(name) for name in _NAMES}
        command(*arguments, options=_load_options(**own), **given)

    for option in reversed(_OPTIONS):
        option(with_options)
    return with_options


_NAMES = (
    "source",
    "select",
    "references",
    "on_bad_rows",
    "timezone",
    "ignore_extra",
    "line_from",
    "bookmaker",
    "derive_recommendation",
)


def _load_options(*, references: tuple[str, ...], bookmaker: str, **same: Any) -> LoadOptions:
    from gradeonce.load import LoadOptions

    # Any: each is checked by click, and typed by LoadOptions.
    return LoadOptions(references=_references(references), book=bookmaker, **same)


def _references(given: tuple[str, ...]) -> dict[str, Path]:
    from gradeonce.errors import UsageError

    references = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise UsageError(f"--with {text!r} is not of the form NAME=FILE, e.g. --with players=players.csv.")
        references[name] = Path(path)
    return references
