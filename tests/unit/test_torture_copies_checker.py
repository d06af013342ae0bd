"""The checker of the deduplicator: it passes a correct history, and finds every lie that is planted in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gradeonce.torture.checker import check
from gradeonce.torture.copies import Filling
from gradeonce.torture.history import Event

CRATE = "crate-0000"

# 5 keys of 1, 2, 3, 1, 2 copies: 9 rows; amounts 100.. in tens, copies one apart.
F = Filling("f8.1.1", 1)
G = Filling("f9.1.1", 2)

DOUBLED = {"rows": F.rows, "keys": F.keys, "checksum": F.checksum, "versions": [F.name]}
CLEAN = {"rows": F.keys, "keys": F.keys, "checksum": F.kept_checksum, "versions": [F.name]}


def filling(at: float, made: Filling) -> Event:
    data = {"run": made.name, "crate": CRATE, "rows": made.rows, "keys": made.keys, "checksum": made.checksum}
    return Event(at, "d8.1", "filling", {**data, "kept_checksum": made.kept_checksum})


def filled(at: float, made: Filling) -> Event:
    return Event(at, "d8.1", "filled", {"run": made.name, "crate": CRATE})


def deduping(at: float, op: str, plan: str = "p1") -> Event:
    return Event(at, "d8.1", "deduping", {"plan": plan, "crate": CRATE, "op": op})


def deduped(at: float, op: str, run: str, plan: str = "p1") -> Event:
    return Event(at, "d8.1", "deduped", {"plan": plan, "crate": CRATE, "op": op, "run": run})


def entry(kind: str, run: str, *, seq: int, rows: int, token: int = 1, plan: str = "") -> Event:
    data = {"entry": kind, "run": run, "crate": CRATE, "seq": seq, "rows": rows, "token": token, "plan": plan}
    return Event(9.0, "judge", "copies_ledger", data)


def saw(at: float, seen: dict[str, Any] | None, *, who: str = "r0", began: float | None = None) -> Event:
    """A look that took a tenth of a second. Any: JSON."""
    crates = {} if seen is None else {CRATE: seen}
    return Event(at, who, "saw_copies", {"began": began or at - 0.1, "asked": [CRATE], "crates": crates})


def backup(seen: dict[str, Any], plan: str = "p1") -> Event:
    return Event(9.3, "judge", "backup", {"plan": plan, "crate": CRATE, **seen})


def correct_history() -> list[Event]:
    """Filled (version 1), applied (2), rolled back (3), applied again (4)."""
    return [
        saw(0.9, None),
        filling(1.0, F),
        filled(1.5, F),
        saw(1.8, DOUBLED),
        deduping(2.0, "apply"),
        deduped(2.5, "apply", "d1"),
        saw(2.8, CLEAN),
        deduping(3.0, "rollback"),
        deduped(3.5, "rollback", "r1"),
        saw(3.8, DOUBLED),
        deduping(4.0, "apply"),
        deduped(4.5, "apply", "d2"),
        saw(4.8, CLEAN),
        entry("publish", F.name, seq=1, rows=9),
        entry("dedupe", "d1", seq=2, rows=5, plan="p1"),
        entry("dedupe_rollback", "r1", seq=3, rows=9, plan="p1"),
        entry("dedupe", "d2", seq=4, rows=5, plan="p1"),
        saw(9.2, CLEAN, who="judge"),
        backup(DOUBLED),
        Event(9.4, "judge", "plan_verified", {"plan": "p1", "crate": CRATE, "findings": []}),
        Event(9.5, "judge", "deduplication_judged", {}),
    ]


def with_events(*more: Event) -> list[Event]:
    return sorted([*correct_history(), *more], key=lambda event: event.at)


def without(kind: str, **values: Any) -> list[Event]:
    """Leave out the events of that kind that have these values. Any: JSON."""
    return [
        event
        for event in correct_history()
        if event.kind != kind or any(event.data.get(name) != value for name, value in values.items())
    ]


def found(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(violation.guarantee, violation.message) for violation in check(events)]


def test_a_filling_is_what_it_says() -> None:
    """Number 1: 5 keys, 1 + 2 + 3 + 1 + 2 = 9 rows. Kept 1 + 11 + 21 + 31 + 41 = 105, copies 12 + 22 + 23 + 42."""
    assert (F.keys, F.rows, F.kept_checksum, F.checksum) == (5, 9, 105, 204)


def test_a_correct_history_breaks_nothing() -> None:
    """Filled, cleaned, brought back, cleaned again."""
    assert found(correct_history()) == []


def test_a_look_during_an_apply_may_see_either_state() -> None:
    """It began before the apply was acknowledged, and ended after it had begun."""
    assert found(with_events(saw(2.4, DOUBLED), saw(2.45, CLEAN))) == []


@pytest.mark.parametrize(
    "seen",
    [
        {**DOUBLED, "rows": 7},
        {**CLEAN, "checksum": 106},
        {**CLEAN, "rows": 4, "keys": 4},
        {**CLEAN, "versions": [F.name, G.name]},
    ],
    ids=["some copies removed", "another copy kept", "a key lost", "mixed"],
)
def test_a_state_between_is_found(seen: dict[str, Any]) -> None:
    """Neither the rows before nor the rows after."""
    (violation,) = found(with_events(saw(2.4, seen)))

    assert violation[0] == "G2"
    assert "no state that crate was ever to be in" in violation[1]


def test_copies_that_come_back_by_themselves_are_found() -> None:
    """The second apply was acknowledged at 4.5; a later look sees the copies again, a state of before."""
    (violation,) = found(with_events(saw(4.95, DOUBLED)))

    assert violation[0] == "G4"
    assert "not what run d2 had left there" in violation[1]


def test_copies_that_vanish_before_anybody_removed_them_are_found() -> None:
    """Clean at 1.9, though the apply began at 2.0."""
    (violation,) = found(with_events(saw(1.9, CLEAN)))

    assert violation[0] == "G4"


def test_a_crate_that_is_empty_is_found() -> None:
    """Between DELETE and INSERT."""
    (violation,) = found(with_events(saw(2.9, None)))

    assert violation[0] == "G4"
    assert "r0 saw nothing" in violation[1]


def test_copies_that_stand_at_the_end_are_found() -> None:
    """The last entry removed them; the judge sees them all the same."""
    events = [*without("saw_copies", began=9.2 - 0.1), saw(9.2, DOUBLED, who="judge")]

    assert [guarantee for guarantee, _ in found(events)] == ["G4"]


def test_an_acknowledged_apply_that_is_not_in_the_ledger_is_found() -> None:
    """And the versions have a gap."""
    messages = [message for _, message in found(without("copies_ledger", run="d2"))]

    assert "run d2 was acknowledged, but is not in the ledger" in messages


def test_a_missing_version_is_found() -> None:
    """Versions 1, 2 and 4."""
    messages = [message for _, message in found(without("copies_ledger", run="r1"))]

    assert "the ledger tells version 4 where version 3 should follow" in messages


def test_an_apply_that_left_other_rows_than_planned_is_found() -> None:
    """The ledger says 6 rows; 5 keys were to stay."""
    events = [
        replace(event, data={**event.data, "rows": 6})
        if event.data.get("run") == "d2" and event.who == "judge"
        else event
        for event in correct_history()
    ]

    assert ("G4", "run d2 left 6 rows where 5 were to stand") in found(events)


def test_an_apply_on_what_was_clean_already_is_found() -> None:
    """Two deduplicators both removed the copies: the second had none to remove."""
    events = with_events(entry("dedupe", "d3", seq=5, rows=5, plan="p1"))

    assert ("G4", "run d3 removed copies of plan p1, and there were none") in found(events)


def test_a_stale_deduplicator_is_found() -> None:
    """d3 applied with token 1 after a filling with token 2."""
    events = with_events(
        filling(5.0, G),
        filled(5.2, G),
        entry("publish", G.name, seq=5, rows=G.rows, token=2),
        entry("dedupe", "d3", seq=6, rows=G.keys, token=1, plan="p2"),
    )

    assert ("G3", "run d3 was accepted with token 1, after token 2: a stale writer") in found(events)


def test_a_filling_that_was_refused_and_landed_is_found() -> None:
    """Its deduplicator was told that its lease was lost."""
    events = with_events(Event(1.6, "d8.1", "unfilled", {"run": F.name, "crate": CRATE}))

    assert any("was told otherwise" in message for _, message in found(events))


def test_an_entry_that_nobody_began_is_found() -> None:
    """A filling without its announcement."""
    assert ("G4", f"the ledger holds run {F.name}, which nobody began") in found(without("filling"))


@pytest.mark.parametrize("seen", [CLEAN, {**DOUBLED, "checksum": 0}, None], ids=["clean", "other amounts", "gone"])
def test_a_backup_that_is_not_intact_is_found(seen: dict[str, Any] | None) -> None:
    """It must hold the 9 rows that stood before the apply."""
    events = [*without("backup"), *([] if seen is None else [backup(seen)])]

    assert any(
        guarantee == "G4" and message.startswith("the backup of plan p1 holds") for guarantee, message in found(events)
    )


def test_a_plan_that_does_not_verify_is_found() -> None:
    """What `dedupe verify` says counts."""
    events = with_events(
        Event(9.6, "judge", "plan_verified", {"plan": "p1", "crate": CRATE, "findings": ["a key is gone"]})
    )

    assert ("G4", "plan p1 does not verify: a key is gone") in found(events)


def test_a_deduplicator_killed_before_it_was_told_breaks_nothing() -> None:
    """The second apply landed and nobody was told: looks may see either state until the end."""
    killed = [event for event in correct_history() if event.data.get("run") != "d2" or event.kind != "deduped"]

    assert found(sorted([*killed, saw(4.95, DOUBLED)], key=lambda event: event.at)) == []
