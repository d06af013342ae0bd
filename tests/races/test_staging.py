"""Workers stage and consolidators merge in real processes: at once, killed, and stopped past their leases."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import ledger_findings, let_leases_run_out, new_book
from gradeonce.book import Book
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.schema import PREDICTIONS
from postgres_book import postgres, schema
from races.child import answer_of, child, wait_until_stopped
from races.crew import Crew, Stand
from staged_files import pick, write_file

__all__ = ["postgres", "schema"]

DAY = "2026-01-17"
BATCH = "morning"
WORKERS = 8
LEASED = {"wait_seconds": 60.0}

COMMIT_STEPS = {
    "embedded": ["land.staged", "seal.{table}", "commit.begun", "commit.fenced", "commit.pointed", "commit.ledgered"],
    "postgresql": ["land.sent", "land.locked", "land.staged", "commit.fenced", "commit.pointed", "commit.ledgered"],
}
"""Where a landing may die, on either warehouse, before it is committed."""


def steps_of(name: str, before: list[str], table: str, after: list[str]) -> list[str]:
    return [*before, *(step.format(table=table) for step in COMMIT_STEPS[name]), "commit.done", *after]


WRITE_STEPS = {name: steps_of(name, ["stage.read"], "staged_predictions", []) for name in COMMIT_STEPS}
CONSOLIDATE_STEPS = {
    name: steps_of(
        name, ["consolidate.read", "consolidate.leased"], "player_prop_predictions", ["consolidate.released"]
    )
    for name in COMMIT_STEPS
}
COMMITTED = ("commit.done", "consolidate.released")


@dataclass(frozen=True)
class Place:
    """Where a book is, for processes that open it."""

    name: str
    where: Any
    settings: dict[str, Any]

    def open(self) -> Book:
        return gradeonce.open(self.where, threads=1, minimum_free_megabytes=1, **self.settings)

    def child(self, job: str, values: dict[str, Any], **orders: Any) -> Any:
        return child(self.where, job, values, settings=self.settings, **orders)


@pytest.fixture(params=list(COMMIT_STEPS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty book on either warehouse."""
    if request.param == "embedded":
        return Place("embedded", new_book(tmp_path / "book"), dict(LEASED))
    server = request.getfixturevalue("postgres")
    return Place("postgresql", server.url, {**LEASED, "schema": request.getfixturevalue("schema")})


@pytest.fixture
def book(place: Place) -> Iterator[Book]:
    with place.open() as opened:
        yield opened


def stage(book: Book, folder: Path, worker: str, *rows: str, name: str = "rows.csv") -> dict[str, Any]:
    """Stage rows here and now; return the values with which a child would stage the same."""
    file = write_file(folder / name, rows)
    book.stage_write(file, batch=BATCH, worker=worker)
    return {"file": str(file), "batch": BATCH, "worker": worker}


def players(book: Book) -> list[str]:
    return [row[0] for row in book.sql(f"SELECT player_lookup FROM {PREDICTIONS.name} ORDER BY 1").rows]


def waiting(book: Book) -> int:
    """Return how many rows are staged, by the fences and by the rows themselves."""
    ((rows,),) = book.sql("SELECT count(*) FROM staged_predictions").rows
    assert rows == sum(batch.rows for batch in book.staged())
    return int(rows)


