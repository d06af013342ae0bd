"""The checker of the consolidator: it passes a correct history, and finds every lie that is planted in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradeonce.torture.checker import check
from gradeonce.torture.history import Event

BATCH = "batch-0000"


def staging(at: float, run: str, *rows: tuple[str, str, int]) -> Event:
    """A write that is announced: prediction, key, made when."""
    return Event(at, "c8.1", "staging", {"run": run, "batch": BATCH, "rows": [list(row) for row in rows]})


def staged(at: float, run: str) -> Event:
    return Event(at, "c8.1", "staged", {"run": run, "batch": BATCH})


def consolidated(at: float, run: str, **counts: int) -> Event:
    counted = {"staged": 0, "rows": 0, "known": 0, "outdone": 0, "outdated": 0, **counts}
    return Event(at, "c8.1", "consolidated", {"run": run, "batch": BATCH, "status": "consolidated", **counted})


def saw(at: float, staged: str, merged: str, *, who: str = "r0", **more: Any) -> Event:
    """A look that took a tenth of a second. Any: JSON."""
    data = {"began": at - 0.1, "asked": [BATCH], "staged": staged.split(), "merged": merged.split(), **more}
    return Event(at, who, "saw_batches", data)


def entry(run: str, token: int) -> Event:
    return Event(9.0, "judge", "batch_ledger", {"run": run, "batch": BATCH, "token": token})


def correct_history() -> list[Event]:
    """Two writes with a common key x; one consolidation, in which a2 (made at 2) outdoes b1 (at 1); then c1 comes late.

    c1 was made at 0: it is outdated when it is consolidated.
    """
    return [
        staging(1.0, "a", ("a1", "u", 5), ("a2", "x", 2)),
        staged(1.2, "a"),
        staging(1.3, "b", ("b1", "x", 1)),
        staged(1.4, "b"),
        saw(1.8, "a1 a2 b1", ""),
        consolidated(2.5, "k1", staged=3, rows=2, outdone=1),
        saw(2.8, "", "a1 a2"),
        staging(3.0, "c", ("c1", "x", 0), ("c2", "v", 1)),
        staged(3.2, "c"),
        saw(3.5, "c1 c2", "a1 a2"),
        consolidated(4.0, "k2", staged=2, rows=1, outdated=1),
        saw(4.5, "", "a1 a2 c2"),
        entry("k1", 1),
        entry("k2", 2),
        saw(9.2, "", "a1 a2 c2", who="judge", is_last=True),
    ]


def with_events(*more: Event) -> list[Event]:
    return sorted([*correct_history(), *more], key=lambda event: event.at)


def without(kind: str, run: str) -> list[Event]:
    return [event for event in correct_history() if (event.kind, event.data.get("run")) != (kind, run)]


def found(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(violation.guarantee, violation.message) for violation in check(events)]


def test_a_correct_history_breaks_nothing() -> None:
    """Merged, outdone and outdated: all accounted for."""
    assert found(correct_history()) == []


def test_a_prediction_that_was_merged_twice_is_found() -> None:
    """Two consolidations took the same staging."""
    assert found(with_events(saw(4.9, "", "a1 a1 a2 c2"))) == [
        ("G1", "r0 saw the prediction a1 2 times: it was merged more than once")
    ]


def test_a_prediction_that_is_staged_twice_is_found() -> None:
    """One write landed two times."""
    assert found(with_events(saw(3.6, "c1 c2 c2", "a1 a2"))) == [
        ("G1", "r0 saw the prediction c2 2 times: it was staged more than once")
    ]


def test_half_of_a_consolidation_is_found() -> None:
    """a1 is merged, and still in the staging."""
    assert found(with_events(saw(2.45, "a1", "a1 a2"))) == [
        ("G2", "r0 saw the prediction a1 staged and merged at once: half of a consolidation")
    ]


def test_a_lost_prediction_is_found() -> None:
    """a1 was acknowledged at 1.2; it is neither staged nor merged, and there is no later one of its key."""
    events = with_events(saw(1.9, "a2 b1", ""))

    assert found(events) == [("G4", "r0 saw the prediction a1 neither staged nor merged, and no later one: lost")]


def test_a_prediction_outdone_by_an_earlier_one_is_found() -> None:
    """b1 (made at 1) was merged and a2 (at 2) was thrown away: the wrong one won."""
    events = with_events(saw(2.45, "", "a1 b1"))

    assert found(events) == [
        ("G4", "r0 saw the prediction a2 neither staged nor merged, and no later one: lost"),
        # Later looks do not have b1.
        *[
            ("G4", f"{who} did not see the prediction b1, which had been seen merged")
            for who in ("r0", "r0", "r0", "judge")
        ],
    ]


def test_a_merged_prediction_that_is_gone_is_found() -> None:
    """Its writer was killed before he was told; it was seen merged, and the next look does not see it."""
    events = sorted([*without("staged", "c"), saw(4.9, "", "a1 a2")], key=lambda event: event.at)

    assert found(events) == [("G4", "r0 did not see the prediction c2, which had been seen merged")]


def test_a_prediction_that_nobody_staged_is_found() -> None:
    """Rows of a run that never began."""
    assert found(with_events(saw(4.9, "", "a1 a2 c2 ghost"))) == [
        ("G2", "r0 saw the prediction ghost, which nobody ever staged")
    ]


def test_a_staging_that_is_left_at_the_end_is_found() -> None:
    """After the last consolidation nothing may wait."""
    last = [*correct_history()[:-1], saw(9.2, "c1 c2", "a1 a2", who="judge", is_last=True)]

    assert ("G4", "2 predictions wait in the staging after the last consolidation") in found(last)


def test_a_report_that_does_not_add_up_is_found() -> None:
    """It took 3 rows and accounts for 2."""
    events = [*without("consolidated", "k1"), consolidated(2.5, "k1", staged=3, rows=2)]

    assert ("G4", "consolidation k1 took 3 rows and accounts for 2") in found(events)


def test_an_acknowledged_consolidation_that_is_not_in_the_ledger_is_found() -> None:
    """k2 left no entry."""
    assert found(without("batch_ledger", "k2")) == [
        ("G4", "consolidation k2 was acknowledged, but is not in the ledger")
    ]


def test_a_stale_consolidator_is_found() -> None:
    """Token 1 after token 2."""
    events = with_events(entry("k3", 1))

    assert found(events) == [("G3", "consolidation k3 was accepted with token 1, after k2 with 2")]


def test_a_write_whose_worker_was_killed_may_be_there_or_not() -> None:
    """Announced and never acknowledged: nothing is asked of it."""
    events = with_events(staging(4.6, "d", ("d1", "w", 1)))

    assert found(events) == []
    assert found(sorted([*events, saw(4.9, "d1", "a1 a2 c2")], key=lambda event: event.at)) == []
