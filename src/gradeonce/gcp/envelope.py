"""What a delivery carries, whichever way it came: a CloudEvent, a push of Pub/Sub, or a push without its wrapper."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gradeonce.errors import UsageError

LONGEST_BODY = 64 * 1024
"""Bytes of a message that are looked at; ours have some hundred."""

LONGEST_ID = 200


@dataclass(frozen=True)
class Envelope:
    """One delivery of one event.

    Attributes:
        event_id: What every delivery of the event has in common.
        published_at: When it was published, by Pub/Sub's clock; None if the delivery does not say.
        body: What was published, as it is.
        attempt: How often it was delivered, this time included; 0 if the delivery does not say.
    """

    event_id: str
    published_at: datetime | None
    body: bytes
    attempt: int = 0


def of_cloud_event(attributes: Mapping[str, Any], data: Any) -> Envelope:
    """Return what a CloudEvent carries.

    Args:
        attributes: Its context: `id`, `time`. Any: extensions may hold anything.
        data: What came with it: the document of a push, or, if that is no JSON, bytes. Any: what JSON holds.

    Raises:
        UsageError: If nothing can be made of it.
    """
    pushed = _document(data)
    message = _message(pushed)
    return Envelope(
        event_id=_event_id(attributes.get("id") or _first(message, "messageId", "message_id")),
        published_at=_instant(_first(message, "publishTime", "publish_time") or attributes.get("time")),
        body=_body(message),
        attempt=_count(pushed.get("deliveryAttempt")),
    )


def of_request(headers: Mapping[str, str], body: bytes) -> Envelope:
    """Return what a POST carries.

    Args:
        headers: Of the request, by names in lower case.
        body: Its bytes.

    Raises:
        UsageError: If nothing can be made of it.
    """
    if len(body) > 2 * LONGEST_BODY:
        raise UsageError(f"The request has {len(body):,} bytes, which no message of ours has.")
    if headers.get("content-type", "").startswith("application/cloudevents"):
        event = _document(body)
        return of_cloud_event(event, event.get("data"))
    if "ce-id" in headers:
        return of_cloud_event({"id": headers["ce-id"], "time": headers.get("ce-time")}, body)
    if "x-goog-pubsub-message-id" in headers:
        published_at = _instant(headers.get("x-goog-pubsub-publish-time"))
        return Envelope(_event_id(headers["x-goog-pubsub-message-id"]), published_at, body)
    return of_cloud_event({}, body)


def _document(data: Any) -> Mapping[str, Any]:
    # Any: whatever came.
    if isinstance(data, bytes | str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise UsageError("The delivery is no JSON.") from error
    if not isinstance(data, Mapping):
        raise UsageError("The delivery holds no JSON object.")
    return data


def _message(pushed: Mapping[str, Any]) -> Mapping[str, Any]:
    message = pushed.get("message")
    if not isinstance(message, Mapping):
        raise UsageError("The delivery is none of Pub/Sub's: it has no `message`.")
    return message


def _first(message: Mapping[str, Any], *names: str) -> Any:
    # Any: what JSON holds. Pub/Sub writes names both ways.
    return next((message[name] for name in names if message.get(name)), None)


def _event_id(value: Any) -> str:
    # Any: what JSON holds.
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_ID:
        raise UsageError("The delivery has no id by which another one of the same event could be known.")
    return value


def _body(message: Mapping[str, Any]) -> bytes:
    data = message.get("data")
    if not isinstance(data, str) or not data:
        raise UsageError("The message holds no data.")
    if len(data) > 2 * LONGEST_BODY:
        raise UsageError(f"The message has {len(data):,} characters, which none of ours has.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError("The data of the message is not base64.") from error


def _instant(value: Any) -> datetime | None:
    # Any: what JSON or a header holds; without a time of its own an event is as old as its delivery.
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _count(value: Any) -> int:
    # Any: what JSON holds.
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
