"""What safety costs: the same job with gradeonce and bare, side by side in one run.

    make bench                                          # 400,000 predictions, about five minutes
    python benchmarks/run.py --predictions 50000 --runs 3

Each pair of whole processes runs in turn (A B A B ...), so a machine that slows down slows down both. The ratio is
taken pair by pair; its median is the figure to quote.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import gradeonce
from gradeonce import rules
from gradeonce.leases import MemoryLeases, SqliteLeases, acquire
from gradeonce.schema import ACCURACY, ACTUALS, INJURIES, PREDICTIONS
from gradeonce.simulation import simulate_season
from gradeonce.warehouses.engine import DUCKDB_TYPES

HERE = Path(__file__).parent
COMMAND = [str(Path(sys.executable).with_name("gradeonce"))]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--predictions", type=int, default=400_000)
    options.add_argument("--runs", type=int, default=7, help="pairs of the short benchmarks; the backfill takes half")
    options.add_argument("--seed", type=int, default=7)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="gradeonce-bench-") as folder:
        Bench(Path(folder), given.predictions, given.runs, given.seed).run()


class Bench:
    """One run of all benchmarks in a scratch folder."""

    def __init__(self, folder: Path, predictions: int, runs: int, seed: int) -> None:
        self.folder, self.predictions, self.runs, self.seed = folder, predictions, runs, seed
        self.rows: list[tuple[str, str, str, str, str]] = []

    def run(self) -> None:
        import duckdb

        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"DuckDB {duckdb.__version__}, {self.predictions:,} simulated predictions, seed {self.seed}\n"
        )
        self._prepare()
        self._one_date()
        self._backfill()
        self._help()
        self._leases()
        header = ("benchmark", "gradeonce", "bare", "ratio (median of pairs)", "target")
        widths = [max(len(row[i]) for row in [header, *self.rows]) for i in range(5)]
        for row in (header, tuple("-" * width for width in widths), *self.rows):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")

    def _prepare(self) -> None:
        """Load the season into a book, and the very same rows into a bare database."""
        season = simulate_season(self.folder / "files", seed=self.seed, predictions=self.predictions)
        self.book = self.folder / "book"
        gradeonce.create(self.book)
        with gradeonce.open(self.book) as book:
            for file in season.files:
                if not file.is_correction:
                    book.load(file.kind, file.path)
            self.days = [date.fromisoformat(f.partition) for f in book.warehouse.all_fences(PREDICTIONS) if f.rows]
            sizes = {f.partition: f.rows for f in book.warehouse.all_fences(PREDICTIONS)}
            self.day = max(self.days, key=lambda day: sizes[day.isoformat()])
            with book.warehouse.engine() as engine:
                for table in (PREDICTIONS, ACTUALS, INJURIES):
                    engine.execute(f"COPY {table.name} TO '{self.folder / table.name}.parquet'")
        self.database = self.folder / "bare.duckdb"
        import duckdb

        with duckdb.connect(str(self.database)) as connection:
            for table in (PREDICTIONS, ACTUALS, INJURIES):
                connection.execute(f"CREATE TABLE {table.name} AS FROM '{self.folder / table.name}.parquet'")
            columns = ", ".join(f"{c.name} {DUCKDB_TYPES[c.type]}" for c in ACCURACY.columns)
            connection.execute(f"CREATE TABLE {ACCURACY.name} ({columns})")
        sql = rules.grading_sql({"predictions": PREDICTIONS.name, "actuals": ACTUALS.name, "injuries": INJURIES.name})
        (self.folder / "grade.sql").write_text(sql, encoding="utf-8")
        self.empty = self.folder / "empty-book"
        shutil.copytree(self.book, self.empty)

    def _bare(self, days: Sequence[date]) -> list[str]:
        params = rules.grading_params(rules.RuleSettings(), list(days), run_id="bare", graded_at=datetime.now(UTC))
        plain = {**params, "dates": [day.isoformat() for day in days], "graded_at": str(params["graded_at"])}
        path = self.folder / f"params-{len(days)}.json"
        path.write_text(json.dumps(plain), encoding="utf-8")
        return [sys.executable, str(HERE / "bare.py"), str(self.database), str(self.folder / "grade.sql"), str(path)]

    def _one_date(self) -> None:
        def fresh() -> None:
            shutil.rmtree(self.book)
            shutil.copytree(self.empty, self.book)

        ours = [*COMMAND, "--book", str(self.book), "grade", self.day.isoformat()]
        self._pair(f"grade one date, whole process ({self.day})", ours, self._bare([self.day]), self.runs, "1.4", fresh)
        fresh()
        subprocess.run([*COMMAND, "--book", str(self.book), "grade", "--all"], check=True, capture_output=True)
        self._pair("grade it again, unchanged", ours, self._bare([self.day]), self.runs, "-", lambda: None)

    def _backfill(self) -> None:
        def fresh() -> None:
            shutil.rmtree(self.book)
            shutil.copytree(self.empty, self.book)

        ours = [*COMMAND, "--book", str(self.book), "grade", "--all"]
        runs = max(3, self.runs // 2)
        self._pair(f"grade all {len(self.days)} dates, whole process", ours, self._bare(self.days), runs, "2", fresh)

    def _help(self) -> None:
        seconds = [_seconds([*COMMAND, "--help"]) for _ in range(self.runs + 1)][1:]
        empty = [_seconds([sys.executable, "-c", "pass"]) for _ in range(self.runs)]
        self._add("gradeonce --help", seconds, empty, "0.15 s")

    def _leases(self) -> None:
        stores = {"SQLite": SqliteLeases(self.folder / "leases.sqlite"), "memory": MemoryLeases()}
        for name, store in stores.items():
            times = []
            for number in range(500):
                started = time.perf_counter()
                with acquire(store, f"bench/{number % 10}", ttl_seconds=60):
                    pass
                times.append(time.perf_counter() - started)
            times.sort()
            p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
            ours = f"p50 {p50 * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms"
            self.rows.append((f"lease acquire + release, {name}", ours, "", "", "p50 2 ms"))
            store.close()

    def _pair(
        self, name: str, ours: list[str], bare: list[str], runs: int, target: str, before: Callable[[], None]
    ) -> None:
        first, second = [], []
        for number in range(runs + 1):
            before()
            seconds = _seconds(ours), _seconds(bare)
            # The first pair warms the page cache up.
            if number:
                first.append(seconds[0])
                second.append(seconds[1])
        self._add(name, first, second, target)

    def _add(self, name: str, ours: list[float], bare: list[float], target: str) -> None:
        ratios = sorted(a / b for a, b in zip(ours, bare, strict=True))
        self.rows.append(
            (
                name,
                f"{statistics.median(ours):.3f} s",
                f"{statistics.median(bare):.3f} s",
                f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                target,
            )
        )
        print(f"  {name}: done", file=sys.stderr)


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    if finished.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{finished.stdout}{finished.stderr}")
    return elapsed


if __name__ == "__main__":
    main()
