"""Eight real processes write at once: every partition holds one whole version, every run is in the ledger (G1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import (
    days_of,
    duplicate_keys,
    land_actuals,
    land_season,
    ledger_findings,
    open_book,
)
from gradeonce.schema import ACCURACY
from races.crew import Crew, Stand
from races.scenarios import filled_writes, first_writes

STORES = pytest.mark.parametrize("store", ["sqlite", "off"])


@pytest.mark.parametrize(("store", "rounds"), [("sqlite", 20), ("off", 100)])
def test_first_write_of_an_empty_partition_by_eight_at_once_lands_once(
    crew: Crew, folder: Path, store: str, rounds: int
) -> None:
    """Empty partitions, 8 writers each: one set of rows, 8 ledger entries in sequence, no key twice.

    100 of them where the fence stands alone; leases keep the writers apart before it is asked.
    """
    assert first_writes(crew, folder, rounds=rounds, store=store, fenced=True) == []


@STORES
def test_replacing_a_filled_partition_by_eight_at_once_keeps_every_step(crew: Crew, folder: Path, store: str) -> None:
    """24 replacements of one partition: versions 1 to 24, and revisions that chain from the first to what stands."""
    assert filled_writes(crew, folder, rounds=3, store=store, fenced=True) == []


def test_without_the_fence_first_writes_are_seen_to_lose_runs(crew: Crew, folder: Path) -> None:
    """The same scenario on the unfenced build: all writers count themselves the first."""
    wrong = first_writes(crew, folder, rounds=2, store="off", fenced=False)

    assert "2026-01-01 has the versions [1, 1, 1, 1, 1, 1, 1, 1] in the ledger, not 1 to 8, each once" in wrong
    assert "2026-01-01 was published 8 times, with the same content" in wrong


def test_without_the_fence_replacements_are_seen_to_lose_revisions(crew: Crew, folder: Path) -> None:
    """The same scenario on the unfenced build: what one writer changed, another never saw."""
    wrong = filled_writes(crew, folder, rounds=2, store="off", fenced=False)

    assert "two revisions start from the same version: one of them was lost" in wrong


@STORES
def test_eight_gradings_of_one_date_at_once_publish_it_once(crew: Crew, folder: Path, store: str) -> None:
    """First grading, then a correction, by 8 graders each time: one publishes, seven find it unchanged."""
    land_season(folder, 1, 4, 2)
    crew.stand_at(Stand(folder, meet_at="publish.staged" if store == "off" else "", settings={"store": store}))

    for correction in range(2):
        if correction:
            land_actuals(folder, 1, 4, points=11 + correction, version=1 + correction)
        answers = crew.round([("grade", {"day": "2026-01-01"})] * crew.size)

        assert sorted(answer.get("status", str(answer)) for answer in answers) == ["published"] + ["unchanged"] * 7
        with open_book(folder) as book:
            sql = f"SELECT count(*), min(actual_value), max(actual_value) FROM {ACCURACY.name}"
            assert book.sql(sql).rows == [(8, 11 + correction, 11 + correction)]
            assert duplicate_keys(book, ACCURACY) == 0
            runs = {row[0] for row in book.sql("SELECT run_id FROM grading_runs").rows}
            assert {answer["run_id"] for answer in answers} <= runs

    with open_book(folder) as book:
        assert ledger_findings(book.warehouse) == ()
        # The correction changed the 8 grades once, whoever of the eight published it.
        assert book.sql("SELECT reason, count(*) FROM grade_revisions GROUP BY ALL").rows == [("stat_correction", 8)]


def test_neighbouring_partitions_do_not_disturb_each_other(crew: Crew, folder: Path) -> None:
    """8 graders on 8 dates at once, twice: nobody waits for a lease, is refused, or touches a neighbour."""
    days = [day.isoformat() for day in days_of(crew.size)]
    land_season(folder, crew.size, 4)
    # No wait at all: a lease that a neighbour held would be an error.
    crew.stand_at(Stand(folder, meet_at="publish.staged", settings={"wait_seconds": 0.0}))

    for correction in range(2):
        if correction:
            land_actuals(folder, crew.size, 4, points=11 + correction, version=1 + correction)
        answers = crew.round([("grade", {"day": day}) for day in days])
        assert [answer.get("status", str(answer)) for answer in answers] == ["published"] * crew.size

    with open_book(folder) as book:
        fences = book.warehouse.all_fences(ACCURACY)
        # One commit per correction and date: no neighbour's publish ever forced a second attempt.
        assert [(fence.partition, fence.seq, fence.rows) for fence in fences] == [(day, 2, 4) for day in days]
        assert ledger_findings(book.warehouse) == ()
