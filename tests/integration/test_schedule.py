"""Mornings with a fake clock: on time, made up for, waited for, late, and each once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import gradeonce
from builders import (
    is_running,
    land_actuals,
    land_predictions,
    land_rows,
    land_season,
    ledger_findings,
    new_book,
    open_book,
    sums_off,
)
from gradeonce.alerts import addresses
from gradeonce.book import Book
from gradeonce.clock import FakeClock
from gradeonce.errors import (
    RefusedForSafety,
    TransientAlertError,
    TransientWarehouseError,
    ValidationFailed,
    WarehouseError,
)
from gradeonce.leases import acquire
from gradeonce.readiness import Missing, ReadyState
from gradeonce.schedule import Scheduler, SlotState
from gradeonce.schedule.hook import call_hook
from gradeonce.schedule.morning import is_over
from gradeonce.schema import ACTUALS, PREDICTIONS, SCHEDULE_RUNS
from gradeonce.warehouses.interrupts import Terminated
from postgres_book import postgres, schema

__all__ = ["postgres", "schema"]

DAY = "2026-01-01"
# The morning of January 2, 06:00 in New York.
DUE = datetime(2026, 1, 2, 11, tzinfo=UTC)
said: list[str] = []


class Waiter:
    """Lets the fake clock run while somebody waits, and tells him to stop at an instant."""

    def __init__(self, clock: FakeClock, stop_at: datetime, then: Callable[[], None] = lambda: None) -> None:
        self.clock, self.stop_at, self.then = clock, stop_at, then
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.clock.advance(seconds)
        self.then()
        return self.clock.now() >= self.stop_at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_book(tmp_path / "book")


def scheduler(folder: Path, clock: FakeClock, wait: Waiter | None = None, **settings: Any) -> Scheduler:
    """Make a scheduler over a book in a folder. Any: settings."""
    given = {"check_after": False, "ttl_seconds": 1e6, **settings}

    def opened() -> Book:
        return open_book(folder, clock=clock, **given)

    with opened() as book:
        found = book.settings
    return Scheduler(
        found, opened, clock, wait=wait or Waiter(clock, clock.now() + timedelta(days=1)), tell=said.append
    )


def runs(folder: Path) -> list[dict[str, Any]]:
    with open_book(folder) as book:
        return book.warehouse.kept(SCHEDULE_RUNS).dicts()


@pytest.mark.parametrize(
    ("start", "mornings"),
    [
        ("2026-01-15T20:00", ["2026-01-16T11:00", "2026-01-17T11:00"]),
        ("2026-03-07T20:00", ["2026-03-08T10:00", "2026-03-09T10:00"]),
        ("2026-10-31T20:00", ["2026-11-01T11:00", "2026-11-02T11:00"]),
    ],
    ids=["january", "clocks forward", "clocks back"],
)
def test_mornings_begin_at_six_where_the_league_plays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, start: str, mornings: list[str]
) -> None:
    """After one that was due before the start: each of the next two to the second, once."""
    monkeypatch.setattr("gradeonce.schedule.scheduler.LOOK_SECONDS", 3600.0)
    clock = FakeClock(datetime.fromisoformat(start).replace(tzinfo=UTC))
    scheduler(folder, clock, Waiter(clock, clock.now() + timedelta(hours=46))).run()

    began = [row["started_at"].isoformat(timespec="minutes") for row in runs(folder)]
    assert began == [start, *mornings]
    assert [row["state"] for row in runs(folder)] == ["done"] * 3


def test_a_morning_that_was_missed_is_made_up_for_and_several_are_one(folder: Path) -> None:
    """Nobody ran for three mornings: one run grades the three dates that are open; the next finds nothing due."""
    land_season(folder, 3, 4)
    clock = FakeClock(datetime(2026, 1, 4, 20, tzinfo=UTC))

    outcome = scheduler(folder, clock).once()

    assert outcome is not None
    assert (outcome.state, outcome.attempts) == (SlotState.DONE, 1)
    assert outcome.dates == tuple((f"2026-01-0{day}", "published") for day in (1, 2, 3))
    assert scheduler(folder, clock).once() is None
    assert [row["slot"] for row in runs(folder)] == ["2026-01-04"]


def test_a_date_that_is_not_ready_waits_longer_each_time_and_is_graded_when_it_is(folder: Path) -> None:
    """10, 20, 40, then 60 minutes: the box scores come in during the fourth wait."""
    land_predictions(folder, 1, 4)
    clock = FakeClock(DUE)

    def arrive() -> None:
        if len(wait.waits) == 4:
            land_actuals(folder, 1, 4, points=11)

    wait = Waiter(clock, DUE + timedelta(days=1), arrive)
    outcome = scheduler(folder, clock, wait).once()

    assert wait.waits == [600.0, 1200.0, 2400.0, 3600.0]
    assert outcome is not None
    assert (outcome.state, outcome.attempts, outcome.dates) == (SlotState.DONE, 5, ((DAY, "published"),))
    (row,) = runs(folder)
    assert (row["state"], row["attempts"], row["reason"]) == ("done", 5, None)


def test_at_the_deadline_a_date_is_graded_as_far_as_it_goes_and_alerted(folder: Path) -> None:
    """One of two games is in: its picks are graded, an alert stands; the last one comes, and the alert is over."""
    land_predictions(folder, 1, 4)
    land_actuals(folder, 1, 4, points=11)
    other_game(folder)
    clock = FakeClock(DUE)
    wait = Waiter(clock, DUE + timedelta(days=1))

    outcome = scheduler(folder, clock, wait).once()

    assert outcome is not None
    assert (outcome.state, outcome.dates) == (SlotState.LATE, ((DAY, "published"),))
    assert outcome.reason == "1 of 2 games have a final box score; 1 predictions wait"
    assert sum(wait.waits) == 6 * 3600
    assert open_alerts(folder) == [("not_ready", f"schedule/{DAY}")]

    finish_other_game(folder)
    clock.advance(86400)
    scheduler(folder, clock).once()
    assert open_alerts(folder) == []


def test_what_comes_in_between_the_last_look_and_the_grading_is_not_late(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the deadline, the last box score comes after the look: all is graded, and nobody is alerted."""
    land_predictions(folder, 1, 4)
    land_actuals(folder, 1, 4, points=11)
    other_game(folder)
    ready = Book.ready

    # Any: a Readiness.
    def look_and_then(book: Book, day: Any) -> Any:
        found = ready(book, day)
        finish_other_game(folder)
        return found

    monkeypatch.setattr(Book, "ready", look_and_then)
    outcome = scheduler(folder, FakeClock(DUE + timedelta(hours=7))).once()

    assert outcome is not None
    assert (outcome.state, outcome.reason, outcome.dates) == (SlotState.DONE, "", ((DAY, "published"),))
    assert open_alerts(folder) == []


