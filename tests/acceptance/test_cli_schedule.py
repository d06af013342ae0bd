"""`gradeonce schedule` and `gradeonce ready` as real processes: stopped in the middle of anything, and the units."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

import gradeonce
from builders import is_running, land_rows, new_book, open_book
from endless import at_work, ended, interrupt, start
from gradeonce.book import Book
from gradeonce.schema import ACCURACY, ACTUALS, ALERTS_SEEN, PREDICTIONS, SCHEDULE_RUNS
from postgres_book import postgres, schema, wait_for_waiters, waiters
from receiver import Receiver
from servers import Postgres

__all__ = ["postgres", "schema"]

DUE_AT = (datetime.now(UTC) - timedelta(minutes=1)).astimezone(ZoneInfo("America/New_York"))
"""When the last morning was due: a minute ago, wherever this runs. Settled once: midnight may pass in mid-test."""

YESTERDAY = DUE_AT.date() - timedelta(days=1)
"""What is graded: the date before the league's."""

PATIENCE_SECONDS = 180.0
STOPPED = "stopped; what was published stands, the next start goes on\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A book with predictions for yesterday whose box scores are not in, and its settings."""
    book = new_book(tmp_path / "book")
    settings = '[warehouse]\nbook = "book"\nminimum_free_megabytes = 1\nthreads = 1\n[schedule]\ncheck_after = false\n'
    (tmp_path / "gradeonce.toml").write_text(f'{settings}at = "{DUE_AT:%H:%M}"\n', encoding="utf-8")
    land_yesterday(book, PREDICTIONS)
    return tmp_path


def land_yesterday(book: Book | Path, kind: Any) -> None:
    values = {"player_lookup": "'ann'", "game_id": "'g'", "market": "'points'", "game_date": f"DATE '{YESTERDAY}'"}
    if kind is PREDICTIONS:
        values |= {
            "prediction_id": "'p'", "system_id": "'s'", "predicted_value": "20", "line_value": "10.5",
            "recommendation": "'OVER'", "is_active": "true", "line_source": "'ACTUAL_PROP'",
        }  # fmt: skip
    else:
        values |= {"actual_value": "11", "is_dnp": "false", "is_final": "true"}
    land_rows(book, kind, values, "range(1) AS a (d)", f"{kind.name} of yesterday")


