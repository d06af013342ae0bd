"""Alerting around whole runs: when the book is down, when a lease is lost, when a whole backfill fails."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

import gradeonce
from alert_builders import Desk, problem
from builders import FakeClock, files_of, land_season, new_book, open_book
from gradeonce.alerts.announce import KEPT_DAYS
from gradeonce.backfill import Progress
from gradeonce.errors import LeaseLost, TransientWarehouseError, ValidationFailed
from gradeonce.grading import PartitionRun
from receiver import Answer, Receiver, headings, receiver

__all__ = ["receiver"]

DAY = "2026-01-01"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A book with six dates that are not graded."""
    folder = new_book(tmp_path / "book")
    land_season(folder, 6, 2)
    return folder


def test_a_book_out_of_reach_is_told_without_a_memory(receiver: Receiver) -> None:
    """The error is the same as without the alert; each run tells it again, because none can be remembered."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with gradeonce.open(f"postgresql://user:hunter2@127.0.0.1:{port}/none", slack=[receiver.url]) as book:
        for _ in range(2):
            with pytest.raises(TransientWarehouseError):
                book.grade(DAY, alert=True)

    assert headings(receiver.documents) == ["🔴 Grading failed before any date"] * 2
    assert "hunter2" not in str(receiver.documents)


def test_a_fault_in_alerting_changes_nothing(
    folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was graded is graded and reported; the fault is in the log."""
    monkeypatch.setattr("gradeonce.alerts.announce", lambda *_, **__: 1 / 0)
    with open_book(folder, slack=[receiver.url]) as book:
        report = book.grade(DAY, alert=True)

    assert (report.runs[0].status, report.alerts) == ("published", None)
    assert "alerting_failed" in caplog.text


def test_a_lease_lost_during_the_run_is_told(folder: Path, receiver: Receiver) -> None:
    """Somebody breaks the lease before the commit, and a rival publishes; the next run recovers it."""
    broken: list[str] = []

    def on_step(name: str) -> None:
        if name == "publish.compared" and not broken:
            broken.append(name)
            book.leases.break_claim(f"grading/{DAY}", token=1)
            with open_book(folder) as rival:
                assert rival.grade(DAY).runs[0].token == 2

    with open_book(folder, slack=[receiver.url], on_step=on_step) as book:
        lost = book.grade(DAY, alert=True)
        assert isinstance(lost.errors[DAY], LeaseLost)
        book.grade(DAY, alert=True)

    title = f"{DAY}: the lease was lost during the run"
    assert headings(receiver.documents) == [f"🔴 {title}", f"🟢 Recovered: {title}"]


def test_a_backfill_that_fails_on_every_date_is_one_message(folder: Path, receiver: Receiver) -> None:
    """Six dates, six alerts, one message; mended one by one, they recover by themselves."""
    whole = {name: (folder / name).read_bytes() for name in files_of(folder)}
    for name in whole:
        (folder / name).write_bytes(b"no Parquet file")
    with open_book(folder, slack=[receiver.url]) as book:
        report = book.grade(all_dates=True, alert=True)
        assert report.alerts is not None
        assert len(report.alerts.opened) == 6
        assert headings(receiver.documents) == ["🔴 6 × run failed"]
        for name, content in whole.items():
            (folder / name).write_bytes(content)
        book.grade(DAY, alert=True)
        assert [alert.place for alert in book.alerts() if not alert.is_open] == [DAY]
        book.grade(all_dates=True, alert=True)

    assert headings(receiver.documents)[1:] == [f"🟢 Recovered: {DAY}: grading failed", "🟢 Recovered: 5 × run failed"]


def test_what_fails_after_a_backfill_was_through_with_it_is_not_over_at_its_end(folder: Path) -> None:
    """The first of six dates is graded, and graded again by somebody else, who fails, before the last one is."""
    clock = FakeClock()
    failed = problem(identity=f"grading/{DAY}/run_failed", place=DAY)

    with open_book(folder, clock=clock, chunk_rows=2) as book:

        def fail_meanwhile(progress: Progress, runs: Sequence[PartitionRun]) -> None:
            clock.advance(60)
            if progress.dates_done == 3:
                book.announce([failed])

        report = book.grade(all_dates=True, alert=True, on_progress=fail_meanwhile)

        assert (len(report.runs), report.errors) == (6, {})
        assert [(alert.identity, alert.is_open) for alert in book.alerts()] == [(failed.identity, True)]
        book.grade(DAY, alert=True)
        assert [alert.is_open for alert in book.alerts()] == [False]


