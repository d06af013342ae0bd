"""Messages, deliveries of them and a topic for tests of the cloud function."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gradeonce.gcp.completion import Completion
from gradeonce.gcp.envelope import Envelope

MORNING = datetime(2026, 1, 2, 11, tzinfo=UTC)
"""06:00 in New York on the day after the first day of a season."""


def delivery(
    event_id: str = "e1",
    *,
    published_at: datetime | None = MORNING,
    attempt: int = 0,
    body: Any = None,
    **keys: Any,
) -> Envelope:
    """Return a delivery of a message with these keys, or of any body. Any: JSON values, or bytes."""
    given = keys if body is None else body
    content = given if isinstance(given, bytes) else json.dumps(given).encode()
    return Envelope(event_id, published_at, content, attempt)


def push_of(body: Any, event_id: str = "e1") -> bytes:
    """Return the request of a push subscription. Any: JSON values, or bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = {"data": base64.b64encode(data).decode(), "messageId": event_id, "publishTime": "2026-01-02T11:00:00Z"}
    return json.dumps({"message": message, "subscription": "projects/demo/subscriptions/grade"}).encode()


def some_completion() -> Completion:
    """Return what became of a date of three wins."""
    return Completion(
        schema_version=1,
        event_id="e1",
        correlation_id="c1",
        trigger_source="test",
        target_date="2026-01-01",
        status="published",
        error=None,
        run_id="g1",
        token=1,
        predictions=3,
        outcomes={"win": 3},
        revised=0,
        mae=9.0,
        bias=9.0,
        n=3,
        games=1,
        games_final=1,
        duplicates=0,
        other_dates=(),
        lock_wait_seconds=0.0,
        duration_seconds=1.0,
        run_aggregation=True,
        finished_at="2026-01-02T11:00:01Z",
        rules_version=1,
        gradeonce_version="0",
    )


class Listener:
    """A topic that keeps what it is told, or raises what it was given."""

    def __init__(self) -> None:
        self.taken: list[Completion] = []
        self.fails: Callable[[], Exception] | None = None

    def __call__(self, completion: Completion, *, seconds: float) -> None:
        assert seconds > 0
        if self.fails is not None:
            raise self.fails()
        self.taken.append(completion)
