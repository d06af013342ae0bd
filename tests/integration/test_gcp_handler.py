"""The handler over a book in a folder: every way a delivery can end, and what stands afterwards."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import FakeClock, duplicate_keys, files_of, graded, land_actuals, land_predictions, land_season, new_book
from builders import open_book as open_test_book
from gcp_messages import MORNING, Listener, delivery
from gradeonce.book import Book
from gradeonce.config import Settings
from gradeonce.errors import (
    CompletionError,
    ConfigError,
    LeaseHeld,
    LeaseLost,
    TransientCompletionError,
    TransientWarehouseError,
)
from gradeonce.gcp.handler import Handler, Outcome
from gradeonce.schema import ACCURACY, HANDLED_EVENTS
from receiver import Receiver, headings, receiver
from servers import require

__all__ = ["receiver"]

DAY = "2026-01-01"

TTL = 1.5
"""Of leases that really run out, in seconds: the machine may stand still for more than half of it between two beats."""


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book with two dates of three predictions each, none of them graded; for copies."""
    folder = new_book(tmp_path_factory.mktemp("season") / "book")
    land_season(folder, 2, 3)
    return folder


@pytest.fixture
def folder(tmp_path: Path, season: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(season, tmp_path / "book"))


@pytest.fixture
def topic() -> Listener:
    """The topic of completions."""
    return Listener()


@pytest.fixture
def clock() -> FakeClock:
    """06:00 in New York, when the message comes."""
    return FakeClock(MORNING)


def handler(folder: Path, topic: Listener, **settings: Any) -> Handler:
    """Make a handler of the book. Any: settings, or clock and on_step."""
    own = {name: settings.pop(name) for name in ("clock", "on_step") if name in settings}
    given = {"threads": 1, "minimum_free_megabytes": 1, "timeout_seconds": 60.0, **settings}
    return Handler(Settings(book=str(folder), **given), topic=topic, **own)


def entries(folder: Path) -> int:
    """Return how many entries the ledger has."""
    with open_test_book(folder) as book:
        return len(list(book.warehouse.entries()))


def handled(folder: Path) -> list[dict[str, Any]]:
    """Return what the book remembers of events. Any: values of the columns."""
    with open_test_book(folder) as book:
        return book.warehouse.kept(HANDLED_EVENTS).dicts()


def test_a_message_is_graded_remembered_and_told(folder: Path, topic: Listener, clock: FakeClock) -> None:
    """Yesterday is the first of January; all three predictions of 20 on a line of 10.5 win with 11 points."""
    answer = handler(folder, topic, clock=clock).handle(
        delivery(target_date="yesterday", correlation_id="c-1", trigger_source="scheduler", run_aggregation=False)
    )

    (told,) = topic.taken
    assert (answer.outcome, answer.completion) == (Outcome.DONE, told)
    assert (told.event_id, told.correlation_id, told.trigger_source) == ("e1", "c-1", "scheduler")
    assert (told.target_date, told.status, told.error, told.run_aggregation) == (DAY, "published", None, False)
    assert (told.predictions, told.outcomes["win"], sum(told.outcomes.values())) == (3, 3, 3)
    assert (told.mae, told.bias, told.n, told.duplicates, told.token) == (9.0, 9.0, 3, 0, 1)
    assert (told.games, told.games_final, told.revised, told.other_dates) == (1, 1, 0, ())
    assert told.lock_wait_seconds >= 0
    with open_test_book(folder) as book:
        assert {row[0] for row in graded(book)} == {DAY}
        assert told.run_id == book.warehouse.fences(ACCURACY, [DAY])[DAY].version
    (row,) = handled(folder)
    assert (row["event_id"], row["status"], row["run_id"]) == ("e1", "published", told.run_id)
    assert row["published_at"] == MORNING.replace(tzinfo=None)


def test_an_event_that_was_done_answers_with_what_was_done_then(folder: Path, topic: Listener) -> None:
    """On any instance: a handler of its own reads it from the book; nothing is graded, although there is news."""
    first = handler(folder, topic).handle(delivery())
    land_actuals(folder, 2, 3, points=30, version=2)
    before = entries(folder)

    again = handler(folder, topic).handle(delivery())

    assert (again.outcome, again.completion) == (Outcome.DONE_BEFORE, first.completion)
    assert (len(topic.taken), entries(folder)) == (1, before)
    another = handler(folder, topic).handle(delivery("e2"))
    assert another.completion is not None
    assert (another.outcome, another.completion.revised) == (Outcome.DONE, 3)


