"""An apply or a rollback killed between any two steps happened or did not; it can be run again (G4)."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import ledger_findings, let_leases_run_out, new_book, open_book
from doubled import FIRST, SECOND, Grade, hours, put
from gradeonce.book import Book
from postgres_book import postgres, schema
from races.child import answer_of, child

__all__ = ["postgres", "schema"]

INCIDENT = [Grade(FIRST, "ann", 8), Grade(FIRST, "ann", 9), Grade(FIRST, "bob", 8), Grade(SECOND, "ann", 7)] * 2
"""Four rows that each stand twice; of ann's on FIRST, another hour makes it four copies."""
CLEAN = [(FIRST, "ann", 8), (FIRST, "bob", 8), (SECOND, "ann", 7)]
DIRTY = [
    (FIRST, "ann", 8), (FIRST, "ann", 8), (FIRST, "ann", 9), (FIRST, "ann", 9), (FIRST, "bob", 8), (FIRST, "bob", 8),
    (SECOND, "ann", 7), (SECOND, "ann", 7),
]  # fmt: skip
SETTINGS = {"wait_seconds": 0.0}

_PUBLISH = ["dedupe.leased", "publish.based", "publish.staged", "publish.validated", "publish.compared"]
_SEALS = ["seal.written", "seal.prediction_accuracy", "seal.grade_revisions"]
_SUMS = "seal.system_daily_performance"
_COMMIT = ["commit.begun", "commit.fenced", "commit.pointed", "commit.ledgered", "commit.done"]
_SERVER_COMMIT = ["commit.begun", "commit.fenced", "commit.removed", "commit.pointed", "commit.ledgered", "commit.done"]
FOLDER_STEPS = {
    "dedupe_apply": [*_PUBLISH, *_SEALS, "seal.BACKUP", _SUMS, *_COMMIT, "dedupe.released"],
    "dedupe_rollback": [*_PUBLISH, *_SEALS, _SUMS, *_COMMIT, "dedupe.released"],
}
SERVER_STEPS = {name: [*_PUBLISH, *_SERVER_COMMIT, "dedupe.released"] for name in FOLDER_STEPS}
COMMITTED = ("commit.done", "dedupe.released")
"""Steps past the commit: whoever dies there has done it."""

FOLDER_CASES = [(job, step) for job, steps in FOLDER_STEPS.items() for step in steps]
SERVER_CASES = [(job, step) for job, steps in SERVER_STEPS.items() for step in steps]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A book in which the plan waits to be applied, one in which it is applied, and its name."""
    folder = new_book(tmp_path_factory.mktemp("killed") / "planned")
    with open_book(folder) as book:
        put(book, INCIDENT)
        plan_id = book.dedupe_plan().plan_id
    applied = Path(shutil.copytree(folder, folder.with_name("applied")))
    with open_book(applied) as book:
        book.dedupe_apply(plan_id)
    return folder, applied, plan_id


def run_until(where: str | Path, job: str, plan_id: str, step: str, settings: dict[str, Any]) -> list[str]:
    """Run a job in a process of its own that kills itself at the step; return the steps if it lived."""
    with child(where, job, {"plan_id": plan_id}, step=step, signal_name="SIGKILL", settings=settings) as process:  # type: ignore[arg-type]
        answer = answer_of(process)
        assert process.returncode == (-signal.SIGKILL if step else 0), answer
        return list(answer.get("steps", []))


def finish(book: Book, job: str, plan_id: str, step: str) -> None:
    """Assert that all of it happened or nothing; run it again, and assert that it is done once."""
    before, after = (DIRTY, CLEAN) if job == "dedupe_apply" else (CLEAN, DIRTY)
    assert hours(book) == (after if step in COMMITTED else before)
    assert book.dedupe_verify(plan_id).passed == (job == "dedupe_rollback" or step in COMMITTED)
    let_leases_run_out(book)
    if job == "dedupe_apply":
        assert book.dedupe_apply(plan_id).status == ("already_applied" if step in COMMITTED else "applied")
    elif step not in COMMITTED:
        book.dedupe_rollback(plan_id)
    assert hours(book) == after
    assert book.dedupe_verify(plan_id).passed
    assert ledger_findings(book.warehouse) == ()


@pytest.mark.parametrize("job", FOLDER_STEPS)
def test_these_are_all_steps(prepared: tuple[Path, Path, str], tmp_path: Path, job: str) -> None:
    """One that is not disturbed passes exactly the steps at which the tests below kill it."""
    planned, applied, plan_id = prepared
    folder = Path(shutil.copytree(planned if job == "dedupe_apply" else applied, tmp_path / "book"))

    steps = run_until(folder, job, plan_id, "", SETTINGS)

    assert [step if "_backup_" not in step else "seal.BACKUP" for step in steps] == FOLDER_STEPS[job]


@pytest.mark.parametrize(("job", "step"), FOLDER_CASES)
def test_killed_in_a_folder(prepared: tuple[Path, Path, str], tmp_path: Path, job: str, step: str) -> None:
    """Readers see the copies or the clean rows; a rerun ends where it should."""
    planned, applied, plan_id = prepared
    folder = Path(shutil.copytree(planned if job == "dedupe_apply" else applied, tmp_path / "book"))

    run_until(folder, job, plan_id, step.replace("BACKUP", f"prediction_accuracy_backup_{plan_id}"), SETTINGS)

    with open_book(folder, **SETTINGS) as book:
        finish(book, job, plan_id, step)


@pytest.fixture
def server_book(postgres: Any, schema: str) -> Iterator[Book]:
    with gradeonce.open(postgres.url, schema=schema, threads=1, **SETTINGS) as book:
        put(book, INCIDENT)
        yield book


@pytest.mark.parametrize(("job", "step"), SERVER_CASES)
def test_killed_on_a_server(server_book: Book, job: str, step: str) -> None:
    """The same: the server takes the transaction back when its client is gone."""
    plan_id = server_book.dedupe_plan().plan_id
    if job == "dedupe_rollback":
        server_book.dedupe_apply(plan_id)
    settings = {**SETTINGS, "schema": server_book.settings.schema}

    run_until(server_book.settings.book, job, plan_id, step, settings)

    finish(server_book, job, plan_id, step)
