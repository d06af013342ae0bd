"""Scenarios that run against the fenced and the unfenced build alike, and say what they saw go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builders import ITEMS, SHELVES, days_of, duplicate_keys, ledger_findings, open_book
from gradeonce.book import Book
from races.crew import Crew, Stand


def first_writes(crew: Crew, folder: Path, *, rounds: int, store: str, fenced: bool) -> list[str]:
    """Let all processes write each of `rounds` empty partitions first, at once. Return what went wrong.

    Without leases all of them stand at the same base before the first of them may go on: the worst order there is.
    """
    days = [day.isoformat() for day in days_of(rounds)]
    wrong = []
    crew.stand_at(_stand(folder, store, fenced))
    for day in days:
        jobs = [
            ("publish_shelf", {"day": day, "marker": 1, "run_id": f"{day}-{worker}"}) for worker in range(crew.size)
        ]
        wrong += _errors(crew.round(jobs))
    with open_book(folder) as book:
        wrong += _shelf_violations(book, days, commits=crew.size)
        published = book.sql("SELECT partition, count(*) FROM ledger WHERE status = 'published' GROUP BY ALL").rows
        wrong += [f"{day} was published {count} times, with the same content" for day, count in published if count > 1]
    return wrong


def filled_writes(crew: Crew, folder: Path, *, rounds: int, store: str, fenced: bool) -> list[str]:
    """Let all processes replace one filled partition at once, each by rows of its own. Return what went wrong."""
    day = days_of(1)[0].isoformat()
    wrong: list[str] = []
    crew.stand_at(_stand(folder, store, fenced))
    for number in range(rounds):
        jobs = [
            ("publish_shelf", {"day": day, "marker": number * crew.size + worker, "run_id": f"{number}-{worker}"})
            for worker in range(crew.size)
        ]
        wrong += _errors(crew.round(jobs))
    with open_book(folder) as book:
        wrong += _shelf_violations(book, [day], commits=rounds * crew.size)
        wrong += _revision_violations(book, commits=rounds * crew.size)
    return wrong


def overlapping_loads(crew: Crew, folder: Path, *, rounds: int, fenced: bool) -> list[str]:
    """Let all processes land different loads at once whose rows overlap by half. Return what went wrong."""
    wrong: list[str] = []
    crew.stand_at(Stand(folder, fenced, meet_at="land.staged"))
    for number in range(rounds):
        jobs = [
            (
                "land",
                {
                    "days": 1,
                    "players": 10,
                    "first_player": number * 1000 + 5 * worker,
                    "load_id": f"load-{number}-{worker}",
                    "content_id": f"content-{number}-{worker}",
                },
            )
            for worker in range(crew.size)
        ]
        wrong += _errors(crew.round(jobs))
    expected = rounds * 5 * (crew.size + 1)
    with open_book(folder) as book:
        sql = "SELECT count(*), count(DISTINCT player_lookup) FROM player_game_actuals"
        rows, players = book.sql(sql).rows[0]
        if rows != players:
            wrong.append(f"{rows - players} rows landed twice")
        if players != expected:
            wrong.append(f"{players} of {expected} players landed")
        return wrong + list(ledger_findings(book.warehouse))


def _stand(folder: Path, store: str, fenced: bool) -> Stand:
    # Under a lease only one of them is past the staging, so they could never meet there.
    meet_at = "publish.staged" if store == "off" else ""
    return Stand(folder, fenced, meet_at, {"store": store, "ttl_seconds": 60.0, "wait_seconds": 120.0})


def _errors(results: list[dict[str, Any]]) -> list[str]:
    return [f"{result['error']}: {result['message']}" for result in results if "error" in result]


def _shelf_violations(book: Book, days: list[str], *, commits: int) -> list[str]:
    wrong = list(ledger_findings(book.warehouse))
    if duplicates := duplicate_keys(book, SHELVES):
        wrong.append(f"{duplicates} keys stand more than once")
    sql = f"SELECT CAST(day AS VARCHAR), count(*), count(DISTINCT marker) FROM {SHELVES.name} GROUP BY ALL"
    stands = {day: (rows, markers) for day, rows, markers in book.sql(sql).rows}
    wrong += [f"{day} holds {stands.get(day)}, not one whole version" for day in days if stands.get(day) != (ITEMS, 1)]
    for day in days:
        seqs = [entry.draft.seq for entry in book.warehouse.entries() if entry.draft.partition == day]
        if seqs != list(range(1, commits + 1)):
            wrong.append(f"{day} has the versions {seqs} in the ledger, not 1 to {commits}, each once")
    runs = {entry.draft.run_id for entry in book.warehouse.entries()}
    if len(runs) != commits * len(days):
        wrong.append(f"{len(runs)} of {commits * len(days)} runs are in the ledger")
    return wrong


def _revision_violations(book: Book, *, commits: int) -> list[str]:
    sql = """
        SELECT CAST(old_json ->> '$.marker' AS INTEGER), CAST(new_json ->> '$.marker' AS INTEGER), count(*)
        FROM grade_revisions WHERE change = 'changed' GROUP BY ALL
    """
    edges = book.sql(sql).rows
    wrong = [f"the step {old} -> {new} changed {rows} rows, not {ITEMS}" for old, new, rows in edges if rows != ITEMS]
    steps = {old: new for old, new, _ in edges}
    if len(steps) != len(edges):
        wrong.append("two revisions start from the same version: one of them was lost")
    # From the version that nobody's revision leads to, each step must lead to the next, and the last one stands.
    starts = set(steps) - set(steps.values())
    if len(starts) != 1:
        return [*wrong, f"the revisions fall into {len(starts)} chains"]
    marker, length = starts.pop(), 0
    while marker in steps and length <= commits:
        marker, length = steps[marker], length + 1
    if length != commits - 1:
        wrong.append(f"the chain of revisions has {length} steps, not {commits - 1}")
    standing = book.sql(f"SELECT any_value(marker) FROM {SHELVES.name}").rows[0][0]
    if standing != marker:
        wrong.append(f"the chain of revisions ends at {marker}, but {standing} stands")
    return wrong
