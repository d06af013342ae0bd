"""Aligned tables and the numbers in them. Only this module knows rich, and only when a table is made."""

from __future__ import annotations

import io
from collections.abc import Sequence

from gradeonce.metrics import Score

_GAP = 2
_NARROWEST_NAME = 12


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, left: Sequence[int] = (0,)) -> str:
    """Return an aligned table without lines or colour.

    Args:
        head: Column headings.
        rows: Cells as they are shown.
        width: Columns of the terminal. Names are broken to fit; numbers never are, so they may run over it.
        left: Positions of columns with text, aligned left; the others hold numbers.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    needed = 0
    for position, name in enumerate(head):
        is_text = position in left
        table.add_column(
            Text(name),
            justify="left" if is_text else "right",
            no_wrap=not is_text,
            overflow="fold",
        )
        needed += _GAP + (_NARROWEST_NAME if is_text else max(len(name), *(len(row[position]) for row in rows), 0))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(file=io.StringIO(), width=max(width, needed), color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").splitlines())


def decimals(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Return a figure with that many digits; a dash for no data."""
    if value is None:
        return "-"
    return f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}"


def percent(value: float | None, *, sign: bool = False) -> str:
    """Return a share of 1 in percent; a dash for no data."""
    if value is None:
        return "-"
    return f"{100 * value:+.1f} %" if sign else f"{100 * value:.1f} %"


def rate(score: Score) -> str:
    """Return a rate with its interval, e.g. `52.4 % (51.1-53.7)`."""
    if score.value is None or score.low is None or score.high is None:
        return "no data"
    return f"{100 * score.value:.1f} % ({100 * score.low:.1f}-{100 * score.high:.1f})"