def test_every_row_of_eight_workers_is_merged_exactly_once(
    crew: Crew, place: Place, book: Book, tmp_path: Path
) -> None:
    """8 workers stage 3 files of 5 rows each while one consolidates over and over: 120 rows, each once, none left.

    Every file holds one pick of its own worker alone and four picks that other workers stage too, created later by
    higher workers: of these the one of the last worker counts.
    """
    files = 3
    for worker in range(WORKERS):
        for number in range(files):
            shared = [pick(f"shared{number}.{i}", at=f"10:0{worker}", value=worker) for i in range(4)]
            write_file(tmp_path / f"{worker}.{number}.csv", [pick(f"own{worker}.{number}"), *shared])
    crew.stand_at(Stand(place.where, settings=place.settings))
    crew.start(
        [
            (
                "stage_files",
                {"files": [str(tmp_path / f"{w}.{n}.csv") for n in range(files)], "batch": BATCH, "worker": f"w{w}"},
            )
            for w in range(WORKERS)
        ]
    )
    reports = []
    answers: list[dict[str, Any]] = []
    while len(answers) < WORKERS:
        # The batch is known once the first worker has begun.
        if book.staged():
            reports.append(book.stage_consolidate(BATCH))
        if crew.has_answered(len(answers)):
            answers.append(crew.result(len(answers)))
    reports.append(book.stage_consolidate(BATCH))

    assert [answer.get("rows", answer) for answer in answers] == [files * 5] * WORKERS
    assert sum(report.staged for report in reports) == WORKERS * files * 5
    assert all(r.staged == r.rows + r.known + r.outdone + r.outdated for r in reports)
    assert waiting(book) == 0
    standing = book.sql(
        "SELECT player_lookup, count(*), max(predicted_value) FROM player_prop_predictions "
        "WHERE player_lookup LIKE 'shared%' GROUP BY 1"
    ).rows
    assert [row[2] for row in standing] == [WORKERS - 1] * files * 4
    own = [name for name in players(book) if name.startswith("own")]
    assert own == sorted(f"own{worker}.{number}" for worker in range(WORKERS) for number in range(files))
    assert ledger_findings(book.warehouse) == ()


def test_consolidators_at_once_merge_a_batch_once(crew: Crew, place: Place, book: Book, tmp_path: Path) -> None:
    """Eight of them: one merges all three rows, seven find nothing left."""
    stage(book, tmp_path, "w1", pick("a"), pick("b"))
    stage(book, tmp_path, "w2", pick("c"))
    crew.stand_at(Stand(place.where, settings=place.settings))

    answers = crew.round([("consolidate", {"batch": BATCH})] * WORKERS)

    assert sorted(answer.get("status", str(answer)) for answer in answers) == [
        *["already_consolidated"] * (WORKERS - 1),
        "consolidated",
    ]
    assert players(book) == ["a", "b", "c"]
    assert ledger_findings(book.warehouse) == ()


def test_without_leases_the_fences_alone_keep_consolidators_apart(
    crew: Crew, place: Place, book: Book, tmp_path: Path
) -> None:
    """All eight have read the same staging before the first may go on: it is merged once."""
    stage(book, tmp_path, "w1", pick("a"), pick("b"))
    crew.stand_at(Stand(place.where, meet_at="consolidate.leased", settings={**place.settings, "store": "off"}))

    answers = crew.round([("consolidate", {"batch": BATCH})] * WORKERS)

    assert sorted(answer.get("rows", str(answer)) for answer in answers) == [0] * (WORKERS - 1) + [2]
    assert players(book) == ["a", "b"]
    assert ledger_findings(book.warehouse) == ()


@pytest.mark.parametrize(
    ("place", "step"),
    [(name, step) for name, steps in WRITE_STEPS.items() for step in steps],
    indirect=["place"],
)
def test_a_write_killed_at_a_step_is_staged_whole_or_not(place: Place, book: Book, tmp_path: Path, step: str) -> None:
    """Both rows are staged or none; the worker tries again, and the batch holds them once."""
    file = write_file(tmp_path / "rows.csv", [pick("a"), pick("b")])
    values = {"file": str(file), "batch": BATCH, "worker": "w1"}
    with place.child("stage", values, step=step, signal_name="SIGKILL") as process:
        assert answer_of(process) == {}

    assert waiting(book) == (2 if step in COMMITTED else 0)
    again = book.stage_write(file, batch=BATCH, worker="w1")
    assert again.status == ("already_staged" if step in COMMITTED else "staged")
    assert book.stage_consolidate(BATCH).rows == 2
    assert players(book) == ["a", "b"]
    assert ledger_findings(book.warehouse) == ()


