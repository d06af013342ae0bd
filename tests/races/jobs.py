"""What the racing processes do. Each job takes an open book and plain values, and returns plain values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import gradeonce
from alert_builders import problem
from builders import ITEMS, SHELVES, land_actuals, shelf_query
from gradeonce.book import Book
from gradeonce.leases import acquire
from gradeonce.migrate import MigrateOptions
from gradeonce.publish import publish
from gradeonce.schema import ACCURACY, DAILY_PERFORMANCE


class Flag(Protocol):
    """Tells a job that goes on and on to end."""

    def is_set(self) -> bool: ...


def publish_shelf(
    book: Book, on_step: Callable[[str], None], *, day: str, marker: int, run_id: str, items: int = ITEMS
) -> dict[str, Any]:
    """Publish a day of SHELVES, under a lease unless the book's leases are off."""
    leased = book.settings.store != "off"
    with ExitStack() as stack:
        tokens, guard = None, None
        if leased:
            floor = book.warehouse.fences(SHELVES, [day])[day].token
            lease = stack.enter_context(
                acquire(
                    book.leases,
                    f"shelves/{day}",
                    ttl_seconds=book.settings.ttl_seconds,
                    wait_seconds=book.settings.wait_seconds,
                    floor=floor,
                )
            )
            tokens, guard = {day: lease.token}, lease.check
        published = publish(
            book.warehouse,
            SHELVES,
            shelf_query([day], marker, items=items, by=run_id),
            [day],
            run_id=run_id,
            tokens=tokens,
            guard=guard,
            on_step=on_step,
        )[day]
    return {"status": published.status.value, "seq": published.seq, "run_id": run_id}


def publish_shelf_with(
    book: Book, on_step: Callable[[str], None], *, day: str, marker: int, run_id: str, token: int
) -> dict[str, Any]:
    """Publish a day of SHELVES with a token that some lease once gave."""
    query = shelf_query([day], marker, by=run_id)
    done = publish(book.warehouse, SHELVES, query, [day], run_id=run_id, tokens={day: token}, on_step=on_step)[day]
    return {"status": done.status.value, "seq": done.seq}


def grade(book: Book, on_step: Callable[[str], None], *, day: str) -> dict[str, Any]:
    """Grade one date."""
    report = book.grade(day)
    if report.worst_error is not None:
        raise report.worst_error
    run = report.runs[0]
    return {"status": run.status, "run_id": run.run_id, "token": run.token}