def test_a_morning_that_was_done_by_who_took_it_over_stays_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our lease runs out while we look; whoever took over has done it before we can write that we wait."""
    land_predictions(folder, 1, 4)
    clock = FakeClock(DUE)
    done = {"slot": "2026-01-02", "due_at": DUE, "state": "done", "game_date": DUE.date(), "attempts": 1,
            "holder": "successor", "started_at": DUE, "updated_at": DUE}  # fmt: skip
    ready = Book.ready

    # Any: a Readiness.
    def overtaken(book: Book, day: Any) -> Any:
        found = ready(book, day)
        clock.advance(120)
        book.warehouse.keep(SCHEDULE_RUNS, [done])
        return found

    monkeypatch.setattr(Book, "ready", overtaken)
    outcome = scheduler(folder, clock, ttl_seconds=60.0).once()

    assert outcome is not None
    assert outcome.state is SlotState.ELSEWHERE
    assert [(row["state"], row["holder"]) for row in runs(folder)] == [("done", "successor")]


def other_game(folder: Path) -> None:
    """Predict one player of a game that has no box score."""
    values = {
        "prediction_id": "'late'", "system_id": "'system0'", "player_lookup": "'late'", "game_id": "'game-late'",
        "game_date": f"DATE '{DAY}'", "market": "'points'", "predicted_value": "20", "line_value": "10.5",
        "recommendation": "'OVER'", "is_active": "true", "line_source": "'ACTUAL_PROP'",
    }  # fmt: skip
    land_rows(folder, PREDICTIONS, values, "range(1) AS a (d)", "late")


def finish_other_game(folder: Path) -> None:
    """Bring its box score in."""
    values = {
        "player_lookup": "'late'", "game_id": "'game-late'", "game_date": f"DATE '{DAY}'", "market": "'points'",
        "actual_value": "11", "is_dnp": "false", "is_final": "true",
    }  # fmt: skip
    land_rows(folder, ACTUALS, values, "range(1) AS a (d)", "late box score")


def open_alerts(folder: Path) -> list[tuple[str, str]]:
    with open_book(folder) as book:
        return [(alert.kind.value, alert.identity) for alert in book.alerts() if alert.is_open]


def test_a_day_off_waits_for_nobody(folder: Path) -> None:
    """Neither predictions nor box scores: nothing to grade, and nothing to wait for."""
    wait = Waiter(FakeClock(DUE), DUE)
    outcome = scheduler(folder, wait.clock, wait).once()

    assert outcome is not None
    assert (outcome.state, outcome.dates, wait.waits) == (SlotState.DONE, ((DAY, "nothing_to_grade"),), [])


def test_the_hook_is_told_what_is_missing_and_fetches_it(folder: Path, tmp_path: Path) -> None:
    """A command that writes down what it is told; what it brings is graded without a wait."""
    land_predictions(folder, 1, 4)
    told = tmp_path / "told"
    script = tmp_path / "fetch.sh"
    script.write_text(
        f'cat > {told}.json; echo "$GRADEONCE_DATE $GRADEONCE_MISSING $GRADEONCE_ATTEMPT" > {told}\n', encoding="utf-8"
    )
    clock = FakeClock(DUE)
    wait = Waiter(clock, DUE + timedelta(days=1), lambda: None)
    outcome = scheduler(folder, clock, wait, hook=f"sh {script}", deadline_hours=0.1).once()

    assert outcome is not None
    assert told.read_text(encoding="utf-8") == f"{DAY} box_scores {outcome.attempts}\n"
    document = json.loads(Path(f"{told}.json").read_text(encoding="utf-8"))
    assert (document["date"], document["missing"]) == (DAY, ["box_scores"])
    assert document["reason"] == "0 of 1 games have a final box score; 4 predictions wait"


@pytest.mark.parametrize(
    ("hook", "problem"),
    [
        ("sh -c 'echo no box scores today >&2; exit 3'", "exit code 3: no box scores today"),
        ("/not/there", "'/not/there' cannot be started: No such file or directory"),
        ("sh -c 'kill -9 $$'", "signal 9: it said nothing"),
        (
            "env:NO_SUCH_HOOK",
            "The variable NO_SUCH_HOOK, which holds an address, is not set or is empty.",
        ),
        ("sh -c 'unfinished", "the command cannot be read: No closing quotation"),
    ],
)
def test_a_hook_that_fails_is_alerted_and_the_morning_goes_on(folder: Path, hook: str, problem: str) -> None:
    """Never swallowed, never in the way: the date is graded as far as it goes; a hook that works again is told too."""
    land_predictions(folder, 1, 4)
    clock = FakeClock(DUE)
    outcome = scheduler(folder, clock, hook=hook, deadline_hours=0.1).once()

    assert outcome is not None
    assert outcome.state is SlotState.LATE
    assert ("not_ready", "schedule/hook") in open_alerts(folder)
    with open_book(folder) as book:
        (alert,) = (alert for alert in book.alerts() if alert.identity == "schedule/hook")
    assert problem.rstrip(".").lower() in alert.what.lower()

    clock.advance(86400)
    scheduler(folder, clock, hook="true", deadline_hours=0.1).once()
    assert ("not_ready", "schedule/hook") not in open_alerts(folder)


def test_a_hook_whose_address_is_out_of_reach_is_alerted_and_the_morning_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place that keeps it does not answer: as with any hook that fails, the date is graded as far as it goes."""

    def unreachable(reference: str) -> str:
        raise TransientAlertError(f"{reference} is out of reach.")

    monkeypatch.setattr(addresses, "_resolvers", {"secret+vault": (unreachable, None)})
    land_predictions(folder, 1, 4)

    outcome = scheduler(folder, FakeClock(DUE), hook="secret+vault://fetch", deadline_hours=0.1).once()

    assert outcome is not None
    assert (outcome.state, outcome.error) == (SlotState.LATE, None)
    assert ("not_ready", "schedule/hook") in open_alerts(folder)


