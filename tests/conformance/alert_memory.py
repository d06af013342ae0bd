"""One problem is one alert on every warehouse: folded, escalated, reminded, recovered, and told once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from alert_builders import DAY, Desk, problem, warning
from gradeonce.alerts import Announced, announce
from gradeonce.alerts.memory import Memory
from gradeonce.config import Settings
from gradeonce.warehouses.base import Warehouse
from receiver import Answer, Receiver, headings

SCOPE = (f"grading/{DAY}/",)


def before_the_first_write(patch: pytest.MonkeyPatch, desk: Desk, act: Callable[[], object]) -> None:
    """Have something done between what the next announcement reads and what it writes."""
    keep, left = desk.warehouse.keep, [act]

    # Any: what `keep` takes.
    def keep_then(*given: Any, **named: Any) -> int:
        if left:
            left.pop()()
        return keep(*given, **named)

    patch.setattr(desk.warehouse, "keep", keep_then)


def episodes(desk: Desk) -> dict[int, bool]:
    """Return whether each alert is open, by its episode."""
    return {alert.episode: alert.is_open for alert in Memory(desk.warehouse).alerts()}


class AlertMemorySuite:
    """Subclasses give a fixture `warehouse`: an empty book, open."""

    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        """A server that takes everything."""
        with Receiver() as receiver:
            yield receiver

    @pytest.fixture
    def desk(self, warehouse: Warehouse, receiver: Receiver) -> Desk:
        """Tells one Slack channel; a message may take a minute: one that is taken too late would be sent twice."""
        return Desk(warehouse, Settings(slack=(receiver.url,), send_seconds=60.0))

    def test_a_problem_seen_again_is_folded(self, desk: Desk, receiver: Receiver) -> None:
        """Three sights of one problem are one message, and the alert counts them."""
        first, second, third = (desk.announce(problem()) for _ in range(3))

        assert (len(first.opened), len(second.folded), len(third.folded)) == (1, 1, 1)
        assert headings(receiver.documents) == [f"🔴 Grading of {DAY} failed"]
        assert third.folded[0].seen == 3

    def test_problems_with_other_identities_are_alerts_of_their_own(self, desk: Desk, receiver: Receiver) -> None:
        """Two identities, two messages; the same identity twice in one call is one, the worse of the two."""
        desk.announce(warning(), problem(), warning(identity="check/freshness", title="Predictions are old"))

        assert headings(receiver.documents) == [f"🔴 Grading of {DAY} failed", "🟡 Predictions are old"]

    def test_escalation_is_announced_once(self, desk: Desk, receiver: Receiver) -> None:
        """warn, fail, warn, fail: opened and escalated; going up and down tells nobody anything new."""
        for one in (warning(), problem(), warning(), problem()):
            desk.announce(one)

        assert headings(receiver.documents) == [f"🟡 Grading of {DAY} failed", f"🔴 Worse: Grading of {DAY} failed"]

    def test_recovery_is_announced_once(self, desk: Desk, receiver: Receiver) -> None:
        """An examined scope without the problem is its end; the next such look says nothing."""
        desk.announce(problem())
        gone = desk.announce(scope=SCOPE)
        again = desk.announce(scope=SCOPE)

        assert (len(gone.recovered), len(again.recovered)) == (1, 0)
        assert headings(receiver.documents)[1:] == [f"🟢 Recovered: Grading of {DAY} failed"]

    def test_what_was_not_examined_does_not_recover(self, desk: Desk, receiver: Receiver) -> None:
        """Another date, a neighbour whose name begins alike, nothing at all: the alert stays open."""
        desk.announce(problem())
        for scope in ((), ("grading/2026-01-18/",), (f"grading/{DAY}",), ("grading",), (f"grading/{DAY}/run",)):
            assert desk.announce(scope=scope).recovered == ()

        assert len(desk.announce(scope=(f"grading/{DAY}/run_failed",)).recovered) == 1

    def test_seen_after_the_examination_is_not_over(self, desk: Desk) -> None:
        """Somebody else saw the problem while we were still writing up that it was not there."""
        examined_at = desk.clock.now()
        desk.clock.advance(5)
        desk.announce(problem())

        late = announce(desk.warehouse, desk.settings, desk.clock, [], scope=SCOPE, examined_at=examined_at)

        assert late.recovered == ()

    def test_what_is_told_to_be_over_while_it_is_seen_is_open(
        self, desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The alert that we were about to fold is over by then: the problem is a new one, and told."""
        desk.announce(problem())
        before_the_first_write(monkeypatch, desk, lambda: desk.announce(scope=SCOPE))

        again = desk.announce(problem())

        assert [alert.episode for alert in again.opened] == [2]
        assert episodes(desk) == {1: False, 2: True}
        assert len(headings(receiver.documents)) == 3

    def test_what_is_seen_while_it_is_told_to_be_over_is_open(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Somebody sees the problem after we have examined, and before we have said that it is gone."""
        desk.announce(problem())
        examined_at = desk.clock.now()
        desk.clock.advance(5)
        before_the_first_write(monkeypatch, desk, lambda: desk.announce(problem()))

        announce(desk.warehouse, desk.settings, desk.clock, [], scope=SCOPE, examined_at=examined_at)

        assert episodes(desk) == {1: False, 2: True}

    def test_what_was_told_to_be_over_meanwhile_is_not_told_as_new(self, desk: Desk, receiver: Receiver) -> None:
        """The first of two messages takes its time; the alert of the second is over, and told so, before its turn."""

        def recover(step: str) -> None:
            if step == "alert.sent" and not ended:
                ended.append(desk.announce(scope=("check/freshness",)))

        ended: list[Announced] = []
        old = warning(identity="check/freshness", title="Predictions are old")
        desk.announce(problem(), old, on_step=recover)

        assert headings(receiver.documents) == [f"🔴 Grading of {DAY} failed", "🟢 Recovered: Predictions are old"]

    def test_a_problem_that_comes_back_is_a_new_alert(self, desk: Desk, receiver: Receiver) -> None:
        """The second episode has a name of its own and is announced and recovered like the first."""
        first = desk.announce(problem()).opened[0]
        desk.announce(scope=SCOPE)
        second = desk.announce(problem()).opened[0]
        desk.announce(scope=SCOPE)

        assert (first.episode, second.episode) == (1, 2)
        assert first.alert_id != second.alert_id
        assert len(receiver.requests) == 4

    def test_a_problem_that_stands_is_told_again_after_the_setting(self, desk: Desk, receiver: Receiver) -> None:
        """After 20 hours, and after another 20; seen in between it is folded."""
        for hours in (0, 19, 1, 19, 1):
            desk.clock.advance(hours * 3600)
            desk.announce(problem())

        still = f"🔴 Still: Grading of {DAY} failed"
        assert headings(receiver.documents)[1:] == [still, still]

    def test_a_channel_that_fails_is_told_next_time(self, desk: Desk, receiver: Receiver) -> None:
        """The opening was refused; the next call, which folds the problem, sends it."""
        receiver.answer(Answer(404, "no_service"))
        failed = desk.announce(problem())
        receiver.answer(Answer())
        folded = desk.announce(problem())

        assert [message.error for message in failed.failed] == ["The channel answered 404: no_service."]
        assert (len(folded.folded), folded.failed) == (1, ())
        assert headings(receiver.documents) == [f"🔴 Grading of {DAY} failed"] * 2

    def test_only_the_latest_step_is_sent_late(self, desk: Desk, receiver: Receiver) -> None:
        """A channel that missed the opening hears of the recovery alone."""
        receiver.answer(Answer(404, "no_service"))
        desk.announce(problem())
        receiver.answer(Answer())
        desk.announce(scope=SCOPE)
        desk.announce(scope=SCOPE)

        assert headings(receiver.documents)[1:] == [f"🟢 Recovered: Grading of {DAY} failed"]
