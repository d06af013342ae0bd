"""What a landing may ask for beside its rows, the same on every warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import files_of, ledger_findings, live_files, new_book
from gradeonce.book import Book
from gradeonce.errors import LeaseLost, PublishConflict, ValidationFailed
from gradeonce.model import EntryDraft
from gradeonce.publish import ignore_steps
from gradeonce.schema import Column, ColumnType, Table
from gradeonce.warehouses.landing_terms import APPEND, Emptied, Landed, Latest, Terms
from postgres_book import postgres, schema

__all__ = ["postgres", "schema"]

DAY = "2026-01-01"
NEXT_DAY = "2026-01-02"
READINGS = Table(
    name="readings",
    partition="day",
    stamps=("load_row", "loaded_at"),
    version_of=("meter", "room", "rank"),
    columns=(
        Column("day", ColumnType.DATE, required=True),
        Column("meter", ColumnType.TEXT, required=True),
        Column("room", ColumnType.TEXT),
        Column("rank", ColumnType.INTEGER),
        Column("value", ColumnType.INTEGER),
        Column("load_row", ColumnType.INTEGER, required=True),
        Column("loaded_at", ColumnType.INSTANT, required=True),
    ),
)
LATEST = Latest(key=("meter", "room"), order=("rank", "value"))


@pytest.fixture(params=["embedded", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    settings: dict[str, Any] = {"threads": 1, "minimum_free_megabytes": 1}
    place: str | Path = tmp_path / "book"
    if request.param == "embedded":
        new_book(tmp_path / "book")
    else:
        place, settings["schema"] = request.getfixturevalue("postgres").url, request.getfixturevalue("schema")
    with gradeonce.open(place, **settings) as opened:
        yield opened


Reading = tuple[str, str, str | None, int | None, int]
"""day, meter, room, rank, value."""


def land(book: Book, name: str, rows: Sequence[Reading], terms: Terms = APPEND) -> Landed:
    """Land some readings."""
    at = f"{book.clock.now():%Y-%m-%d %H:%M:%S.%f}"
    with book.warehouse.engine() as engine:
        engine.execute(
            "CREATE TEMP TABLE landing_rows (day DATE, meter VARCHAR, room VARCHAR, rank INTEGER, value INTEGER, "
            "load_row INTEGER, loaded_at TIMESTAMP)"
        )
        numbered = [(*row, number, at) for number, row in enumerate(rows, start=1)]
        engine.executemany("INSERT INTO landing_rows VALUES (?, ?, ?, ?, ?, ?, ?)", numbered)
        return book.warehouse.land(
            engine,
            {"rows": (READINGS, "landing_rows")},
            EntryDraft("load", name, status="loaded", holder="test"),
            content_id=name,
            on_step=ignore_steps,
            terms=terms,
        )


def stands(book: Book) -> list[tuple[Any, ...]]:
    """Return meter, rank and value of what stands."""
    return book.sql("SELECT meter, rank, value FROM readings ORDER BY 1, 2, 3").rows


def reading(
    meter: str = "m", *, day: str = DAY, room: str | None = None, rank: int | None = 1, value: int = 1
) -> Reading:
    return (day, meter, room, rank, value)


def test_a_token_below_the_accepted_one_is_refused(book: Book) -> None:
    """Token 5 stands; 4 is too late, 5 itself may come again. Whoever is refused leaves nothing behind (G3)."""
    land(book, "first", [reading("a")], Terms(tokens={DAY: 5}))
    with pytest.raises(LeaseLost):
        land(book, "late", [reading("b")], Terms(tokens={DAY: 4}))
    land(book, "again", [reading("c")], Terms(tokens={DAY: 5}))

    fence = book.warehouse.fences(READINGS, [DAY])[DAY]
    assert (fence.token, fence.seq, fence.rows) == (5, 2, 2)
    assert [row[0] for row in stands(book)] == ["a", "c"]
    assert book.warehouse.find_load("late") is None
    assert ledger_findings(book.warehouse) == ()
    if book.warehouse.capabilities.local_engine:
        assert files_of(book.settings.book_path) == live_files(book.settings.book_path)


def test_every_fence_with_a_token_moves_on(book: Book) -> None:
    """A date where no row lands sees the token all the same, and one that holds no row yet as well."""
    land(book, "first", [reading("a"), reading("z", day=NEXT_DAY)], Terms(tokens={DAY: 1, NEXT_DAY: 1}))
    landed = land(
        book,
        "second",
        [reading("a"), reading("b", day=NEXT_DAY)],
        Terms(tokens=dict.fromkeys((DAY, NEXT_DAY, "2026-01-03"), 2)),
    )

    fences = book.warehouse.fences(READINGS, [DAY, NEXT_DAY, "2026-01-03"])
    assert (landed.rows, landed.known, landed.partitions) == (1, 1, (NEXT_DAY,))
    assert [(f.token, f.seq, f.rows, f.version) for f in fences.values()] == [
        (2, 2, 1, "first"),
        (2, 2, 2, "second"),
        (2, 1, 0, ""),
    ]
    assert ledger_findings(book.warehouse) == ()


def test_a_landing_without_a_token_keeps_the_one_that_was_accepted(book: Book) -> None:
    """Neither the fence nor the ledger forgets it."""
    land(book, "first", [reading("a")], Terms(tokens={DAY: 5}))
    land(book, "second", [reading("b")])

    assert book.warehouse.fences(READINGS, [DAY])[DAY].token == 5
    assert ledger_findings(book.warehouse) == ()


def test_rows_older_than_what_stands_are_left_out(book: Book) -> None:
    """Rank decides, then value; none is lowest; null parts of the key are equal; another room is another key."""
    land(
        book,
        "first",
        [reading("a", rank=5, value=7), reading("b", rank=None, value=7), reading("c", room="x", rank=5)],
    )

    landed = land(
        book,
        "second",
        [
            reading("a", rank=4, value=9),  # lower rank
            reading("a", rank=5, value=6),  # same rank, lower value
            reading("a", rank=None, value=9),  # no rank
            reading("b", rank=None, value=6),  # both without, lower value
            reading("a", rank=6, value=1),  # lands: higher rank
            reading("b", rank=0, value=1),  # lands: a rank beats none
            reading("c", rank=1),  # lands: another room
            reading("c", room="x", rank=5),  # stands, the very same
        ],
        Terms(latest=LATEST),
    )

    assert (landed.rows, landed.outdated, landed.known) == (3, 4, 1)
    assert stands(book) == [
        *[("a", 5, 7), ("a", 6, 1)],
        *sorted([("b", 0, 1), ("b", None, 7)], key=lambda row: row[1] is None),
        *[("c", 1, 1), ("c", 5, 1)],
    ]


def test_partitions_are_emptied_in_the_commit_that_lands_rows(book: Book) -> None:
    """One moves out while the other comes in; the ledger tells both, and its hashes hold."""
    land(book, "first", [reading("a"), reading("b")])
    seen = book.warehouse.fences(READINGS, [DAY])[DAY]
    emptied = Emptied(READINGS, (seen,), EntryDraft("test", "second", status="emptied"))

    land(book, "second", [reading("c", day=NEXT_DAY)], Terms(emptied=emptied))

    assert [row[0] for row in stands(book)] == ["c"]
    fence = book.warehouse.fences(READINGS, [DAY])[DAY]
    assert (fence.seq, fence.rows, fence.content_hash, fence.version) == (2, 0, "", "second")
    assert ledger_findings(book.warehouse) == ()


def test_a_partition_that_was_moved_is_not_emptied_and_nothing_lands(book: Book) -> None:
    """It was seen at version 1 and stands at version 2: its new row must not go."""
    land(book, "first", [reading("a")])
    seen = book.warehouse.fences(READINGS, [DAY])[DAY]
    land(book, "meanwhile", [reading("b")])
    emptied = Emptied(READINGS, (seen,), EntryDraft("test", "second", status="emptied"))

    with pytest.raises(PublishConflict):
        land(book, "second", [reading("c", day=NEXT_DAY)], Terms(emptied=emptied))
    with pytest.raises(PublishConflict):
        book.warehouse.empty(emptied, on_step=ignore_steps)

    assert [row[0] for row in stands(book)] == ["a", "b"]
    assert book.warehouse.find_load("second") is None
    assert ledger_findings(book.warehouse) == ()


def test_partitions_may_be_emptied_alone(book: Book) -> None:
    """And filled again: the same row is new then."""
    land(book, "first", [reading("a"), reading("b")])
    seen = book.warehouse.fences(READINGS, [DAY])[DAY]
    book.warehouse.empty(Emptied(READINGS, (seen,), EntryDraft("test", "sweep", status="swept")), on_step=ignore_steps)

    assert stands(book) == []
    assert ledger_findings(book.warehouse) == ()
    assert land(book, "again", [reading("a")]).rows == 1
    assert ledger_findings(book.warehouse) == ()


def test_what_the_judge_refuses_does_not_land(book: Book) -> None:
    """The judge is told what would land; when it raises, nothing has happened."""
    told: list[Landed] = []

    def refuse(landed: Landed) -> None:
        told.append(landed)
        raise ValidationFailed("no", failures=["no"])

    land(book, "first", [reading("a")])
    with pytest.raises(ValidationFailed):
        land(book, "second", [reading("a"), reading("b")], Terms(tokens={DAY: 1}, judge=refuse))

    assert [(landed.rows, landed.known) for landed in told] == [(1, 1)]
    assert book.warehouse.fences(READINGS, [DAY])[DAY].token == 0
    assert [row[0] for row in stands(book)] == ["a"]
    if book.warehouse.capabilities.local_engine:
        assert files_of(book.settings.book_path) == live_files(book.settings.book_path)