def test_alerting_that_breaks_is_not_in_the_way_of_a_morning(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours in telling: the date is graded and recorded, and the fault is in the log."""

    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("a fault of ours")

    land_season(folder, 1, 4)
    monkeypatch.setattr(Book, "announce", broken)

    outcome = scheduler(folder, FakeClock(DUE)).once()

    assert outcome is not None
    assert (outcome.state, outcome.dates) == (SlotState.DONE, ((DAY, "published"),))
    assert [row["state"] for row in runs(folder)] == ["done"]
    assert "alerting_failed" in caplog.text
    assert "a fault of ours" in caplog.text


def test_a_hook_that_takes_too_long_is_ended_with_all_it_started(folder: Path, tmp_path: Path) -> None:
    """The command's own child does not outlive it."""
    alive = tmp_path / "alive"
    alive.touch()
    land_predictions(folder, 1, 4)
    hook = f"sh -c 'while [ -e {alive} ]; do sleep 0.05; done & echo $! > {tmp_path}/pid; wait'"
    with open_book(folder, hook=hook, hook_seconds=2.0) as book:
        result = call_hook(book.settings, book.ready(DAY), attempt=1)

    assert result.problem == "it took longer than 2 s and was ended"
    child = int((tmp_path / "pid").read_text(encoding="utf-8"))
    # It would go on for ever; what was killed may not have come to its end on a busy machine.
    gives_up_at = time.monotonic() + 60
    while is_running(child):
        assert time.monotonic() < gives_up_at, "the command's child outlives it"
        time.sleep(0.02)


def test_a_stop_that_comes_while_the_hook_is_being_started_ends_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command runs already when SIGTERM comes, but whoever starts it does not have it in his hands yet."""
    started: list[int] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self.pid)
            os.kill(os.getpid(), signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    land_predictions(folder, 1, 4)
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with open_book(folder, hook="sleep 600", hook_seconds=300.0) as book, pytest.raises(Terminated):
            call_hook(book.settings, book.ready(DAY), attempt=1)
    finally:
        signal.signal(signal.SIGTERM, before)
        still_there = [process for process in started if is_running(process)]
        for process in still_there:
            os.kill(process, signal.SIGKILL)

    assert len(started) == 1
    assert still_there == []


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    """A web server that keeps what it is sent, and answers with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.seen.append((self.path, json.loads(body)))  # type: ignore[attr-defined]
            self.send_response(self.server.status)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.status = [], 204  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_gets_the_same_by_post(folder: Path, receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by a variable, so that it need not stand in the settings; any other status than 2xx is a failure."""
    land_predictions(folder, 1, 4)
    monkeypatch.setenv("FETCH_URL", f"http://127.0.0.1:{receiver.server_port}/fetch?key=secret")
    with open_book(folder, hook="env:FETCH_URL") as book:
        readiness = book.ready(DAY)
        assert call_hook(book.settings, readiness, attempt=2).ok
        receiver.status = 503
        failed = call_hook(book.settings, readiness, attempt=3)
    assert (failed.ok, failed.problem) == (False, "it answered with status 503")
    path, document = receiver.seen[0]
    assert path == "/fetch?key=secret"
    assert (document["date"], document["missing"], document["attempt"]) == (DAY, ["box_scores"], 2)

    receiver.server_close()
    with open_book(folder, hook="env:FETCH_URL") as book:
        gone = call_hook(book.settings, readiness, attempt=4)
    assert not gone.ok
    assert "secret" not in gone.problem


def test_what_is_ready_and_what_is_missing(folder: Path) -> None:
    """Idle, predictions missing, box scores missing, box scores that do not cover the predictions, ready."""
    with open_book(folder) as book:
        assert (book.ready(DAY).state, book.ready(DAY).missing) == (ReadyState.IDLE, tuple(Missing))
    land_actuals(folder, 1, 2, points=11)
    with open_book(folder) as book:
        found = book.ready(DAY)
    assert (found.state, found.missing) == (ReadyState.WAITING, (Missing.PREDICTIONS,))

    land_predictions(folder, 1, 5)
    with open_book(folder) as book:
        found = book.ready(DAY)
    assert (found.state, found.ungradable, found.missing) == (ReadyState.WAITING, 3, (Missing.BOX_SCORES,))
    assert "3 of 5 predictions do not meet the box scores" in found.reason

    land_actuals(folder, 1, 5, points=11, load_id="all", content_id="all")
    with open_book(folder) as book:
        found = book.ready(DAY)
        assert book.sql("SELECT count(*) FROM prediction_accuracy").rows == [(0,)]
    assert (found.state, found.predictions, found.games_final, found.missing) == (ReadyState.READY, 5, 1, ())


def test_who_finds_another_at_it_leaves_it_alone(folder: Path) -> None:
    """The lease of the morning is held: nothing is done here; when it is free and the morning open, it is taken up."""
    land_season(folder, 1, 4)
    clock = FakeClock(DUE)
    one = scheduler(folder, clock)
    with open_book(folder, clock=clock) as book, acquire(
        book.leases, "schedule/2026-01-02", ttl_seconds=1e6, clock=clock
    ):  # fmt: skip
        outcome = one.once()
    assert outcome is not None
    assert outcome.state is SlotState.ELSEWHERE
    assert runs(folder) == []

    again = one.once()
    assert again is not None
    assert again.state is SlotState.DONE


@pytest.mark.parametrize("on_unavailable", ["fence", "fail"])
def test_a_lock_store_out_of_reach_is_met_as_the_settings_say(folder: Path, on_unavailable: str) -> None:
    """`fence`: graded without a lease, as `grade` does it; `fail`: not now."""
    land_season(folder, 1, 4)
    one = scheduler(folder, FakeClock(DUE), store="redis://127.0.0.1:9/0", on_unavailable=on_unavailable)

    if on_unavailable == "fail":
        with pytest.raises(WarehouseError) as refused:
            one.once()
        assert refused.value.is_transient
        return
    outcome = one.once()
    assert outcome is not None
    assert outcome.dates == ((DAY, "published"),)


def test_one_scheduler_a_process(folder: Path) -> None:
    """A second one in the same process is refused while the first one waits."""
    clock = FakeClock(DUE)
    refused: list[str] = []

    def second() -> None:
        with pytest.raises(RefusedForSafety, match="runs in this process already"):
            scheduler(folder, clock).once()
        refused.append("yes")

    scheduler(folder, clock, Waiter(clock, DUE, second)).run()
    assert refused == ["yes"]


def test_told_to_stop_while_it_waits_it_stops_and_the_next_start_goes_on(folder: Path) -> None:
    """The morning is open: not done, not lost, and its lease is free."""
    land_predictions(folder, 1, 4)
    clock = FakeClock(DUE)
    scheduler(folder, clock, Waiter(clock, DUE)).run()
    (row,) = runs(folder)
    assert (row["state"], row["finished_at"]) == ("waiting", None)

    land_actuals(folder, 1, 4, points=11)
    outcome = scheduler(folder, clock).once()
    assert outcome is not None
    assert outcome.dates == ((DAY, "published"),)


class Told(BaseException):
    """Stands for the signal: it may come at any line."""


@pytest.mark.parametrize("step", ["grade.leased", "publish.staged", "commit.fenced", "commit.done", "alert.opened"])
def test_told_to_stop_in_the_middle_of_a_grading_it_leaves_nothing_half_done(folder: Path, step: str) -> None:
    """What is raised where the signal comes: leases are let go, versions are whole, and the next start completes it."""
    land_predictions(folder, 1, 4)
    land_actuals(folder, 1, 2, points=11)
    clock = FakeClock(DUE)

    def interrupt(reached: str) -> None:
        if reached == step:
            raise Told

    first = scheduler(folder, clock)
    interrupted = Scheduler(
        first.settings, lambda: open_book(folder, clock=clock, check_after=False, ttl_seconds=1e6, on_step=interrupt),
        clock, wait=Waiter(clock, DUE + timedelta(days=1)), tell=said.append,
    )  # fmt: skip
    with pytest.raises(Told):
        interrupted.once()

    with open_book(folder) as book:
        assert [record.key for record in book.leases.records() if record.released_at is None] == []
        assert book.sql("SELECT count(*) FROM prediction_accuracy").rows in ([(0,)], [(4,)])
        assert sums_off(book) == []
    # What came in meanwhile covers the rest.
    land_actuals(folder, 1, 4, points=11, load_id="rest", content_id="rest")
    outcome = first.once()
    assert outcome is not None
    assert outcome.state is SlotState.DONE
    with open_book(folder) as book:
        assert book.sql("SELECT count(*), count(*) FILTER (outcome = 'win') FROM prediction_accuracy").rows == [(4, 4)]
        assert ledger_findings(book.warehouse) == ()


@pytest.mark.parametrize("how_often", [1, 99])
def test_what_can_be_tried_again_is_until_the_deadline(
    folder: Path, monkeypatch: pytest.MonkeyPatch, how_often: int
) -> None:
    """The book is out of reach once: done at the second attempt. All morning: failed, and alerted."""
    land_season(folder, 1, 4)
    failures = iter(range(how_often))
    ready = Book.ready

    def unsteady(book: Book, day: Any) -> Any:
        if next(failures, None) is not None:
            raise TransientWarehouseError("The server has gone away.")
        return ready(book, day)

    monkeypatch.setattr(Book, "ready", unsteady)
    clock = FakeClock(DUE)
    outcome = scheduler(folder, clock).once()

    assert outcome is not None
    if how_often == 1:
        assert (outcome.state, outcome.attempts) == (SlotState.DONE, 2)
        assert open_alerts(folder) == []
    else:
        assert (outcome.state, clock.elapsed) == (SlotState.FAILED, 6 * 3600)
        assert open_alerts(folder) == [("run_failed", "schedule/run")]
        assert scheduler(folder, clock).once() is None


def test_what_cannot_be_tried_again_fails_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for what will not change by itself."""
    land_season(folder, 1, 4)

    def broken(book: Book, day: Any, **options: Any) -> Any:
        raise ValidationFailed("Rows break a rule.", failures=["a rule"])

    monkeypatch.setattr(Book, "grade", broken)
    wait = Waiter(FakeClock(DUE), DUE + timedelta(days=1))
    outcome = scheduler(folder, wait.clock, wait).once()

    assert outcome is not None
    assert (outcome.state, outcome.attempts, wait.waits) == (SlotState.FAILED, 1, [])
    assert open_alerts(folder) == [("run_failed", "schedule/run")]


def test_a_book_out_of_reach_is_told_once_and_asked_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a morning can even begin: one alert, then a look every minute."""
    land_season(folder, 1, 4)
    clock = FakeClock(DUE)
    one = scheduler(folder, clock, Waiter(clock, DUE + timedelta(minutes=5)))
    failures = iter(range(3))
    asked = is_over

    def unsteady(book: Book, slot: Any) -> bool:
        if next(failures, None) is not None:
            raise TransientWarehouseError("The server has gone away.")
        return asked(book, slot)

    told: list[str] = []
    monkeypatch.setattr("gradeonce.schedule.scheduler.is_over", unsteady)
    monkeypatch.setattr(Book, "announce", lambda book, problems, **_: told.extend(p.title for p in problems))
    one.run()

    assert told == [f"{DAY}: the morning run could not begin"]
    assert [row["state"] for row in runs(folder)] == ["done"]


def test_a_morning_on_postgres(request: pytest.FixtureRequest) -> None:
    """Waits, is graded, is done once; leases and the record of mornings are in the database."""
    server, name = request.getfixturevalue("postgres"), request.getfixturevalue("schema")
    clock = FakeClock(DUE)

    def opened() -> Book:
        return gradeonce.open(server.url, schema=name, threads=1, clock=clock, ttl_seconds=1e6)

    with opened() as book:
        land_predictions(book, 1, 4)
        settings = book.settings

    def arrive() -> None:
        with opened() as book:
            land_actuals(book, 1, 4, points=11)

    wait = Waiter(clock, DUE + timedelta(days=1), arrive)
    one = Scheduler(settings, opened, clock, wait=wait, tell=said.append)
    outcome = one.once()

    assert outcome is not None
    assert (outcome.state, outcome.attempts, outcome.dates) == (SlotState.DONE, 2, ((DAY, "published"),))
    assert outcome.check_status
    assert Scheduler(settings, opened, clock, wait=wait, tell=said.append).once() is None