def test_another_event_for_a_date_that_is_done_says_unchanged(folder: Path, topic: Listener) -> None:
    """Two schedules, or somebody who asks twice: nothing is written a second time, and both are told."""
    one = handler(folder, topic)
    one.handle(delivery("e1", target_date=DAY))
    one.handle(delivery("e2", target_date=DAY))

    assert [(told.event_id, told.status) for told in topic.taken] == [("e1", "published"), ("e2", "unchanged")]
    assert topic.taken[1].predictions == 3


def test_a_lease_that_is_held_lets_the_message_come_again(
    folder: Path, topic: Listener, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """It is waited for half of the time that there is; nobody is alerted, for the next delivery may well get it."""
    clock = FakeClock(MORNING)
    one = handler(folder, topic, clock=clock, slack=(receiver.url,))
    with open_test_book(folder, clock=clock) as rival:
        rival.leases.try_acquire(f"grading/{DAY}", holder="rival", ttl_seconds=60.0, floor=0)
        with pytest.raises(LeaseHeld, match="rival"):
            one.handle(delivery())
        assert 29 <= clock.elapsed <= 31
        assert "event_again event_id=e1" in caplog.text
        assert (topic.taken, handled(folder), receiver.requests) == ([], [], [])
        rival.leases.release(f"grading/{DAY}", holder="rival", token=1)

    assert one.handle(delivery()).outcome is Outcome.DONE


def test_a_message_that_is_tried_for_long_is_alerted(folder: Path, topic: Listener, receiver: Receiver) -> None:
    """Once for all deliveries; and the one that gets through tells that it is over."""
    clock = FakeClock(MORNING)
    one = handler(folder, topic, clock=clock, slack=(receiver.url,), ttl_seconds=3000.0, timeout_seconds=3000.0)
    with open_test_book(folder, clock=clock) as rival:
        rival.leases.try_acquire(f"grading/{DAY}", holder="rival", ttl_seconds=3000.0, floor=0)
        clock.advance(900)
        for _ in range(2):
            with pytest.raises(LeaseHeld):
                one.handle(delivery())
        rival.leases.release(f"grading/{DAY}", holder="rival", token=1)

    one.handle(delivery())

    title = f"{DAY}: the lease was not to be had"
    assert headings(receiver.documents) == [f"🟡 {title}", f"🟢 Recovered: {title}"]


def test_the_last_but_one_delivery_is_alerted(folder: Path, topic: Listener, receiver: Receiver) -> None:
    """Where deliveries are counted, the message may be put aside after the fifth, long before it is old."""
    one = handler(folder, topic, slack=(receiver.url,), wait_seconds=0.0, clock=FakeClock(MORNING))
    with open_test_book(folder, clock=FakeClock(MORNING)) as rival:
        rival.leases.try_acquire(f"grading/{DAY}", holder="rival", ttl_seconds=60.0, floor=0)
        told = []
        for attempt in range(1, 6):
            with pytest.raises(LeaseHeld):
                one.handle(delivery(attempt=attempt))
            told.append(len(receiver.requests))

    assert told == [0, 0, 0, 1, 1]


def test_a_lease_lost_during_the_run_lets_the_message_come_again(folder: Path, topic: Listener) -> None:
    """The rival has published; the next delivery finds that done."""
    took: list[str] = []

    def on_step(name: str) -> None:
        if name == "publish.compared" and not took:
            took.append(name)
            with open_test_book(folder) as rival:
                rival.leases.break_claim(f"grading/{DAY}", token=1)
                rival.grade(DAY)

    one = handler(folder, topic, on_step=on_step)
    with pytest.raises(LeaseLost):
        one.handle(delivery())
    one.handle(delivery())

    assert [told.status for told in topic.taken] == ["unchanged"]


def test_a_lock_store_out_of_reach_is_up_to_the_settings(folder: Path, topic: Listener, receiver: Receiver) -> None:
    """Graded under the fence alone, and alerted; or, if the settings say so, brought again."""
    require("redis")
    nowhere = {"store": "redis://127.0.0.1:1/0", "slack": (receiver.url,), "clock": FakeClock(MORNING)}

    with pytest.raises(TransientWarehouseError):
        handler(folder, topic, **nowhere, on_unavailable="fail").handle(delivery())
    assert (topic.taken, receiver.requests) == ([], [])
    assert handler(folder, topic, **nowhere).handle(delivery()).outcome is Outcome.DONE

    assert [told.status for told in topic.taken] == ["published"]
    assert headings(receiver.documents) == ["🟡 The lock store is out of reach"]


def test_what_never_will_succeed_is_alerted_told_and_acknowledged(
    folder: Path, topic: Listener, receiver: Receiver
) -> None:
    """A file of the book is damaged: the message comes no more, and whoever waits for it hears that it failed."""
    for name in files_of(folder):
        (folder / name).write_bytes(b"no Parquet file")

    one = handler(folder, topic, slack=(receiver.url,))
    answers = [one.handle(delivery()) for _ in range(2)]

    assert [answer.outcome for answer in answers] == [Outcome.FAILED, Outcome.DONE_BEFORE]
    (told,) = topic.taken
    assert told.error is not None
    assert (told.status, told.duplicates, told.error["kind"]) == ("failed", None, "WarehouseError")
    assert headings(receiver.documents) == [f"🔴 {DAY}: grading failed"]


def test_a_date_without_predictions_is_done(folder: Path, topic: Listener) -> None:
    """A day off is no failure, and whoever waits is told."""
    assert handler(folder, topic).handle(delivery(target_date="2026-07-01")).outcome is Outcome.DONE

    assert [(told.status, told.predictions, told.mae, told.n) for told in topic.taken] == [
        ("nothing_to_grade", 0, None, 0)
    ]


def test_a_malformed_message_is_logged_and_acknowledged(
    folder: Path, topic: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """It will not get better by coming again; the log says why, and nothing was touched."""
    before = entries(folder)

    answer = handler(folder, topic).handle(delivery(body=b"\xff\x00"))

    assert (answer.outcome, answer.reason) == (Outcome.MALFORMED, "The message is no JSON.")
    assert ("gradeonce.gcp.handler", logging.ERROR, "message_malformed event_id=e1 reason=The message is no JSON.") in (
        caplog.record_tuples
    )
    assert (topic.taken, handled(folder), entries(folder)) == ([], [], before)


def test_a_topic_out_of_reach_neither_loses_nor_repeats_the_grading(folder: Path, topic: Listener) -> None:
    """The message comes again until the topic has taken what was kept of the first time."""
    one = handler(folder, topic)
    topic.fails = lambda: TransientCompletionError("out of reach")
    with pytest.raises(TransientCompletionError):
        one.handle(delivery())
    land_actuals(folder, 2, 3, points=30, version=2)
    before = entries(folder)
    with pytest.raises(TransientCompletionError):
        one.handle(delivery())

    topic.fails = None
    answers = [one.handle(delivery()) for _ in range(2)]

    assert [answer.outcome for answer in answers] == [Outcome.DONE_BEFORE] * 2
    (told,) = topic.taken
    assert (told.status, told.outcomes["win"], told.mae) == ("published", 3, 9.0)
    assert entries(folder) == before


def test_a_topic_that_refuses_is_alerted_and_the_message_acknowledged(
    folder: Path, topic: Listener, receiver: Receiver
) -> None:
    """There is no such topic: coming again would not help. The next event that is told recovers the alert."""
    one = handler(folder, topic, slack=(receiver.url,), clock=FakeClock(MORNING))
    topic.fails = lambda: CompletionError("There is no such topic.")
    assert one.handle(delivery()).outcome is Outcome.DONE
    assert [row["published_at"] for row in handled(folder)] == [None]

    topic.fails = None
    one.handle(delivery("e2"))

    title = "Nobody was told that a grading is done"
    assert headings(receiver.documents) == [f"🟡 {title}", f"🟢 Recovered: {title}"]
    with open_test_book(folder) as book:
        assert len(graded(book)) == 3


def test_without_a_topic_nobody_is_told(folder: Path) -> None:
    """`completion_topic = ""`: the event is remembered all the same."""
    one = Handler(Settings(book=str(folder), threads=1, minimum_free_megabytes=1, completion_topic=""))

    answers = [one.handle(delivery()) for _ in range(2)]

    assert [answer.outcome for answer in answers] == [Outcome.DONE, Outcome.DONE_BEFORE]


@pytest.mark.parametrize("step", ["commit.ledgered", "commit.done", "event.graded", "event.kept", "event.published"])
def test_whoever_dies_at_any_step_is_replaced_by_the_next_delivery(folder: Path, topic: Listener, step: str) -> None:
    """The grades stand once, and the topic hears of it; it may hear twice of the same event."""

    class Died(BaseException):
        """Not to be caught by anybody."""

    def die(name: str) -> None:
        if name == step:
            raise Died

    with pytest.raises(Died):
        handler(folder, topic, on_step=die).handle(delivery())
    answer = handler(folder, topic).handle(delivery())

    assert answer.outcome in (Outcome.DONE, Outcome.DONE_BEFORE)
    assert {told.event_id for told in topic.taken} == {"e1"}
    with open_test_book(folder) as book:
        assert (len(graded(book)), duplicate_keys(book, ACCURACY)) == (3, 0)
        published = [e for e in book.warehouse.entries() if e.draft.kind == "grade" and e.draft.status == "published"]
        assert len(published) == 1


def test_the_same_event_twice_at_once_is_answered_alike(folder: Path, topic: Listener) -> None:
    """The second is done while the first is on its way: the first answers with what the second kept."""
    answers = []

    def on_step(name: str) -> None:
        if name == "event.graded" and not answers:
            answers.append(handler(folder, topic).handle(delivery()))

    first = handler(folder, topic, on_step=on_step).handle(delivery())

    assert (first.outcome, first.completion) == (Outcome.DONE_BEFORE, answers[0].completion)
    assert len(topic.taken) == 1


def test_a_run_that_the_platform_gave_up_lets_its_lease_run_out(folder: Path, topic: Listener) -> None:
    """It hangs before the commit, and its heartbeat beats: after its time it is not renewed any more, so that the
    delivery that replaces it gets on; what hung publishes nothing."""
    others: list[Outcome] = []
    hung: list[str] = []

    def on_step(name: str) -> None:
        if name == "publish.compared" and not hung:
            hung.append(name)
            replacing = handler(folder, topic, ttl_seconds=TTL, wait_seconds=15.0)
            others.append(replacing.handle(delivery("e2", target_date=DAY)).outcome)

    with pytest.raises(LeaseLost):
        handler(folder, topic, ttl_seconds=TTL, timeout_seconds=TTL, on_step=on_step).handle(delivery())

    assert others == [Outcome.DONE]
    assert [(told.event_id, told.status) for told in topic.taken] == [("e2", "published")]


def test_a_book_that_is_not_there_lets_the_message_come_again(tmp_path: Path, topic: Listener) -> None:
    """Wrong settings are not the message's fault: mended, the next delivery does it."""
    with pytest.raises(ConfigError):
        handler(tmp_path / "none", topic).handle(delivery())


def test_an_alert_that_cannot_be_sent_changes_nothing(folder: Path, topic: Listener, tmp_path: Path) -> None:
    """The webhook's address is nowhere to be found, and the topic refuses: the grading is done."""
    topic.fails = lambda: CompletionError("There is no such topic.")

    answer = handler(folder, topic, slack=(f"file:{tmp_path}/none",)).handle(delivery())

    assert answer.outcome is Outcome.DONE
    with open_test_book(folder) as book:
        assert [one.title for one in book.alerts()] == ["Nobody was told that a grading is done"]


def test_a_fault_in_alerting_changes_nothing(
    folder: Path, topic: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever breaks in there, what was graded is graded, and told."""
    monkeypatch.setattr(Book, "announce", lambda *_, **__: 1 / 0)

    assert handler(folder, topic).handle(delivery()).outcome is Outcome.DONE
    assert "alerting_failed" in caplog.text


def test_duplicates_that_cannot_be_counted_are_unknown(
    folder: Path, topic: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not zero: the count is null, and the grading is done."""
    graded_once = []

    def on_step(name: str) -> None:
        if name == "grade.released":
            graded_once.append(name)
            monkeypatch.setattr("gradeonce.gcp.handler.statement", broken)

    def broken(*_: str) -> str:
        raise TransientWarehouseError("busy")

    assert handler(folder, topic, on_step=on_step).handle(delivery()).outcome is Outcome.DONE
    assert [told.duplicates for told in topic.taken] == [None]


def test_events_that_can_come_no_more_are_forgotten(folder: Path, topic: Listener) -> None:
    """After 45 days: a topic holds what it has for 31 at most."""
    clock = FakeClock(MORNING)
    one = handler(folder, topic, clock=clock)
    one.handle(delivery("e1", target_date=DAY))
    clock.advance(timedelta(days=44).total_seconds())
    one.handle(delivery("e2", target_date=DAY))
    assert [row["event_id"] for row in handled(folder)] == ["e1", "e2"]

    clock.advance(timedelta(days=2).total_seconds())
    one.handle(delivery("e3", target_date=DAY))

    assert [row["event_id"] for row in handled(folder)] == ["e2", "e3"]


def test_pending_is_told_as_pending(tmp_path: Path, topic: Listener) -> None:
    """No box score is in: nothing was published, and the completion says so."""
    folder = new_book(tmp_path / "book")
    land_predictions(folder, 1, 2)

    handler(folder, topic).handle(delivery(target_date=DAY))

    assert [(told.status, told.outcomes["pending"], told.games_final) for told in topic.taken] == [("pending", 2, 0)]
