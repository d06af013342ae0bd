"""The incident at full size, step by step, with time and memory, beside bare SQL for the same steps.

    python benchmarks/incident.py                       # a folder and a PostgreSQL server of its own; some minutes
    python benchmarks/incident.py --keys 50000 --dates 20 --places 5 6 12

Every step is a whole process, as somebody would type it; in brackets its own work, without waiting for others (the
server's work is not in it). Memory is the peak of that process; on a server also the peak
of what the server's processes hold for themselves, read every few milliseconds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from gradeonce.simulation.incident import Incident, simulate_incident  # noqa: E402
from servers import Postgres  # noqa: E402

COMMAND = [str(Path(sys.executable).with_name("gradeonce"))]
LOOK_SECONDS = 0.005


@dataclass(frozen=True)
class Cost:
    """What a process cost: seconds, and of its own work; its peak and the server's in MB (0: none); its output."""

    seconds: float
    work_seconds: float
    megabytes: float
    server_megabytes: float
    output: str


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--keys", type=int, default=494_583)
    options.add_argument("--dates", type=int, default=170)
    options.add_argument("--places", type=int, nargs=3, default=[76, 77, 91], help="dates with copies, by their place")
    given = options.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"DuckDB {metadata.version('duckdb')}"
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gradeonce-incident-")))
        # In a process of its own: what this one once held would count as a peak of every process it starts.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            incident = pool.apply(
                simulate_incident,
                (folder / "incident.parquet",),
                {"keys": given.keys, "dates": given.dates, "places": given.places},
            )
        print(f"{incident.rows:,} rows, {sum(incident.doubled.values())} keys twice: {incident.doubled}\n")
        rows = Replay(folder / "folder", "folder", "", incident, None).run()
        server = stack.enter_context(Postgres())
        rows += Replay(folder / "server", "PostgreSQL", server.url, incident, _postmaster(server)).run()
    _print_table(rows)


class Replay:
    """The incident on one kind of book, and by hand."""

    def __init__(self, folder: Path, name: str, url: str, incident: Incident, postmaster: int | None) -> None:
        folder.mkdir()
        self.folder, self.name, self.url, self.incident, self.postmaster = folder, name, url, incident, postmaster
        book = url or "book"
        (folder / "gradeonce.toml").write_text(f'[warehouse]\nbook = "{book}"\n', encoding="utf-8")
        self.database = url or str(folder / "bare.duckdb")
        self.rows: list[tuple[str, ...]] = []

    def run(self) -> list[tuple[str, ...]]:
        doubled, keys = sum(self.incident.doubled.values()), self.incident.keys
        dump = str(self.incident.path)
        self._ours("init")
        self._step("adopt", ["adopt", dump], ["adopt", dump])
        plan = self._step("plan (find)", ["dedupe", "plan"], ["find"])
        assert plan["rows_deleted"] == doubled, plan
        applied = self._step("apply", ["dedupe", "apply", plan["plan_id"]], ["apply"])
        assert (applied["rows_deleted"], applied["table_rows"]) == (doubled, keys), applied
        verified = self._step("verify", ["dedupe", "verify", plan["plan_id"]], ["verify"])
        assert verified["passed"], verified
        back = self._step("roll back", ["dedupe", "rollback", plan["plan_id"], "--apply"], ["rollback"])
        assert (back["rows_restored"], back["table_rows"]) == (doubled, self.incident.rows), back
        again = self._step("apply again", ["dedupe", "apply", plan["plan_id"]], ["apply"])
        assert again["table_rows"] == keys, again
        proof = self._ours("ledger", "verify", "--deep")
        self.rows.append((self.name, "ledger verify --deep", *_told(proof), "", "", "", ""))
        return self.rows

    def _step(self, name: str, ours: list[str], bare: list[str]) -> Any:
        mine = self._ours(*ours)
        theirs = self._cost([sys.executable, str(HERE / "bare_incident.py"), self.database, *bare])
        ratio = f"{mine.seconds / theirs.seconds:.1f} ({mine.work_seconds / theirs.work_seconds:.1f})"
        self.rows.append((self.name, name, *_told(mine), *_told(theirs), ratio))
        print(f"  {' | '.join(self.rows[-1])}", file=sys.stderr)
        return json.loads(mine.output)

    def _ours(self, *arguments: str) -> Cost:
        return self._cost([*COMMAND, *arguments, "--json"])

    def _cost(self, command: list[str]) -> Cost:
        peak = [0.0]
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(self.postmaster, peak, ended))
        watcher.start()
        started = time.perf_counter()
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(command, cwd=self.folder, stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - started
            ended.set()
            watcher.join()
            out.seek(0)
            output = out.read().decode()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{output}")
        return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, peak[0], output)


def _watch(postmaster: int | None, peak: list[float], ended: threading.Event) -> None:
    while postmaster is not None and not ended.wait(LOOK_SECONDS):
        peak[0] = max(peak[0], sum(_own_megabytes(pid) for pid in _children(postmaster)))


def _postmaster(server: Postgres) -> int:
    """Return the process that is parent to the server's others."""
    import psycopg

    with psycopg.connect(server.url) as connection:
        backend = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert backend is not None
        return _parent(backend[0])


def _parent(pid: int) -> int:
    return int(_status(pid).get("PPid", "0"))


def _children(pid: int) -> list[int]:
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _parent(int(p.name)) == pid]


def _own_megabytes(pid: int) -> float:
    return int(_status(pid).get("RssAnon", "0 kB").split()[0]) / 1024


def _status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        # It has ended since it was listed.
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _told(cost: Cost) -> tuple[str, str]:
    server = f" + {cost.server_megabytes:,.0f}" if cost.server_megabytes else ""
    return f"{cost.seconds:.1f} s ({cost.work_seconds:.1f} s)", f"{cost.megabytes:,.0f}{server} MB"


def _print_table(rows: list[tuple[str, ...]]) -> None:
    header = ("book", "step", "gradeonce", "memory", "bare SQL", "memory", "ratio")
    cells = [(*row, *[""] * (len(header) - len(row)))[: len(header)] for row in rows]
    widths = [max(len(row[i]) for row in [header, *cells]) for i in range(len(header))]
    for row in (header, tuple("-" * width for width in widths), *cells):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")


if __name__ == "__main__":
    main()
