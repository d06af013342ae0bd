"""What a message asks for: read strictly, since a word that was misspelled would grade another date than was meant."""

from __future__ import annotations

import difflib
import json
import logging
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from gradeonce.dates import day_at
from gradeonce.errors import UsageError
from gradeonce.gcp.envelope import LONGEST_BODY, LONGEST_ID, Envelope

_log = logging.getLogger(__name__)

KEYS = ("target_date", "run_aggregation", "correlation_id", "trigger_source")
"""Keys of a message; each may be left out. Others are passed over, unless they look like one of these misspelled."""


@dataclass(frozen=True)
class GradeMessage:
    """A message that was understood.

    Attributes:
        event_id: What every delivery of it has in common.
        published_at: When it was published; when it came, if the delivery does not say.
        target_date: The date to grade. `yesterday` and `today` are those of the league when the message was published,
            however late it is delivered.
        run_aggregation: As it was asked for. The daily sums are part of every publish, whatever it says.
        correlation_id: Passed on to the completion; the event's id if the message has none.
        trigger_source: Who asked; passed on.
        attempt: How often it was delivered, this time included; 0 if the delivery does not say.
    """

    event_id: str
    published_at: datetime
    target_date: date
    run_aggregation: bool
    correlation_id: str
    trigger_source: str
    attempt: int = 0


def read_message(envelope: Envelope, *, now: datetime, timezone: str) -> GradeMessage:
    """Read what a delivery carries.

    Args:
        envelope: The delivery.
        now: The instant, timezone-aware.
        timezone: Where the league plays.

    Raises:
        UsageError: If it cannot be understood; the same message will never be.
    """
    document = _document(envelope.body)
    _refuse_misspelled(document)
    published_at = envelope.published_at or now
    return GradeMessage(
        event_id=envelope.event_id,
        published_at=published_at,
        target_date=_day(document.get("target_date", "yesterday"), published_at, timezone),
        run_aggregation=_claim(document.get("run_aggregation", True)),
        correlation_id=_text(document, "correlation_id") or envelope.event_id,
        trigger_source=_text(document, "trigger_source") or "unknown",
        attempt=envelope.attempt,
    )


def _document(body: bytes) -> dict[str, Any]:
    # Any: what JSON holds.
    if len(body) > LONGEST_BODY:
        raise UsageError(f"The message has {len(body):,} bytes, which none of ours has.")
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError("The message is no JSON.") from error
    if not isinstance(document, dict):
        raise UsageError("The message is no JSON object.")
    return document


def _refuse_misspelled(document: dict[str, Any]) -> None:
    strangers = [key for key in document if key not in KEYS]
    for key in strangers:
        meant = difflib.get_close_matches(key.lower(), KEYS, n=1, cutoff=0.8)
        if meant:
            raise UsageError(f"The message has a key {_shown(key)}; did it mean {meant[0]!r}?")
    if strangers:
        _log.warning("message_keys_unknown keys=%s", ",".join(_shown(key) for key in sorted(strangers)[:10]))


def _day(value: Any, published_at: datetime, timezone: str) -> date:
    # Any: what JSON holds.
    if not isinstance(value, str):
        raise UsageError(f"target_date is {_shown(value)}; expected YYYY-MM-DD, today or yesterday.")
    try:
        return day_at(published_at, value, timezone=timezone)
    except UsageError as error:
        raise UsageError(f"target_date is {_shown(value)}; expected YYYY-MM-DD, today or yesterday.") from error


def _claim(value: Any) -> bool:
    # Any: what JSON holds.
    if not isinstance(value, bool):
        raise UsageError(f"run_aggregation is {_shown(value)}; expected true or false.")
    return value


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_ID:
        raise UsageError(f"{key} is {_shown(value)}; expected a text of at most {LONGEST_ID} characters.")
    return value.strip()


def _shown(value: Any) -> str:
    # Any: what JSON holds. Bounded, for it goes to the log.
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