@contextmanager
def started(folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command; whatever happens, it is gone at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gradeonce", *arguments], cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )  # fmt: skip
    too_late = threading.Timer(2 * PATIENCE_SECONDS, process.kill)
    too_late.start()
    try:
        yield process
    finally:
        too_late.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def finish(folder: Path, *arguments: str) -> tuple[int, str]:
    with started(folder, *arguments) as process:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, out or err


def until(condition: Any) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def mornings(folder: Path) -> list[tuple[str, str]]:
    with open_book(folder / "book") as book:
        return [(row["state"], row["reason"]) for row in book.warehouse.kept(SCHEDULE_RUNS).dicts()]


def held(folder: Path) -> list[str]:
    with open_book(folder / "book") as book:
        return [record.key for record in book.leases.records() if record.released_at is None]


def test_stopped_while_it_waits_for_box_scores(folder: Path) -> None:
    """SIGTERM: exit code 0, no lease left behind; with the box score in, the next start grades at once."""
    with started(folder, "schedule", "run") as process:
        assert process.stdout is not None
        # Its own line, not its record: that one is written a moment before, and a stop in between leaves the line out.
        assert any(line.startswith(f"{YESTERDAY} waits: 0 of 1 games") for line in iter(process.stdout.readline, ""))
        code, _, errors = interrupt(process, signal.SIGTERM)

    assert (code, errors) == (0, STOPPED)
    assert mornings(folder) == [("waiting", "0 of 1 games have a final box score; 1 predictions wait")]
    assert held(folder) == []

    land_yesterday(folder / "book", ACTUALS)
    code, out = finish(folder, "schedule", "run", "--once", "--json")
    document = json.loads(out)
    assert (code, document["state"], document["attempts"]) == (0, "done", 1)
    assert document["dates"] == [{"date": str(YESTERDAY), "status": "published"}]
    code, out = finish(folder, "schedule", "run", "--once")
    assert (code, out.startswith("nothing is due before ")) == (0, True)


def test_stopped_while_the_hook_runs(folder: Path) -> None:
    """The hook and what it started are ended, and the lease is let go."""
    hook = folder / "hook.sh"
    hook.write_text("sleep 600 & echo $! > child; wait\n", encoding="utf-8")
    with (folder / "gradeonce.toml").open("a", encoding="utf-8") as settings:
        settings.write('hook = "sh hook.sh"\n')
    with started(folder, "schedule", "run") as process:
        until(lambda: (folder / "child").is_file() and (folder / "child").read_text(encoding="utf-8").strip())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0
    # It sleeps longer than this waits; it was told to end, and may not have come to it on a busy machine.
    until(lambda: not is_running(int((folder / "child").read_text(encoding="utf-8"))))
    assert held(folder) == []


def test_stopped_while_the_engine_stages_its_grades(folder: Path) -> None:
    """The engine makes an error of its own of it: nobody is told, nothing is recorded, and the next start grades."""
    land_yesterday(folder / "book", ACTUALS)
    with Receiver() as receiver:
        alerted = {"GRADEONCE_ALERTS_SLACK": receiver.url, "GRADEONCE_WAREHOUSE_THREADS": "2"}
        # The second time that rows are staged: the first is a look whether the date is ready.
        with at_work(folder, 2, "schedule", "run", **alerted) as process:
            assert f"grading/{YESTERDAY}" in held(folder)
            code, _, errors = interrupt(process, signal.SIGTERM)

        assert (code, errors) == (0, STOPPED)
        assert receiver.requests == []
    with open_book(folder / "book") as book:
        assert_nothing_happened(book)
    assert (mornings(folder), held(folder)) == ([], [])
    assert finish(folder, "schedule", "run", "--once")[0] == 0
    assert [state for state, _ in mornings(folder)] == ["done"]


def test_stopped_while_the_server_works_for_it(folder: Path, postgres: Postgres, schema: str) -> None:
    """It waits there for a table that somebody has locked: its query is ended, and the next start grades."""
    server = {"GRADEONCE_WAREHOUSE_BOOK": postgres.url, "GRADEONCE_WAREHOUSE_SCHEMA": schema}
    with Receiver() as receiver, gradeonce.open(postgres.url, schema=schema) as book:
        land_yesterday(book, PREDICTIONS)
        land_yesterday(book, ACTUALS)
        with psycopg.connect(postgres.url) as locker:
            locker.execute(f"LOCK TABLE {schema}.{ACCURACY.name} IN ACCESS EXCLUSIVE MODE".encode())
            with started(folder, "schedule", "run", **server, GRADEONCE_ALERTS_SLACK=receiver.url) as process:
                wait_for_waiters(postgres, 1)
                code, _, errors = interrupt(process, signal.SIGTERM)
            assert (code, errors) == (0, STOPPED)
            assert waiters(postgres) == 0
            assert not any(record.is_held for record in book.leases.records())
        assert receiver.requests == []
        assert_nothing_happened(book)
        with started(folder, "schedule", "run", "--once", **server) as process:
            out, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, errors) == (0, "")
        assert out.startswith(f"{YESTERDAY} done: {YESTERDAY} published")


DROPPED = """
import os, signal, sys
from gradeonce.cli.main import main
from gradeonce.schedule.morning import Morning

class Garbage:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

look = Morning._look

def look_and_collect(morning):
    Garbage()
    return look(morning)

Morning._look = look_and_collect
sys.exit(main(["schedule", "run"]))
"""


