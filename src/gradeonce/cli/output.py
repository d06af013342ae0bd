"""What commands print: results to stdout, everything else to stderr; tables for people, JSON for machines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gradeonce.alerts import Announced
    from gradeonce.errors import GradeonceError

SCHEMA_VERSION = 1


def emit_json(document: Any) -> None:
    """Print one JSON document to stdout; nothing else may be printed there."""
    indent = 2 if sys.stdout.isatty() else None
    try:
        text = json.dumps(document, default=_plain, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(document), default=_plain, ensure_ascii=False, indent=indent, allow_nan=False)
    click.echo(text)


def _finite(value: Any) -> Any:
    """Put null where a number is infinite or none: JSON has no word for it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat() + ("" if value.tzinfo else "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def emit_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = (), title: str = ""
) -> None:
    """Print an aligned table to stdout, as wide as it needs when piped."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    table = Table(title=title or None, box=None, pad_edge=False, header_style="bold", title_justify="left")
    for column in columns:
        # On a terminal long texts are broken: cut off, whole columns would vanish beside one that is very wide.
        broken = is_terminal and column not in right
        table.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=not broken,
            overflow="fold" if broken else "ellipsis",
        )
    for row in rows:
        table.add_row(*(Text(cell_text(cell)) for cell in row))
    if is_terminal:
        Console(highlight=False, soft_wrap=False).print(table)
        return
    console = Console(width=_WIDEST, no_color=True)
    needed = console.measure(table).maximum
    with console.capture() as capture:
        console.print(table, width=needed)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())


_WIDEST = 1_000_000
"""Columns of a table that is piped: whatever it needs."""


def cell_text(cell: object) -> str:
    """Return a value as a person reads it: exact decimals without trailing zeros, nothing for null."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell.normalize():f}"
    return str(cell)


def emit_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print CSV to stdout."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[cell_text(cell) for cell in row] for row in rows])


def say(text: str) -> None:
    """Tell the person something that is not the result: to stderr."""
    click.echo(text, err=True)


def say_nothing(done: object) -> None:
    """Stand in for whatever tells of each step: with --json nothing but the one object is printed."""


def tell_error(error: GradeonceError, *, as_json: bool) -> None:
    """Print an error: what happened, what state the data is in, what to type next."""
    if as_json:
        document: Mapping[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "error": {
                "kind": type(error).__name__,
                "message": error.message,
                "state": error.state,
                "hint": error.hint,
                "exit_code": int(error.exit_code),
            },
        }
        emit_json(document)
    click.echo(f"error: {error.message}", err=True)
    if error.state:
        click.echo(f"       {error.state}", err=True)
    if error.hint:
        click.echo(f"  next: {error.hint}", err=True)


def tell_announced(announced: Announced | None) -> None:
    """Say on stderr what channels were told, and which of them did not take it; nothing if there was nothing."""
    if announced is None:
        return
    for word in ("opened", "escalated", "reminded", "recovered"):
        for alert in getattr(announced, word):
            say(f"alert {word}: {alert.title} ({alert.alert_id})")
    for message in announced.failed:
        say(f"alert not taken by {message.channel}, kept for the next time: {message.error}")
    if not announced.is_recorded:
        say("the book is out of reach: the alerts were sent, and could not be remembered")


def number(value: int) -> str:
    """Return a count as people read it: 12,345."""
    return f"{value:,}"


def figure(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Return a figure with its digits, or a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
