"""Dates are cut into chunks by their rows, and apart where some are to be graded at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pytest

from gradeonce.chunks import LONGEST_CHUNK, cut, cut_apart

FIRST = date(2026, 1, 1)


def days_of(count: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(count)]


def sizes(days: Sequence[date], rows: int = 10) -> dict[str, int]:
    return {day.isoformat(): rows for day in days}


def links(*pairs: tuple[int, int]) -> Callable[[Sequence[str]], list[str]]:
    """Return what says which dates are linked; pairs are days after the first."""
    near: dict[str, set[str]] = {}
    for pair in pairs:
        one, other = ((FIRST + timedelta(days=number)).isoformat() for number in pair)
        near.setdefault(one, set()).add(other)
        near.setdefault(other, set()).add(one)
    return lambda partitions: sorted({linked for p in partitions for linked in near.get(p, ())} - set(partitions))


def numbers(chunks: Sequence[Sequence[date]] | None) -> list[list[int]] | None:
    return None if chunks is None else [[(day - FIRST).days for day in chunk] for chunk in chunks]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([10, 10, 10], [[0, 1, 2]]),
        ([10, 10, 11], [[0, 1], [2]]),
        ([40, 10, 40], [[0], [1], [2]]),
        ([], []),
    ],
)
def test_chunks_hold_so_many_rows_or_one_date(rows: list[int], expected: list[list[int]]) -> None:
    """30 rows fit; a date with more stands alone."""
    days = days_of(len(rows))
    by_day = {day.isoformat(): n for day, n in zip(days, rows, strict=True)}

    assert numbers(cut(days, by_day, 30)) == expected
    assert numbers(cut_apart(days, by_day, 30, links())) == expected


def test_a_chunk_holds_a_lease_on_a_year_of_dates_at_most() -> None:
    """However few rows they have."""
    days = days_of(LONGEST_CHUNK + 2)

    assert [len(chunk) for chunk in cut(days, sizes(days, 1), 10_000)] == [LONGEST_CHUNK, 2]


def test_linked_dates_are_in_one_chunk() -> None:
    """Day 0 shares a game with day 4: it is graded with the first chunk, and the others close up."""
    days = days_of(6)

    assert numbers(cut_apart(days, sizes(days), 20, links((0, 4)))) == [[0, 1, 4], [2, 3], [5]]


def test_dates_linked_by_way_of_one_that_is_not_asked_for_are_in_one_chunk() -> None:
    """Both would take the lease of day 9."""
    days = days_of(4)

    assert numbers(cut_apart(days, sizes(days), 20, links((0, 9), (9, 3)))) == [[0, 1, 3], [2]]


def test_dates_linked_in_one_long_chain_are_not_cut_apart() -> None:
    """A chunk of all of them would be more than twice as large as asked for."""
    days = days_of(5)

    assert cut_apart(days, sizes(days), 20, links((0, 1), (1, 2), (2, 3), (3, 4))) is None
    assert numbers(cut_apart(days[:4], sizes(days), 20, links((0, 1), (1, 2), (2, 3)))) == [[0, 1, 2, 3]]


@pytest.mark.parametrize("asked", [3, 2000])
def test_a_chain_through_all_dates_of_a_book_is_not_followed_to_its_end(asked: int) -> None:
    """2,000 dates, each linked to the next, whether few of them are to be graded or all: each step costs a query."""
    days, steps = days_of(asked), []
    chained = links(*((number, number + 1) for number in range(2000)))

    def linked(partitions: Sequence[str]) -> list[str]:
        steps.append(partitions)
        return chained(partitions)

    assert cut_apart(days, sizes(days), 20, linked) is None
    assert len(steps) <= {3: 2 * LONGEST_CHUNK, 2000: 3}[asked]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_linked_every_date_is_in_one_chunk_and_no_link_leads_to_another(seed: int) -> None:
    """Random links over 40 dates."""
    chance = random.Random(seed)
    days = days_of(40)
    pairs = [(chance.randrange(40), chance.randrange(60)) for _ in range(chance.randrange(12))]

    chunks = cut_apart(days, sizes(days), 60, linked := links(*pairs))

    assert chunks is not None
    assert sorted(day for chunk in chunks for day in chunk) == days
    needed = [{d.isoformat() for d in chunk} | set(linked([d.isoformat() for d in chunk])) for chunk in chunks]
    assert sum(len(leases) for leases in needed) == len(set().union(*needed))
