"""What safety costs on PostgreSQL: publishing with gradeonce, and bare DELETE and INSERT, side by side in one run.

    python benchmarks/postgres.py                                    # 400,000 predictions, about ten minutes
    python benchmarks/postgres.py --predictions 50000 --runs 5 --url postgresql://user@host/scratch_database

Without a URL it starts a server of its own from the packages of `pip install -e '.[dev]'`. The bare script is one
transaction: the same grading SELECT, over the same inputs limited to the same dates, into a table with the same columns
and the same unique index; `synchronous_commit` and `fsync` are on for both. It has no lease, no fence, no validation,
no comparison, no daily sums, no revisions and no ledger. It runs twice: as it comes, and with the planner settings that
we found for this SELECT (joins by hash, no JIT, 64 MB of working memory), which leaves only the price of safety.

They run in turn (A B C A B C ...), within one process, so that none pays for starting Python. Beside the seconds on the
clock stands the processor time of client and server together, which other work on the machine does not lengthen. Ratios
are taken round by round; their medians are the figures to quote.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg

import gradeonce
from gradeonce import rules
from gradeonce.schema import ACCURACY, ACTUALS, DAILY_PERFORMANCE, INJURIES, PREDICTIONS, REVISIONS
from gradeonce.simulation import simulate_season
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.postgres.connection import JOIN_BY_HASH, _bound
from gradeonce.warehouses.postgres.rows import partition_list
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse

SCHEMA = "gradeonce_bench"
TARGET = f"{SCHEMA}.bare_accuracy"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--predictions", type=int, default=400_000)
    options.add_argument("--runs", type=int, default=9, help="rounds of one date; the backfill takes a third")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--url", help="a scratch database; default: a server of its own")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="gradeonce-bench-") as folder, _server(given.url) as url:
        Bench(url, Path(folder), given.predictions, given.runs, given.seed).run()


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from servers import Postgres

    # Like a server in use: what is committed is on disk.
    with Postgres(settings=("fsync=on", "shared_buffers=128MB")) as server:
        yield server.url


class Bench:
    """One run of all benchmarks in a schema of its own."""

    def __init__(self, url: str, folder: Path, predictions: int, runs: int, seed: int) -> None:
        self.url, self.folder, self.predictions, self.runs, self.seed = url, folder, predictions, runs, seed
        self.rows: list[tuple[str, ...]] = []

    def run(self) -> None:
        with psycopg.connect(
            self.url, autocommit=True, prepare_threshold=None, cursor_factory=psycopg.ClientCursor
        ) as bare:
            self.connection = bare
            self.server = psutil.Process(bare.info.backend_pid).parent() if self._is_local(bare) else None
            self._execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            version = bare.info.server_version // 10000
            print(
                f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
                f"PostgreSQL {version}, {self.predictions:,} simulated predictions, seed {self.seed}\n"
            )
            try:
                self._prepare()
                with gradeonce.open(self.url, schema=SCHEMA) as leased, self._open_unleased() as unleased:
                    self._one_date(leased, unleased)
                    self._backfill(leased)
            finally:
                self._execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        header = (
            *("benchmark", "gradeonce", "bare, as it comes", "bare, our settings"),
            *("to as it comes: clock", "processor", "to our settings: clock", "processor"),
        )
        widths = [max(len(row[i]) for row in [header, *self.rows]) for i in range(len(header))]
        for row in (header, tuple("-" * width for width in widths), *self.rows):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")

    def _is_local(self, connection: psycopg.Connection[Any]) -> bool:
        # Any: rows of any kind.
        pid = connection.info.backend_pid
        return bool(psutil.pid_exists(pid) and psutil.Process(pid).name().startswith("postgres"))

    def _open_unleased(self) -> gradeonce.Book:
        return gradeonce.open(self.url, schema=SCHEMA, store="off")

    def _execute(self, sql: str, values: Any = None) -> None:
        # Any: whatever the driver can bind.
        self.connection.execute(sql.encode() if values is None else sql, values)

    def _prepare(self) -> None:
        """Load the season, and make a target for the bare script beside ours."""
        PostgresWarehouse.create(self.url, schema=SCHEMA)
        season = simulate_season(self.folder, seed=self.seed, predictions=self.predictions)
        with self._open_unleased() as book:
            for file in season.files:
                if not file.is_correction:
                    book.load(file.kind, file.path)
            sizes = {f.partition: f.rows for f in book.warehouse.all_fences(PREDICTIONS) if f.rows}
        self.days = [date.fromisoformat(partition) for partition in sizes]
        self.day = max(self.days, key=lambda day: sizes[day.isoformat()])
        key = ", ".join(quote_identifier(name) for name in (ACCURACY.partition, *ACCURACY.key))
        self._execute(f"CREATE TABLE {TARGET} (LIKE {SCHEMA}.{ACCURACY.name})")
        self._execute(f"CREATE UNIQUE INDEX ON {TARGET} ({key}) NULLS NOT DISTINCT")
        self._execute("VACUUM ANALYZE")
        print("  loaded", file=sys.stderr)

    def _grade(self, book: gradeonce.Book, day: date | None) -> None:
        report = book.grade(day) if day else book.grade(all_dates=True)
        if report.worst_error:
            raise report.worst_error

    def _bare(self, days: Sequence[date], *, tuned: bool) -> None:
        near = sorted({day + timedelta(days=offset) for day in days for offset in (-1, 0, 1)})
        scopes = ", ".join(
            f"{table.name} AS NOT MATERIALIZED (SELECT * FROM {SCHEMA}.{table.name} WHERE {table.partition} = "
            f"ANY({partition_list(table, [day.isoformat() for day in among])}))"
            for table, among in ((PREDICTIONS, days), (ACTUALS, near), (INJURIES, near))
        )
        select = rules.grading_sql(
            {"predictions": PREDICTIONS.name, "actuals": ACTUALS.name, "injuries": INJURIES.name}
        )
        params = rules.grading_params(rules.RuleSettings(), list(days), run_id="bare", graded_at=datetime.now(UTC))
        columns = ", ".join(ACCURACY.column_names)
        self._execute("BEGIN")
        if tuned:
            for setting in ("jit TO off", "work_mem TO '64MB'", *JOIN_BY_HASH):
                self._execute(f"SET LOCAL {setting}")
        self._execute(f"DELETE FROM {TARGET} WHERE game_date = ANY(%s)", (list(days),))
        self._execute(
            *_bound(f"INSERT INTO {TARGET} ({columns}) WITH {scopes} SELECT * FROM ({select}) AS answer", params)
        )
        self._execute("COMMIT")

    def _empty(self) -> None:
        names = (ACCURACY.name, REVISIONS.name, DAILY_PERFORMANCE.name)
        self._execute(f"TRUNCATE {TARGET}, {', '.join(f'{SCHEMA}.{name}' for name in names)}")
        self._execute(f"DELETE FROM {SCHEMA}.publish_fences WHERE table_name = ANY(%s)", (list(names),))

    def _correct(self) -> None:
        """Change one box score in ten of the date, behind the load's back: both see the same."""
        self._execute(
            f"UPDATE {SCHEMA}.{ACTUALS.name} SET actual_value = actual_value + 1 WHERE game_date = %s "
            "AND hashtext(player_lookup) %% 10 = 0",
            (self.day,),
        )

    def _one_date(self, leased: gradeonce.Book, unleased: gradeonce.Book) -> None:
        def publish() -> None:
            self._grade(unleased, self.day)

        def publish_leased() -> None:
            self._grade(leased, self.day)

        one = [self.day]
        self._compare(f"publish one date, first time ({self.day})", publish, one, self.runs, self._empty)
        self._compare("the same under a lease", publish_leased, one, self.runs, self._empty)
        self._empty()
        publish()
        self._compare("publish it again, one grade in ten corrected", publish, one, self.runs, self._correct)
        self._compare("publish it again, unchanged", publish, one, self.runs, lambda: None)

    def _backfill(self, leased: gradeonce.Book) -> None:
        name = f"publish all {len(self.days)} dates under their leases"
        runs = max(2, self.runs // 3)
        self._compare(name, lambda: self._grade(leased, None), self.days, runs, self._empty)

    def _compare(
        self, name: str, ours: Callable[[], None], days: Sequence[date], runs: int, before: Callable[[], None]
    ) -> None:
        taken = []
        for number in range(runs + 1):
            before()
            sides = (
                self._taken(ours),
                self._taken(lambda: self._bare(days, tuned=False)),
                self._taken(lambda: self._bare(days, tuned=True)),
            )
            # The first round warms caches and connections up.
            if number:
                taken.append(sides)
        seconds = [f"{statistics.median(sides[side][0] for sides in taken):.3f} s" for side in range(3)]
        ratios = []
        for side in (1, 2):
            for kind in (0, 1):
                found = sorted(sides[0][kind] / sides[side][kind] for sides in taken)
                ratios.append(f"{statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})")
        self.rows.append((name, *seconds, *ratios))
        print(f"  {name}: done", file=sys.stderr)

    def _taken(self, work: Callable[[], None]) -> tuple[float, float]:
        """Return the seconds that work took on the clock, and those of the processors for us and for the server."""
        clock, processor = time.perf_counter(), self._processor_seconds()
        work()
        return time.perf_counter() - clock, self._processor_seconds() - processor

    def _processor_seconds(self) -> float:
        total: float = time.process_time()
        if self.server is None:
            return total
        # Parallel workers that have ended are in the sums of their parent.
        ended = self.server.cpu_times()
        total += ended.children_user + ended.children_system
        for process in self.server.children():
            # Whoever works on his own account (vacuum, checkpoints) is not counted, for either side.
            command = " ".join(process.cmdline())
            if "127.0.0.1" in command or "[local]" in command or "parallel worker" in command:
                total += int(Path(f"/proc/{process.pid}/schedstat").read_text(encoding="utf-8").split()[0]) / 1e9
        return total


if __name__ == "__main__":
    main()
