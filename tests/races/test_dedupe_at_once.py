"""Several deduplicators, and gradings beside them, at once: copies go once, and nothing else moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import duplicate_keys, land_season, ledger_findings, open_book
from doubled import FIRST, SECOND, Grade, hours, put
from gradeonce.schema import ACCURACY
from races.crew import Crew, Stand

INCIDENT = [Grade(FIRST, "ann", 8), Grade(FIRST, "ann", 9), Grade(FIRST, "bob", 8), Grade(SECOND, "ann", 7)]


@pytest.mark.parametrize("store", ["sqlite", "off"])
def test_one_of_several_deduplicators_applies_a_plan(crew: Crew, folder: Path, store: str) -> None:
    """Eight apply the same plan: one does, the others are told that it is done, or that the rows have moved."""
    with open_book(folder) as book:
        put(book, INCIDENT)
        plan_id = book.dedupe_plan().plan_id
    meet_at = "publish.staged" if store == "off" else ""
    crew.stand_at(Stand(folder, meet_at=meet_at, settings={"store": store, "wait_seconds": 60.0}))

    answers = crew.round([("dedupe_apply", {"plan_id": plan_id})] * crew.size)

    told = [answer.get("status") or answer["error"] for answer in answers]
    assert told.count("applied") == 1
    assert set(told) <= {"applied", "already_applied" if store == "sqlite" else "RefusedForSafety"}
    with open_book(folder) as book:
        assert hours(book) == [(FIRST, "ann", 8), (FIRST, "bob", 8), (SECOND, "ann", 7)]
        assert [e.draft.partition for e in book.warehouse.entries() if e.draft.kind == "dedupe"] == [FIRST]
        assert ledger_findings(book.warehouse) == ()


@pytest.mark.parametrize("store", ["sqlite", "off"])
def test_a_grading_beside_an_apply_comes_before_or_after(crew: Crew, folder: Path, store: str) -> None:
    """Four grade the date while four clean it: a grading is refused while copies stand; at the end none does."""
    with open_book(folder) as book:
        put(book, INCIDENT)
        land_season(book, 1, 4)
        plan_id = book.dedupe_plan().plan_id
    crew.stand_at(Stand(folder, settings={"store": store, "wait_seconds": 60.0}))
    half = crew.size // 2

    answers = crew.round([("grade", {"day": FIRST})] * half + [("dedupe_apply", {"plan_id": plan_id})] * half)

    graded = [answer.get("status") or answer["error"] for answer in answers[:half]]
    cleaned = [answer.get("status") or answer["error"] for answer in answers[half:]]
    assert set(graded) <= {"published", "unchanged", "RefusedForSafety"}
    assert cleaned.count("applied") == 1
    assert set(cleaned) <= {"applied", "already_applied", "RefusedForSafety"}
    with open_book(folder) as book:
        assert duplicate_keys(book, ACCURACY) == 0
        assert len(hours(book)) == (5 if {"published", "unchanged"} & set(graded) else 3)
        assert ledger_findings(book.warehouse) == ()