def test_stopped_where_python_drops_what_the_signal_raises(folder: Path) -> None:
    """It collects garbage just then: the schedule ends where it next waits."""
    with ended(start([sys.executable, "-c", DROPPED], folder, {})) as process:
        out, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0
    assert "Exception ignored" in errors
    assert errors.endswith(STOPPED)
    assert f"{YESTERDAY} waits: 0 of 1 games" in out
    assert held(folder) == []


def assert_nothing_happened(book: Book) -> None:
    """No date was graded, and none has failed."""
    assert {entry.draft.kind for entry in book.warehouse.entries()} == {"load"}
    assert book.sql(f"SELECT count(*) FROM {ACCURACY.name}").rows == [(0,)]
    assert book.warehouse.kept(ALERTS_SEEN).rows == []


def test_stopped_while_nothing_is_due(folder: Path) -> None:
    """Yesterday is graded; it waits for tomorrow, and ends when told to."""
    land_yesterday(folder / "book", ACTUALS)
    with started(folder, "schedule", "run") as process:
        assert process.stdout is not None
        # Its own line, not its record: that one is written a moment before, and a stop in between leaves the line out.
        said = iter(process.stdout.readline, "")
        assert any(line.startswith(f"{YESTERDAY} done: {YESTERDAY} published") for line in said)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0
    assert [state for state, _ in mornings(folder)] == ["done"]


def test_two_processes_do_one_morning_once(folder: Path) -> None:
    """Both at it at once: one grades, the other finds it held or done; the ledger has one grading."""
    land_yesterday(folder / "book", ACTUALS)
    with started(folder, "schedule", "run", "--once") as one, started(folder, "schedule", "run", "--once") as other:
        one.communicate(timeout=PATIENCE_SECONDS)
        other.communicate(timeout=PATIENCE_SECONDS)

    assert sorted([one.returncode, other.returncode]) in ([0, 0], [0, 3])
    with open_book(folder / "book") as book:
        assert book.sql("SELECT count(*) FROM grading_runs").rows == [(1,)]


def test_ready_says_what_a_date_lacks_by_its_exit_code(folder: Path) -> None:
    """1: something is missing; 0: ready; 2: nothing is known of the date."""
    day = str(YESTERDAY)
    code, out = finish(folder, "ready", day)
    assert (code, out) == (1, f"{day}  waiting: 0 of 1 games have a final box score; 1 predictions wait\n")

    land_yesterday(folder / "book", ACTUALS)
    assert finish(folder, "ready", day) == (0, f"{day}  ready: 1 predictions, 1 of 1 games final\n")

    code, out = finish(folder, "ready", "2020-01-01", "--json")
    document = json.loads(out)
    assert (code, document["state"], document["missing"]) == (2, "idle", ["predictions", "box_scores"])


def test_units_are_what_systemd_reads(folder: Path) -> None:
    """systemd itself finds nothing to complain about, and reads the time in the league's zone."""
    code, out = finish(folder, "schedule", "systemd", "--output", "units")
    assert (code, out.count("wrote ")) == (0, 2)
    service = (folder / "units" / "gradeonce-morning.service").read_text(encoding="utf-8")
    assert f"--config {folder / 'gradeonce.toml'} schedule run --once" in service
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    units = sorted(map(str, (folder / "units").iterdir()))
    verified = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    timer = (folder / "units" / "gradeonce-morning.timer").read_text(encoding="utf-8")
    (when,) = [line.partition("=")[2] for line in timer.splitlines() if line.startswith("OnCalendar=")]
    read = subprocess.run([analyze, "calendar", when], capture_output=True, text=True, check=False)
    assert (read.returncode, "America/New_York" in read.stdout) == (0, True)


def test_a_url_is_not_written_into_units(folder: Path) -> None:
    """It may hold a password."""
    code, err = finish(folder, "--book", "postgresql://me:secret@host/db", "schedule", "cron")

    assert code == 64
    assert "secret" not in err