@pytest.mark.parametrize(
    ("place", "step"),
    [(name, step) for name, steps in CONSOLIDATE_STEPS.items() for step in steps],
    indirect=["place"],
)
def test_a_consolidation_killed_at_a_step_is_before_or_after(
    place: Place, book: Book, tmp_path: Path, step: str
) -> None:
    """Rows are staged and not merged, or merged and not staged; a worker goes on, and a rerun merges what is left."""
    stage(book, tmp_path, "w1", pick("a"), pick("b"))
    with place.child("consolidate", {"batch": BATCH}, step=step, signal_name="SIGKILL") as process:
        assert answer_of(process) == {}

    assert (players(book), waiting(book)) == ((["a", "b"], 0) if step in COMMITTED else ([], 2))
    assert ledger_findings(book.warehouse) == ()
    stage(book, tmp_path, "w2", pick("c"))
    # The dead holder's lease runs out; nobody has to clear anything away.
    let_leases_run_out(book)
    report = book.stage_consolidate(BATCH)
    assert report.rows == (1 if step in COMMITTED else 3)
    assert (players(book), waiting(book)) == (["a", "b", "c"], 0)
    assert ledger_findings(book.warehouse) == ()


def test_these_are_all_steps(place: Place, book: Book, tmp_path: Path) -> None:
    """Undisturbed, a write and a consolidation pass exactly the steps at which they are killed above."""
    file = write_file(tmp_path / "rows.csv", [pick("a")])
    with place.child("stage", {"file": str(file), "batch": BATCH, "worker": "w1"}) as process:
        assert answer_of(process)["steps"] == WRITE_STEPS[place.name]
    with place.child("consolidate", {"batch": BATCH}) as process:
        assert answer_of(process)["steps"] == CONSOLIDATE_STEPS[place.name]


# In PostgreSQL whoever has begun to land holds rows in the server: a successor waits until the server takes them back.
@pytest.mark.parametrize(
    ("place", "step"),
    [("embedded", "consolidate.leased"), ("embedded", "land.staged"), ("postgresql", "consolidate.leased")],
    indirect=["place"],
)
@pytest.mark.parametrize("meanwhile", ["merged", "known"])
def test_a_consolidator_stopped_past_its_lease_is_refused(
    place: Place, tmp_path: Path, step: str, meanwhile: str
) -> None:
    """Its successor takes the same rows and more; woken up, it is told that its lease of token 1 was lost (G3).

    Also when the successor had nothing to add, because the rows had been loaded meanwhile.
    """
    short = replace(place, settings={**place.settings, "ttl_seconds": 3.0})
    rows = [pick("a"), pick("b")]
    with short.open() as book:
        stage(book, tmp_path, "w1", *rows)
        with short.child("consolidate", {"batch": BATCH}, step=step, signal_name="SIGSTOP") as process:
            wait_until_stopped(process)
            if meanwhile == "known":
                book.load("predictions", write_file(tmp_path / "loaded.csv", rows))
            else:
                stage(book, tmp_path, "w2", pick("c"))
            successor = book.stage_consolidate(BATCH)
            stands = book.sql("SELECT player_lookup, load_id FROM player_prop_predictions ORDER BY 1").rows
            os.kill(process.pid, signal.SIGCONT)
            stale = answer_of(process)

        assert successor.tokens == {DAY: 2}
        assert successor.rows == (0 if meanwhile == "known" else 3)
        assert (stale.get("error"), process.returncode) == ("LeaseLost", ExitCode.LEASE_LOST)
        assert book.sql("SELECT player_lookup, load_id FROM player_prop_predictions ORDER BY 1").rows == stands
        assert waiting(book) == 0
        assert ledger_findings(book.warehouse) == ()


def test_a_sweep_and_a_consolidation_do_not_both_have_the_rows(place: Place, book: Book, tmp_path: Path) -> None:
    """A consolidator stopped before its commit finds its staging swept: it merges nothing of it."""
    stage(book, tmp_path, "w1", pick("a"))
    with place.child("consolidate", {"batch": BATCH}, step="consolidate.leased", signal_name="SIGSTOP") as process:
        wait_until_stopped(process)
        assert [b.rows for b in book.stage_sweep(BATCH, apply=True).batches] == [1]
        os.kill(process.pid, signal.SIGCONT)
        answer = answer_of(process)

    assert answer["status"] == "nothing_staged"
    assert (players(book), waiting(book)) == ([], 0)
    assert ledger_findings(book.warehouse) == ()
