"""Cutting many dates into chunks; each is graded in one publish, all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

LONGEST_CHUNK = 366
"""Dates per chunk at most: every date of a chunk holds a lease while the chunk is graded."""

SMALLEST_SHARE = 25_000
"""Predictions below which a chunk is not made smaller to have more of them: each costs some tenths of a second."""


def cut(days: Sequence[date], rows: Mapping[str, int], chunk_rows: int) -> list[list[date]]:
    """Cut dates into chunks of about so many predictions, in their order.

    Args:
        days: The dates, each in `rows`.
        rows: Predictions per date, ISO.
        chunk_rows: Predictions per chunk at most, unless a date alone has more.
    """
    chunks: list[list[date]] = []
    left = list(days)
    while left:
        taken = _first(left, rows, chunk_rows)
        chunks.append(left[:taken])
        left = left[taken:]
    return chunks


def cut_apart(
    days: Sequence[date],
    rows: Mapping[str, int],
    chunk_rows: int,
    linked: Callable[[Sequence[str]], Sequence[str]],
) -> list[list[date]] | None:
    """Cut dates into chunks that can be graded at once, because no lease is needed for two of them.

    Dates that share a game are graded under each other's leases. So a chunk takes with it every date that is linked to
    one of its own, also by way of others: whoever grades it never waits for who grades another.

    Args:
        days: The dates, each in `rows`.
        rows: Predictions per date, ISO.
        chunk_rows: Predictions per chunk, before linked dates are added.
        linked: Returns the dates (ISO, asked for or not) that share a game with these.

    Returns:
        The chunks; None if dates are linked so that one of them would be more than twice as large, or is linked to more
        than twice as many dates as a chunk may have.
    """
    chunks = []
    left = list(days)
    while left:
        chunk = left[: _first(left, rows, chunk_rows)]
        together = {day.isoformat() for day in chunk}
        fresh = sorted(together)
        while fresh:
            fresh = sorted(set(linked(fresh)) - together)
            together.update(fresh)
            chunk = [day for day in left if day.isoformat() in together]
            # Looked at on the way: a chain through all dates of a book, asked for or not, is not followed to its end.
            if len(together) > 2 * LONGEST_CHUNK or (len(chunk) > 1 and not _is_bearable(chunk, rows, chunk_rows)):
                return None
        chunks.append(chunk)
        left = [day for day in left if day.isoformat() not in together]
    return chunks


def _first(days: Sequence[date], rows: Mapping[str, int], chunk_rows: int) -> int:
    """Return how many of these dates, at least one, make the first chunk."""
    size = 0
    for taken, day in enumerate(days):
        size += rows[day.isoformat()]
        if taken and (size > chunk_rows or taken >= LONGEST_CHUNK):
            return taken
    return len(days)


def _is_bearable(chunk: Sequence[date], rows: Mapping[str, int], chunk_rows: int) -> bool:
    return len(chunk) <= LONGEST_CHUNK and sum(rows[day.isoformat()] for day in chunk) <= 2 * chunk_rows
