"""What staging costs: how long workers that write at once wait for each other, and how long a consolidation takes.

    python benchmarks/staging.py                                    # 8 workers, 4 files of 3,000 rows each
    python benchmarks/staging.py --workers 2 --files 8 --rows 500
    python benchmarks/staging.py --book postgresql://user:password@host/database --schema scratch

A worker waits for others only from the step at which its rows are ready to the one at which its commit has its turn; in
PostgreSQL that is inside the commit, between its rows and the ledger. The rows of neighbours overlap by half.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import gradeonce

HEADER = "system_id,player_lookup,game_id,game_date,predicted_value,line_value,recommendation,created_at"
WAITS = {"seal.staged_predictions": "commit.begun", "commit.pointed": "commit.ledgered"}
"""From the step at which a worker is ready to the one at which it has its turn: in the book, in PostgreSQL."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--workers", type=int, default=8)
    options.add_argument("--files", type=int, default=4, help="files that each worker writes, one after the other")
    options.add_argument("--rows", type=int, default=3000, help="rows of a file")
    options.add_argument("--book", default="", help="where to make the book; default: a scratch folder")
    options.add_argument("--schema", default="staging_bench", help="of a book in PostgreSQL")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="gradeonce-bench-") as name:
        folder = Path(name)
        place: dict[str, Any] = {"path": given.book or str(folder / "book"), "threads": 1}
        if given.book:
            place["schema"] = given.schema
        _make(place)
        for worker in range(given.workers):
            for number in range(given.files):
                _write_file(folder / f"{worker}.{number}.csv", worker, number, given.rows)
        _measure(place, folder, given.workers, given.files, given.rows)


def _make(place: dict[str, Any]) -> None:
    if "schema" not in place:
        gradeonce.create(place["path"])
        return
    from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse

    PostgresWarehouse.create(place["path"], schema=place["schema"])


def _write_file(path: Path, worker: int, number: int, rows: int) -> None:
    first = (worker * rows) // 2
    lines = [
        f"alpha,player{first + row},002250{number:04},2026-01-{number % 28 + 1:02},20,{20 + row % 9}.5,OVER,"
        f"2026-01-{number % 28 + 1:02}T1{worker % 10}:00:00Z"
        for row in range(rows)
    ]
    path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")


def _measure(place: dict[str, Any], folder: Path, workers: int, files: int, rows: int) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    barrier = context.Barrier(workers)
    processes = [
        context.Process(
            target=_work, args=(place, [str(folder / f"{w}.{n}.csv") for n in range(files)], f"w{w}", barrier, answers)
        )
        for w in range(workers)
    ]
    for process in processes:
        process.start()
    found = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    writes = sorted(seconds for answer in found for seconds in answer["writes"])
    waits = sorted(seconds for answer in found for seconds in answer["waits"])
    print(f"{workers} workers at once, {files} files of {rows:,} rows each")
    print(f"  a write:        median {_ms(statistics.median(writes))}, longest {_ms(writes[-1])}")
    print(f"  of it, waiting: median {_ms(statistics.median(waits))}, longest {_ms(waits[-1])}")
    with gradeonce.open(**place) as book:
        started = time.monotonic()
        report = book.stage_consolidate("bench")
        seconds = time.monotonic() - started
        print(f"  consolidation:  {report.staged:,} staged rows, {report.rows:,} merged in {seconds:.2f} s")
        started = time.monotonic()
        book.stage_consolidate("bench")
        print(f"  once more:      {_ms(time.monotonic() - started)}")


def _work(place: dict[str, Any], files: list[str], worker: str, barrier: Barrier, answers: Any) -> None:
    # Any: a queue of plain values.
    reached: list[tuple[str, float]] = []
    with gradeonce.open(**place, on_step=lambda step: reached.append((step, time.monotonic()))) as book:
        # The first write of a process opens what all later ones use.
        book.stage_write(files[0], batch="warm", worker=worker)
        barrier.wait()
        reached.clear()
        writes = []
        for file in files:
            started = time.monotonic()
            book.stage_write(file, batch="bench", worker=worker)
            writes.append(time.monotonic() - started)
    waits = [
        then - now for (step, now), (following, then) in itertools.pairwise(reached) if WAITS.get(step) == following
    ]
    answers.put({"writes": writes, "waits": waits})


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()
