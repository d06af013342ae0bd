"""Deliveries and messages: every form they come in, and everything that is no message."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from gradeonce.errors import UsageError
from gradeonce.gcp.envelope import LONGEST_BODY, Envelope, of_cloud_event, of_request
from gradeonce.gcp.message import read_message

NOW = datetime(2026, 1, 18, 11, tzinfo=UTC)
LEAGUE = "America/New_York"
BODY = b'{"target_date": "2026-01-17"}'
PUSH = {
    "message": {
        "data": base64.b64encode(BODY).decode(),
        "messageId": "77",
        "publishTime": "2026-01-18T11:00:00.123456789Z",
        "attributes": {"a": "b"},
    },
    "subscription": "projects/p/subscriptions/s",
}
CAME = datetime(2026, 1, 18, 11, 0, 0, 123456, tzinfo=UTC)


def test_the_same_message_is_read_from_every_form() -> None:
    """CloudEvent as the framework hands it over, binary, structured, raw push, and a push without its wrapper."""
    event = {"id": "77", "time": "2026-01-18T11:00:00.123456789Z"}
    text = json.dumps(PUSH).encode()
    structured = json.dumps({**event, "specversion": "1.0", "data": PUSH}).encode()
    unwrapped = {"x-goog-pubsub-message-id": "77", "x-goog-pubsub-publish-time": "2026-01-18T11:00:00.123456789Z"}

    assert {
        of_cloud_event(event, PUSH),
        of_cloud_event(event, text),
        of_request({"ce-id": "77", "content-type": "application/json"}, text),
        of_request({"content-type": "application/cloudevents+json; charset=utf-8"}, structured),
        of_request({"content-type": "application/json"}, text),
        of_request(unwrapped, BODY),
    } == {Envelope("77", CAME, BODY)}


def test_the_framework_makes_an_event_of_a_raw_push_without_a_subscription() -> None:
    """What it keeps is enough; names are read in both spellings; how often it was delivered is there if it is said."""
    converted = {"message": {"@type": "...", "data": PUSH["message"]["data"], "attributes": {}, "message_id": "77"}}  # type: ignore[index]

    assert of_cloud_event({"id": "77", "time": "2026-01-18T11:00:00Z"}, converted) == Envelope(
        "77", datetime(2026, 1, 18, 11, tzinfo=UTC), BODY
    )
    assert of_cloud_event({}, converted).event_id == "77"
    assert of_request({}, json.dumps({**PUSH, "deliveryAttempt": 4}).encode()).attempt == 4


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfe no JSON", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "no `message`"),
        ({"message": "x"}, "no `message`"),
        ({"message": {"messageId": "1", "attributes": {"a": "b"}}}, "holds no data"),
        ({"message": {"messageId": "1", "data": "not base64!"}}, "not base64"),
        ({"message": {"messageId": "1", "data": 5}}, "holds no data"),
        ({"message": {"data": "e30="}}, "has no id"),
        ({"message": {"messageId": "7" * 201, "data": "e30="}}, "has no id"),
        ({"message": {"messageId": "1", "data": "A" * 2 * (LONGEST_BODY + 1)}}, "characters"),
    ],
)
def test_what_is_no_delivery_is_refused_with_the_reason(data: Any, reason: str) -> None:
    """Whatever comes: the error is one that is acknowledged, never one that lets it come for ever."""
    with pytest.raises(UsageError, match=reason):
        of_cloud_event({}, data)


def test_a_request_that_is_too_large_is_not_looked_at() -> None:
    """Ours have some hundred bytes."""
    with pytest.raises(UsageError, match="bytes"):
        of_request({}, b"x" * (2 * LONGEST_BODY + 1))


def read(document: Any, *, published_at: datetime | None = CAME, now: datetime = NOW) -> Any:
    """Read a message. Any: JSON values, also wrong ones; the message."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_message(Envelope("77", published_at, body), now=now, timezone=LEAGUE)


def test_every_key_of_a_message_is_read() -> None:
    """As it stands; a key that we do not know is passed over."""
    message = read(
        {
            "target_date": "2026-01-17",
            "run_aggregation": False,
            "correlation_id": "c-1",
            "trigger_source": "scheduler",
            "requested_by": "somebody",
        }
    )

    assert (message.target_date, message.run_aggregation) == (date(2026, 1, 17), False)
    assert (message.event_id, message.correlation_id, message.trigger_source) == ("77", "c-1", "scheduler")


def test_an_empty_message_means_yesterday() -> None:
    """Everything has a default: the event's id is what it is known by."""
    message = read({})

    assert (message.target_date, message.run_aggregation) == (date(2026, 1, 17), True)
    assert (message.correlation_id, message.trigger_source) == ("77", "unknown")


def test_yesterday_is_the_leagues_when_it_was_published() -> None:
    """At 03:30 UTC it is still the evening before in New York; a delivery that comes a day late means the same date."""
    night = datetime(2026, 1, 18, 3, 30, tzinfo=UTC)

    assert read({"target_date": "yesterday"}, published_at=night).target_date == date(2026, 1, 16)
    assert read({"target_date": "today"}, published_at=night).target_date == date(2026, 1, 17)
    late = datetime(2026, 1, 19, 20, tzinfo=UTC)
    assert read({"target_date": "yesterday"}, now=late).target_date == date(2026, 1, 17)
    assert read({"target_date": "yesterday"}, published_at=None, now=late).target_date == date(2026, 1, 18)


def test_yesterday_is_right_when_clocks_change() -> None:
    """The day of 23 hours ends an hour earlier by UTC: 03:30 UTC on 9 March is the evening of the 8th."""
    assert read({}, published_at=datetime(2026, 3, 9, 3, 30, tzinfo=UTC)).target_date == date(2026, 3, 7)
    assert read({}, published_at=datetime(2026, 3, 9, 4, 30, tzinfo=UTC)).target_date == date(2026, 3, 8)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"\xff", "no JSON"),
        (b"grade yesterday please", "no JSON"),
        ([], "no JSON object"),
        ("yesterday", "no JSON object"),
        ({"target_date": "tomorrow"}, "expected YYYY-MM-DD, today or yesterday"),
        ({"target_date": "2026-02-30"}, "expected YYYY-MM-DD"),
        ({"target_date": 20260117}, "expected YYYY-MM-DD"),
        ({"target_date": None}, "expected YYYY-MM-DD"),
        ({"target_date": "x" * 5000}, "…; expected YYYY-MM-DD"),
        ({"run_aggregation": "yes"}, "expected true or false"),
        ({"correlation_id": 7}, "expected a text"),
        ({"trigger_source": "x" * 201}, "at most 200 characters"),
        ({"targetdate": "2026-01-17"}, "did it mean 'target_date'"),
        ({"Target_Date": "2026-01-17"}, "did it mean 'target_date'"),
        (b" " * (LONGEST_BODY + 1), "bytes"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(document: Any, reason: str) -> None:
    """A date that was misspelled must not become yesterday."""
    with pytest.raises(UsageError, match=reason):
        read(document)
