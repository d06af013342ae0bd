"""Giving predictions their line from the lines that were loaded, and the recommendation that follows from it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradeonce.errors import UsageError
from gradeonce.statements import statement
from gradeonce.warehouses.engine import run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CONSENSUS = "consensus"
"""What stands for all books together."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Attached:
    """What came of it.

    Attributes:
        filled: Predictions that got a line.
        without: Predictions that still have none.
    """

    filled: int
    without: int


def attach_lines(engine: DuckDBPyConnection, relation: str, lines_relation: str, *, book: str) -> Attached:
    """Fill line, bookmaker and prices of the predictions that have no line.

    A line is matched on player and market, and on the game's date (or its id, if the game moved to another date); of
    two players of one name each gets the lines of his own game, where ids name the teams. Of a book the last line
    counts that was seen at or before the prediction was made (else before tip-off, else the last).
    Several lines of a book in one reading are alternates: the one whose two prices are closest to even is taken, of
    equals the one in the middle; without prices the last one. For `consensus` that is done for each book; then the
    median of their lines is moved to the nearest line that one of them offers, of two the lower, and the prices are the
    median ones among the books that offer it.

    Args:
        engine: Where both relations are.
        relation: Predictions, a view as `read_rows` makes it; it is replaced.
        lines_relation: Lines with the columns of their table.
        book: A bookmaker, in any case and punctuation, or `consensus`.

    Raises:
        UsageError: If no line of that bookmaker was loaded; it names those that were.
    """
    key = _book_key(book)
    known = [row[0] for row in run(engine, _sql("books", lines=lines_relation)).fetchall()]
    if key != CONSENSUS and key not in {_book_key(name) for name in known}:
        there = f"Loaded: {', '.join(known)}, or {CONSENSUS} for all of them." if known else "Load lines first."
        raise UsageError(f"No line of {book!r} is loaded.", hint=there)
    over, under = "line.over_price", "line.under_price"
    attached = f"{relation}_with_lines_{next(_numbers)}"
    run(
        engine,
        _sql(
            "attach",
            attached=attached,
            predictions=relation,
            lines=lines_relation,
            teams=_sql("teams"),
            any_book=str(key == CONSENSUS).lower(),
            book_key="regexp_replace(lower(line.bookmaker), '[^a-z0-9_]', '', 'g')",
            bookmaker=f"'{CONSENSUS}'" if key == CONSENSUS else "any_value(bookmaker)",
            implied_over=_sql("implied", price=over),
            implied_under=_sql("implied", price=under),
            over_payout=_sql("payout", price="over_price"),
            under_payout=_sql("payout", price="under_price"),
        ),
        {"book": key},
    )
    counts = run(engine, _sql("attached_counts", predictions=relation, attached=attached)).fetchone()
    run(engine, _sql("put_in_place", predictions=relation, made=attached))
    filled, without = counts or (0, 0)
    return Attached(filled, without)


def derive_recommendation(engine: DuckDBPyConnection, relation: str) -> None:
    """Give predictions without a recommendation the one that follows from their line; the view is replaced.

    Above the line is OVER, below it UNDER, on it PASS, without a line NO_LINE. What a file said stays.
    """
    recommended = f"{relation}_recommended_{next(_numbers)}"
    run(engine, _sql("recommend", recommended=recommended, predictions=relation))
    run(engine, _sql("put_in_place", predictions=relation, made=recommended))


def _book_key(name: str) -> str:
    return re.sub("[^a-z0-9_]", "", name.lower())


def _sql(name: str, /, **slots: str) -> str:
    return statement("gradeonce.loading", "lines.sql", name, **slots)
