"""The function, killed: a process of its own over a book in a folder, with SIGKILL where it hurts most."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from acceptance.function_process import Function
from builders import duplicate_keys, land_season, new_book, open_book
from gcp_messages import push_of
from gradeonce.schema import ACCURACY, HANDLED_EVENTS
from servers import require

PATIENCE_SECONDS = 180.0
STEPS = (("grade.leased", "published"), ("event.graded", "unchanged"), ("event.kept", "published"))
"""Where it is killed, and what the next process says of the event: what was kept is what it was told then."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book with a date for every step."""
    folder = new_book(tmp_path_factory.mktemp("killed") / "book")
    land_season(folder, len(STEPS), 3)
    return folder


@pytest.fixture(scope="module")
def function(folder: Path) -> Iterator[Function]:
    """The web service, which answers with what became of an event."""
    require("functions_framework", "gunicorn")
    settings = {
        "GRADEONCE_WAREHOUSE_BOOK": str(folder),
        "GRADEONCE_WAREHOUSE_THREADS": "1",
        "GRADEONCE_LOCK_TTL_SECONDS": "4",
        "GRADEONCE_FUNCTION_COMPLETION_TOPIC": "",
        "GRADEONCE_FUNCTION_TIMEOUT_SECONDS": "60",
    }
    with Function(settings, is_service=True) as function:
        yield function


def push(function: Function, event_id: str, day: str) -> dict[str, Any]:
    """Push a message, and return the answer. Any: JSON values."""
    body = push_of({"target_date": day}, event_id=event_id)
    request = urllib.request.Request(function.url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        document = json.loads(answer.read())
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step for step, _ in STEPS])
def test_the_next_process_does_what_a_killed_one_left(function: Function, folder: Path, number: int) -> None:
    """The grades stand once, published by whoever came so far; the event is answered, and the next time alike."""
    step, status = STEPS[number]
    day, event_id = f"2026-01-0{number + 1}", f"event-{number}"
    function.stand_still_at(step)

    def lose() -> None:
        # The answer never comes.
        with suppress(OSError, http.client.HTTPException):
            push(function, event_id, day)

    lost = threading.Thread(target=lose)
    lost.start()
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while not function.stands_still:
        assert time.monotonic() < gives_up_at
        time.sleep(0.02)
    function.kill()
    lost.join()
    function.start()

    answers = [push(function, event_id, day) for _ in range(2)]

    assert [answer["completion"]["status"] for answer in answers] == [status, status]
    assert answers[0]["completion"] == answers[1]["completion"]
    assert answers[1]["outcome"] == "done_before"
    with open_book(folder) as book:
        entries = [entry.draft for entry in book.warehouse.entries() if entry.draft.partition == day]
        assert [draft.status for draft in entries if draft.kind == "grade"].count("published") == 1
        assert (len(book.sql(f"SELECT 1 FROM prediction_accuracy WHERE game_date = '{day}'").rows)) == 3
        assert duplicate_keys(book, ACCURACY) == 0
        assert [row["status"] for row in book.warehouse.kept(HANDLED_EVENTS).dicts()][-1] == status
