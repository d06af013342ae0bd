"""Alerts told by several processes at once, or by one that dies on the way: once if all live, never not at all."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from alert_builders import DAY
from builders import new_book, open_book
from gradeonce.alerts.deliver import CLAIM_MARGIN_SECONDS
from gradeonce.clock import SystemClock
from races.child import answer_of, child
from races.crew import Crew, Stand
from receiver import Receiver, headings, receiver

__all__ = ["receiver"]

IDENTITY = f"grading/{DAY}/run_failed"
STEPS = ["alert.opened", "alert.announced", "alert.claimed", "alert.sent", "alert.recorded"]
ROUNDS, WORKERS = 12, 4
OPENED, RECOVERED = f"🔴 Grading of {DAY} failed", f"🟢 Recovered: Grading of {DAY} failed"


class LaterClock(SystemClock):
    """The machine's clock, after every claim has run out."""

    def now(self):
        from datetime import timedelta

        return super().now() + timedelta(seconds=CLAIM_MARGIN_SECONDS + 60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty book."""
    return new_book(tmp_path / "book")


def tell(folder: Path, receiver: Receiver, *identities: str, step: str = "", scope: tuple[str, ...] = ()) -> Any:
    """Announce in a process of its own, which kills itself at the step; return its answer."""
    settings = {"slack": [receiver.url]}
    values = {"identities": list(identities), "scope": list(scope)}
    with child(folder, "tell", values, step=step, signal_name="SIGKILL", settings=settings) as process:
        answer = answer_of(process)
        assert process.returncode == (-signal.SIGKILL if step else 0), answer
        return answer


def test_these_are_all_steps(folder: Path, receiver: Receiver) -> None:
    """One that is not disturbed passes exactly the steps at which the tests below kill it."""
    assert tell(folder, receiver, IDENTITY)["steps"] == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_an_alert_whose_teller_dies_is_told_by_the_next(folder: Path, receiver: Receiver, step: str) -> None:
    """Killed at any step, the next call tells it once its claim has run out; only a death between the channel's yes and
    the record of it tells it twice. From then on it is silent.
    """
    tell(folder, receiver, IDENTITY, step=step)
    with open_book(folder, slack=[receiver.url], clock=LaterClock()) as book:
        book.retry_alerts() if step not in STEPS[:1] else tell(folder, receiver, IDENTITY)
        told = 2 if step == "alert.sent" else 1
        assert headings(receiver.documents) == [OPENED] * told

        book.retry_alerts()
        assert len(receiver.requests) == told
        assert [alert.is_open for alert in book.alerts()] == [True]


def test_a_claim_that_runs_keeps_others_from_sending(folder: Path, receiver: Receiver) -> None:
    """The dead teller's claim is honoured until it runs out: its owner might only be slow."""
    tell(folder, receiver, IDENTITY, step="alert.claimed")

    tell(folder, receiver, IDENTITY)

    assert receiver.requests == []


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_recovery_whose_teller_dies_is_told_by_the_next(folder: Path, receiver: Receiver, step: str) -> None:
    """The same for the end of an alert."""
    tell(folder, receiver, IDENTITY)
    tell(folder, receiver, scope=(IDENTITY,), step=step)
    with open_book(folder, slack=[receiver.url], clock=LaterClock()) as book:
        book.announce([], scope=[IDENTITY])
        book.announce([], scope=[IDENTITY])

    assert headings(receiver.documents) == [OPENED, *[RECOVERED] * (2 if step == "alert.sent" else 1)]


def test_of_many_who_see_a_problem_at_once_one_tells(folder: Path, receiver: Receiver) -> None:
    """Four processes, all told to start at the same moment, a new problem and its end each round: two messages each."""
    with Crew(WORKERS) as crew:
        crew.stand_at(Stand(folder, settings={"slack": [receiver.url]}))
        for number in range(ROUNDS):
            name = f"round/{number}"
            answers = crew.round([("tell", {"identities": [name], "scope": []})] * WORKERS)
            answers += crew.round([("tell", {"identities": [], "scope": [name]})] * WORKERS)
            assert sum(len(answer["opened"]) for answer in answers) == 1, answers
            assert sum(len(answer["recovered"]) for answer in answers) == 1, answers
            assert headings(receiver.documents)[2 * number :] == [OPENED, RECOVERED]
