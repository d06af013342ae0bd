"""Leases beside other people's locks, against real servers, in one run: what they cost, and what they are worth.

    make bench-locks                                    # about four minutes
    python benchmarks/locks.py --rounds 3 --only gradeonce

Three questions, each put to every contender in turn, round after round: a machine that slows down slows all:

1. Alone: how long do acquire and release take?
2. Four processes want one lock, again and again, and hold it for 2 ms: how often is it had in a second, and do they
   get equal shares? Jain's index is 1 for equal shares and 1/4 if one process takes all.
3. The holder is stopped (SIGSTOP) just before it writes, for longer than its lease of a second. Does a rival get in?
   Does the late write stand on top of the rival's, in a place that refuses a token lower than it has seen?
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.metadata
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lock_contenders import CONTENDERS, Places

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import Postgres, Valkey

PROCESSES = 4
HOLD_SECONDS = 0.002
CONTENTION_SECONDS = 3.0
TTL_SECONDS = 60.0
SHORT_TTL_SECONDS = 1.0
RIVAL_SECONDS = 6.0
"""How long the rival may try: a lease of one second has run out several times by then."""

PACKAGES = ("redis", "python-redis-lock", "tooz", "filelock", "psycopg")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5, help="rounds of the first two questions")
    options.add_argument("--cycles", type=int, default=200, help="acquisitions of one contender in one round")
    options.add_argument("--only", default="", help="contenders whose name holds this word")
    options.add_argument("--work", nargs=3, metavar=("ROLE", "CONTENDER", "PLACES"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.work:
        role, name, places = given.work
        work(role, name, Places(**{key: Path(v) if key == "folder" else v for key, v in json.loads(places).items()}))
        return
    names = [name for name in CONTENDERS if given.only in name]
    with tempfile.TemporaryDirectory(prefix="gradeonce-locks-") as folder, Postgres() as postgres, Valkey() as valkey:
        Bench(Places(Path(folder), postgres.url, valkey.url), names, given.rounds, given.cycles).run()


class Bench:
    """All contenders, on the same servers."""

    def __init__(self, places: Places, names: Sequence[str], rounds: int, cycles: int) -> None:
        self.places, self.names, self.rounds, self.cycles = places, names, rounds, cycles

    def run(self) -> None:
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}")
        print(f"{self.rounds} rounds of {self.cycles} acquisitions; load before: {os.getloadavg()[0]:.1f}\n")
        alone, shared = self._alone(), self._shared()
        stopped = {name: self._stopped(name) for name in self.names}
        rows = []
        for name in self.names:
            p50, p99 = (statistics.median(each) * 1000 for each in zip(*alone[name], strict=True))
            rate, equality, longest = (statistics.median(each) for each in zip(*shared[name], strict=True))
            costs = (f"{p50:.2f} ms", f"{p99:.2f} ms", f"{rate:.0f}/s", f"{equality:.2f}", f"{longest:.2f} s")
            rows.append((name, *costs, *stopped[name]))
        head = (
            "lock", "p50", "p99", "four at once", "equal shares", "longest wait",
            "fencing token", "holder stopped: a rival is let in", "its late write",
        )  # fmt: skip
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        for row in (head, tuple("-" * width for width in widths), *rows):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")

    def _alone(self) -> dict[str, list[tuple[float, float]]]:
        """Return p50 and p99 of every round, seconds."""
        holds = {name: CONTENDERS[name](self.places, TTL_SECONDS) for name in self.names}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in self.names}
        for number in range(self.rounds + 1):
            for name, hold in holds.items():
                times = []
                for cycle in range(self.cycles if number else 20):
                    started = time.perf_counter()
                    with hold(f"alone/{cycle % 10}"):
                        pass
                    times.append(time.perf_counter() - started)
                times.sort()
                # The first round makes tables, files and connections.
                if number:
                    found[name].append((times[len(times) // 2], times[int(len(times) * 0.99)]))
            print(f"  alone: round {number} done", file=sys.stderr)
        return found

    def _shared(self) -> dict[str, list[tuple[float, float, float]]]:
        """Return acquisitions per second, Jain's index and the longest wait of every round."""
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in self.names}
        for number in range(self.rounds):
            for name in self.names:
                workers = [self._start("share", name) for _ in range(PROCESSES)]
                for worker in workers:
                    _expect(worker, "ready")
                for worker in workers:
                    _say(worker, "go")
                told = [json.loads(worker.communicate(timeout=300)[0]) for worker in workers]
                counts = [each["count"] for each in told]
                jain = sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts) or 1)
                longest = max(each["longest"] for each in told)
                found[name].append((sum(counts) / CONTENTION_SECONDS, jain, longest))
            print(f"  four at once: round {number + 1} done", file=sys.stderr)
        return found

    def _stopped(self, name: str) -> tuple[str, str, str]:
        """Say whether there is a token, what became of the rival, and of the late write."""
        (self.places.folder / "resource.json").unlink(missing_ok=True)
        holder = self._start("write-late", name)
        token = _expect(holder, "held").partition(" ")[2]
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        rival = self._start("write", name)
        _expect(rival, "ready")
        started = time.monotonic()
        try:
            rival.wait(RIVAL_SECONDS)
            let_in = f"after {time.monotonic() - started:.1f} s"
        except subprocess.TimeoutExpired:
            let_in = f"not within {RIVAL_SECONDS:.0f} s"
        os.kill(holder.pid, signal.SIGCONT)
        accepted = _expect(holder, "write").endswith("accepted")
        holder.communicate(timeout=60)
        rival.communicate(timeout=60)
        if let_in.startswith("not"):
            late = "is not late"
        else:
            late = "overwrites the rival's" if accepted else "is refused"
        print(f"  stopped: {name} done", file=sys.stderr)
        return "no" if token == "None" else "yes", let_in, late

    def _start(self, role: str, name: str) -> subprocess.Popen[str]:
        places = json.dumps({key: str(value) for key, value in vars(self.places).items()})
        return subprocess.Popen(
            [sys.executable, __file__, "--work", role, name, places],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip


def work(role: str, name: str, places: Places) -> None:
    """Be one process of a contest."""
    hold = CONTENDERS[name](places, TTL_SECONDS if role == "share" else SHORT_TTL_SECONDS)
    # Who writes late says next that it holds the lock.
    if role != "write-late":
        print("ready", flush=True)
    if role == "share":
        sys.stdin.readline()
        count, longest, ends_at = 0, 0.0, time.monotonic() + CONTENTION_SECONDS
        while (asked_at := time.monotonic()) < ends_at:
            with hold("shared"):
                longest = max(longest, time.monotonic() - asked_at)
                # What came after the end would be had with fewer rivals.
                count += time.monotonic() < ends_at
                time.sleep(HOLD_SECONDS)
        print(json.dumps({"count": count, "longest": longest}), flush=True)
        return
    with hold("stopped") as token:
        print(f"held {token}", flush=True)
        if role == "write-late":
            # Whatever the lock offers to check has been checked by now.
            os.kill(os.getpid(), signal.SIGSTOP)
        print("write", "accepted" if _write(places.folder / "resource.json", token) else "refused", flush=True)


def _write(resource: Path, token: int | None) -> bool:
    """Write to a resource that refuses a token lower than it has seen. It cannot refuse who has none."""
    with resource.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        seen = json.loads(file.read() or "0")
        if token is not None and token < seen:
            return False
        file.truncate(0)
        file.write(json.dumps(token or 0))
        return True


def _say(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def _expect(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line.startswith(word):
        raise SystemExit(f"{process.args} said {line!r} where {word!r} was expected")
    return line


if __name__ == "__main__":
    main()