def backfill(book: Book, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Grade every date."""
    report = book.grade(all_dates=True)
    if report.worst_error is not None:
        raise report.worst_error
    return {"statuses": [run.status for run in report.runs]}


def grade_over_and_over(book: Book, on_step: Callable[[str], None], *, day: str | None, stop: Flag) -> dict[str, Any]:
    """Grade one date (None: all dates in one backfill) until told to stop, and once more after that."""
    done, ended = 0, False
    while not ended:
        ended = stop.is_set()
        report = book.grade(day) if day else book.grade(all_dates=True)
        if report.worst_error is not None:
            raise report.worst_error
        done += 1
        # A lease is free only for a moment if its holder takes it again at once, and waiters come by at random.
        book.clock.sleep(0.1)
    return {"gradings": done}


def correct_over_and_over(
    book: Book, on_step: Callable[[str], None], *, days: int, players: int, versions: list[int], stop: Flag
) -> dict[str, Any]:
    """Land one correction of every box score after another, each when its predecessor has been graded everywhere."""
    for points in versions:
        before = _published_versions(book)
        land_actuals(book, days, players, points=points, version=points)
        while before & _published_versions(book):
            book.clock.sleep(0.02)
    return {"landed": len(versions)}


def _published_versions(book: Book) -> set[tuple[str, str]]:
    return {(fence.partition, fence.version) for fence in book.warehouse.all_fences(ACCURACY)}


def rest(book: Book, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Do nothing this round."""
    return {}


def look_over_and_over(book: Book, on_step: Callable[[str], None], *, rows: int, stop: Flag) -> dict[str, Any]:
    """Read all the time, and say whenever a partition is not one version, whole."""
    wrong: set[str] = set()
    seen: set[tuple[str, int]] = set()
    looks, ended = 0, False
    while not ended:
        ended = stop.is_set()
        for partition, fence_rows, count, versions, points, strangers, off in book.sql(_LOOK).rows:
            seen.add((partition, int(points or 0)))
            if (count, versions) != (rows, 1):
                wrong.add(f"{partition} showed {count} rows of {versions} versions, not {rows} of 1")
            if fence_rows != count or strangers:
                wrong.add(f"{partition} showed rows of another instant than its fence")
            if off is None or off != 0:
                wrong.add(f"{partition} showed daily sums of another instant than its grades")
        looks += 1
    return {"looks": looks, "wrong": sorted(wrong), "versions": len({points for _, points in seen})}


# Every correction changes every row, so all rows of a version carry the run that the fence names. It also changes the
# sum of their errors, which must be that of the daily table at every instant.
_LOOK = f"""
SELECT f.partition, f.rows, count(a.game_date), count(DISTINCT a.actual_value), max(a.actual_value),
    count(*) FILTER (WHERE a.run_id <> f.version), sum(a.signed_error) - max(d.sum_signed_error)
FROM publish_fences f
LEFT JOIN {ACCURACY.name} a ON CAST(a.game_date AS VARCHAR) = f.partition
LEFT JOIN (
    SELECT CAST(game_date AS VARCHAR) AS partition, sum(sum_signed_error) AS sum_signed_error
    FROM {DAILY_PERFORMANCE.name} GROUP BY game_date
) d ON d.partition = f.partition
WHERE f.table_name = '{ACCURACY.name}' GROUP BY f.partition, f.rows
"""


def land(
    book: Book,
    on_step: Callable[[str], None],
    *,
    days: int,
    players: int,
    first_player: int,
    load_id: str,
    content_id: str,
) -> dict[str, Any]:
    """Land box scores of some players."""
    landed = land_actuals(
        book,
        days,
        players,
        points=11,
        first_player=first_player,
        load_id=load_id,
        content_id=content_id,
        on_step=on_step,
    )
    return {"rows": landed.rows, "known": landed.known, "already": landed.already, "load_id": landed.load_id}


def stage(book: Book, on_step: Callable[[str], None], *, file: str, batch: str, worker: str) -> dict[str, Any]:
    """Stage one file of predictions."""
    report = book.stage_write(file, batch=batch, worker=worker)
    return {"status": report.status, "rows": report.rows}


def stage_files(
    book: Book, on_step: Callable[[str], None], *, files: list[str], batch: str, worker: str
) -> dict[str, Any]:
    """Stage one file of predictions after another."""
    return {"rows": sum(book.stage_write(file, batch=batch, worker=worker).rows for file in files)}


def consolidate(book: Book, on_step: Callable[[str], None], *, batch: str) -> dict[str, Any]:
    """Merge what is staged of a batch."""
    report = book.stage_consolidate(batch)
    return {"status": report.status, "rows": report.rows, "tokens": dict(report.tokens)}


def land_twelve(book: Book, on_step: Callable[[str], None], *, players: int, **values: Any) -> dict[str, Any]:
    """Land a correction to 12 points of some players. Any: what `land_actuals` takes."""
    landed = land_actuals(book, players=players, points=12, version=2, on_step=on_step, **values)
    return {"rows": landed.rows}


def take_turns(book: Book, on_step: Callable[[str], None], *, turns: int, witness: str) -> dict[str, Any]:
    """Hold one lease again and again; the witness is a file that only one process at a time can make."""
    tokens, longest = [], 0.0
    for _ in range(turns):
        started = book.clock.monotonic()
        with acquire(book.leases, "turns", ttl_seconds=60, wait_seconds=300) as lease:
            longest = max(longest, book.clock.monotonic() - started)
            tokens.append(lease.token)
            Path(witness).touch(exist_ok=False)
            Path(witness).unlink()
    return {"tokens": tokens, "longest_wait_seconds": longest}


def make_book(book: Book, on_step: Callable[[str], None], *, folder: str) -> dict[str, Any]:
    """Make a book, or find it made."""
    return {"made": gradeonce.create(folder)}


def tell(book: Book, on_step: Callable[[str], None], *, identities: list[str], scope: list[str]) -> dict[str, Any]:
    """Announce a problem with each of these identities, and that the scope was examined."""
    announced = book.announce([problem(identity=identity) for identity in identities], scope=scope)
    return {
        "opened": [alert.identity for alert in announced.opened],
        "recovered": [alert.identity for alert in announced.recovered],
        "messages": [message.status for message in announced.messages],
    }


def migrate(book: Book, on_step: Callable[[str], None], *, table: str) -> dict[str, Any]:
    """Take over a table of grades."""
    return {"status": book.migrate(table, MigrateOptions(apply=True)).status}


def collect(book: Book, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Remove the files that nobody reads."""
    return {"files": len(book.gc(apply=True).files)}


def dedupe_apply(book: Book, on_step: Callable[[str], None], *, plan_id: str) -> dict[str, Any]:
    """Remove the copies that a plan names."""
    done = book.dedupe_apply(plan_id)
    return {"status": done.status.value, "rows_deleted": done.rows_deleted}


def dedupe_rollback(book: Book, on_step: Callable[[str], None], *, plan_id: str) -> dict[str, Any]:
    """Bring the copies back."""
    return {"rows_restored": book.dedupe_rollback(plan_id).rows_restored}


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "collect": collect,
    "dedupe_apply": dedupe_apply,
    "migrate": migrate,
    "dedupe_rollback": dedupe_rollback,
    "publish_shelf": publish_shelf,
    "publish_shelf_with": publish_shelf_with,
    "grade": grade,
    "backfill": backfill,
    "stage": stage,
    "stage_files": stage_files,
    "consolidate": consolidate,
    "grade_over_and_over": grade_over_and_over,
    "correct_over_and_over": correct_over_and_over,
    "look_over_and_over": look_over_and_over,
    "land": land,
    "land_twelve": land_twelve,
    "make_book": make_book,
    "rest": rest,
    "take_turns": take_turns,
    "tell": tell,
}
ENDLESS = ("grade_over_and_over", "correct_over_and_over", "look_over_and_over")
"""Jobs that are given the flag to stop."""