def test_a_lock_store_out_of_reach_is_told(folder: Path, receiver: Receiver) -> None:
    """The grades are published under the fence alone, and somebody hears of it; once, and of its end."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    for store in (f"redis://127.0.0.1:{port}/0", f"redis://127.0.0.1:{port}/0", "sqlite"):
        with open_book(folder, slack=[receiver.url], store=store) as book:
            assert book.grade(DAY, alert=True).runs[0].status in ("published", "unchanged")

    assert headings(receiver.documents) == [
        "🟡 The lock store is out of reach",
        "🟢 Recovered: The lock store is out of reach",
    ]


def test_without_a_channel_the_book_still_remembers(folder: Path) -> None:
    """Nobody is told; `alerts list` knows, and a recovery closes it."""
    with open_book(folder) as book:
        announced = book.announce([problem()])
        (alert,) = book.alerts()
        assert (len(announced.opened), announced.messages, alert.is_open) == (1, (), True)
        book.announce([], scope=["grading/"])
        assert [alert.is_open for alert in book.alerts()] == [False]


def test_a_failing_channel_keeps_no_other_from_being_told(folder: Path, receiver: Receiver) -> None:
    """The first is down, the second takes it; only the first is tried again."""
    with Receiver(Answer(404, "no_service")) as down, open_book(folder, slack=[down.url, receiver.url]) as book:
        book.announce([problem()])
        book.announce([problem()])

        (alert,) = book.alerts()
        assert (len(down.requests), len(receiver.requests)) == (2, 1)
        assert {d.channel: (d.status.value, d.attempt) for d in alert.announcements[0].deliveries} == {
            "book": ("recorded", 0),
            "slack": ("failed", 2),
            "slack-2": ("sent", 1),
        }


def test_a_channel_that_asked_for_time_is_left_until_then(folder: Path, receiver: Receiver) -> None:
    """429 with an hour: half an hour later it is not asked, after the hour it is."""
    clock = FakeClock()
    receiver.answer(Answer(429, "rate_limited", {"Retry-After": "3600"}), Answer())
    with open_book(folder, slack=[receiver.url], clock=clock) as book:
        for minutes, requests in ((0, 1), (30, 1), (31, 2)):
            clock.advance(minutes * 60)
            book.announce([problem()])
            assert len(receiver.requests) == requests


def test_old_alerts_are_forgotten_and_their_numbers_go_on(folder: Path, receiver: Receiver) -> None:
    """A year after its end an alert is dropped, unless it is the last of its problem."""
    with open_book(folder) as book:
        desk = Desk(book.warehouse, book.settings)
        for _ in range(3):
            desk.announce(problem())
            desk.announce(scope=("grading/",))
        desk.clock.advance((KEPT_DAYS + 1) * 86400)
        desk.announce(problem(identity="other"))
        assert [alert.episode for alert in book.alerts()] == [3, 1]

        assert desk.announce(problem()).opened[0].episode == 4
        assert book.sql("SELECT count(DISTINCT alert_id) FROM alerts_sent").rows == [(3,)]


def test_a_batch_that_is_not_merged_is_told_until_it_is(tmp_path: Path, receiver: Receiver) -> None:
    """All of it stands already in a later version: told once, over with the first consolidation that ends well."""
    header = "system_id,player_name,game_id,game_date,predicted_value,line_value,recommendation,created_at"
    rows = tmp_path / "rows.csv"
    with open_book(new_book(tmp_path / "book"), slack=[receiver.url]) as book:
        for hour, worker in (("11", "w1"), ("10", "w2")):
            row = f"alpha,Eve Frey,20260117_RED_BLU,2026-01-17,6,7.5,UNDER,2026-01-17T{hour}:00:00Z"
            rows.write_text(f"{header}\n{row}\n", encoding="utf-8")
            book.stage_write(rows, batch="late", worker=worker)
            if worker == "w1":
                book.stage_consolidate("late", alert=True)
        for _ in range(2):
            with pytest.raises(ValidationFailed):
                book.stage_consolidate("late", alert=True)
        book.stage_sweep("late", apply=True)
        book.stage_consolidate("late", alert=True)

    title = "The batch late was not consolidated"
    assert headings(receiver.documents) == [f"🔴 {title}", f"🟢 Recovered: {title}"]
