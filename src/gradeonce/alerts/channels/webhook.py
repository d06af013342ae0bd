"""Any program that takes a POST: one JSON document per message, with a key by which a repeat is known."""

from __future__ import annotations

from typing import Any

from gradeonce.alerts.addresses import Secret
from gradeonce.alerts.channels.http import post_json
from gradeonce.alerts.channels.plain import plain_text
from gradeonce.alerts.memory import Alert
from gradeonce.alerts.message import Message

SCHEMA_VERSION = 1
"""Rises when a key changes its meaning or goes away."""


def send_to_webhook(address: Secret, message: Message, *, timeout_seconds: float) -> None:
    """POST a message; any answer from 200 to 299 means that it was taken, whatever its text.

    Raises:
        AlertError, TransientAlertError: If the other side did not take it.
    """
    post_json(
        address,
        webhook_payload(message),
        timeout_seconds=timeout_seconds,
        headers={"Idempotency-Key": message.key},
    )


def webhook_payload(message: Message) -> dict[str, Any]:
    """Return the JSON document. Any: JSON values; the keys are described in the how-to page."""
    return {
        "schema_version": SCHEMA_VERSION,
        "key": message.key,
        "event": message.event.value,
        "kind": message.kind.value,
        "severity": message.severity.value,
        "title": message.heading,
        "text": plain_text(message),
        "is_test": message.is_test,
        "built_at": message.built_at.isoformat(),
        "alerts": [alert_document(alert) for alert in message.alerts],
    }


def alert_document(alert: Alert) -> dict[str, Any]:
    """Return what is known of an alert as JSON values, without its deliveries."""
    return {
        "alert_id": alert.alert_id,
        "identity": alert.identity,
        "episode": alert.episode,
        "kind": alert.kind.value,
        "severity": alert.severity.value,
        "title": alert.title,
        "what": alert.what,
        "place": alert.place,
        "command": alert.command,
        "since_at": alert.since_at.isoformat(),
        "how_many": alert.how_many,
        "sample_keys": list(alert.sample_keys),
        "opened_at": alert.opened_at.isoformat(),
        "last_seen_at": alert.last_seen_at.isoformat(),
        "seen": alert.seen,
        "recovered_at": None if alert.recovered_at is None else alert.recovered_at.isoformat(),
    }
