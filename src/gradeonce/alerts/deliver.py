"""Sending what is due, at least once per channel: claim, send, record.

Guarantee: an announcement that a channel has not taken is due until it has, whoever dies on the way; a claim runs out,
and the next one to announce anything sends it. Of several processes one sends; only if the sender dies or is cut off
between the channel's yes and the record of it does the channel get the same message again, with the same key.
Limit: nothing happens by itself. What is due is sent by the next `announce`, or by `gradeonce alerts retry`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gradeonce.alerts.channels import Channel
from gradeonce.alerts.memory import Alert, Delivery, DeliveryStatus, Memory
from gradeonce.alerts.message import Message, Told, build_message, grouped
from gradeonce.clock import Clock
from gradeonce.errors import AlertError, TransientAlertError
from gradeonce.warehouses.base import OnStep

if TYPE_CHECKING:
    from gradeonce.config import Settings

_log = logging.getLogger(__name__)

MOST_TRIES = 3
"""Times a channel is asked within one attempt."""

CLAIM_MARGIN_SECONDS = 30.0
"""Added to the time a message may take: until then nobody else sends it."""


@dataclass(frozen=True)
class Sent:
    """What became of one message on one channel.

    Attributes:
        channel: Name of the channel.
        heading: Its first line.
        alert_ids: Alerts it told of.
        status: sent or failed.
        tries: How often the channel was asked.
        error: Why it was not taken; empty if it was.
    """

    channel: str
    heading: str
    alert_ids: tuple[str, ...]
    status: DeliveryStatus
    tries: int
    error: str = ""


@dataclass(frozen=True)
class _Due:
    """One step of an alert that a channel has not taken."""

    told: Told
    delivery: Delivery


def deliver(
    memory: Memory, channels: Sequence[Channel], settings: Settings, clock: Clock, *, on_step: OnStep
) -> list[Sent]:
    """Send everything that is due on these channels. Nothing is raised for a channel's sake.

    Of one alert only the latest step is sent: whoever missed the opening hears of the recovery, which says it all.
    A channel that fails is left alone until the next call, so that a dead one costs each run one message's time.
    """
    by_id = {alert.alert_id: alert for alert in memory.alerts()}
    sent: list[Sent] = []
    for channel in channels:
        dues = [due for alert in by_id.values() if (due := _due_on(channel, alert, clock)) is not None]
        for number, group in enumerate(grouped([due.told for due in dues])):
            if number:
                # The message before took its time: what somebody else has told to be over since is not told as new.
                by_id = {alert.alert_id: alert for alert in memory.alerts()}
            found = [(told, _due_on(channel, by_id[told.alert.alert_id], clock)) for told in group]
            mine = [due for told, due in found if due is not None and due.told.step == told.step]
            outcome = _claim_and_send(memory, channel, mine, settings, clock, on_step)
            if outcome is None:
                continue
            sent.append(outcome)
            if outcome.status is not DeliveryStatus.SENT:
                break
    return sent


def _due_on(channel: Channel, alert: Alert, clock: Clock) -> _Due | None:
    if not alert.announcements:
        return None
    last = alert.announcements[-1]
    delivery = next((one for one in last.deliveries if one.channel == channel.name), None)
    if delivery is None or not delivery.is_due(clock.now()):
        return None
    return _Due(Told(alert, last.step, last.severity), delivery)


def _claim_and_send(
    memory: Memory, channel: Channel, group: Sequence[_Due], settings: Settings, clock: Clock, on_step: OnStep
) -> Sent | None:
    seconds = settings.send_seconds + CLAIM_MARGIN_SECONDS
    mine = [
        due for due in group if memory.claim(due.told.alert, due.told.step, due.delivery, clock.now(), seconds=seconds)
    ]
    if not mine:
        return None
    on_step("alert.claimed")
    message = build_message([due.told for due in mine], book=settings.shown_book, now=clock.now())
    tries, error = send(channel, message, clock=clock, seconds=settings.send_seconds)
    on_step("alert.sent")
    now = clock.now()
    wait = getattr(error, "retry_after_seconds", None)
    outcome = Delivery(
        channel=channel.name,
        status=DeliveryStatus.SENT if error is None else DeliveryStatus.FAILED,
        tries=tries,
        sent_at=now if error is None else None,
        error="" if error is None else error.message,
        next_try_at=None if wait is None else now + timedelta(seconds=wait),
    )
    memory.finish(
        [(due.told.alert, due.told.step, replace(outcome, attempt=due.delivery.attempt + 1)) for due in mine], now
    )
    on_step("alert.recorded")
    return Sent(
        channel.name,
        message.heading,
        tuple(due.told.alert.alert_id for due in mine),
        outcome.status,
        tries,
        outcome.error,
    )


def send_once(channel: Channel, message: Message, *, clock: Clock, seconds: float) -> Sent:
    """Send a message that is not remembered, and say what became of it."""
    tries, error = send(channel, message, clock=clock, seconds=seconds)
    status = DeliveryStatus.SENT if error is None else DeliveryStatus.FAILED
    names = tuple(alert.alert_id for alert in message.alerts)
    return Sent(channel.name, message.heading, names, status, tries, "" if error is None else error.message)


def send(channel: Channel, message: Message, *, clock: Clock, seconds: float) -> tuple[int, AlertError | None]:
    """Send a message, trying again within the time while the channel may yet take it.

    Args:
        channel: Where to.
        message: What.
        clock: Time.
        seconds: How long all tries and the waits between them may take.

    Returns:
        How often the channel was asked, and the last error; None if it took the message.
    """
    ends_at = clock.monotonic() + seconds
    # Not for secrets or fairness: only so that several of us do not come back at the same instant.
    jitter = random.Random(message.key)
    tries = 0
    while True:
        tries += 1
        left = ends_at - clock.monotonic()
        try:
            # The first try may take half of the time: a server that hangs once is asked again.
            channel.send(message, timeout_seconds=left if tries > 1 else left / 2)
        except AlertError as error:
            _log.info("alert_not_taken channel=%s tries=%d error=%s", channel.name, tries, error.message)
            asked = error.retry_after_seconds if isinstance(error, TransientAlertError) else None
            # Never at once, even if the channel says so: it has just refused.
            wait = max(asked or 0.0, jitter.uniform(0.5, 1.0) * 2 ** (tries - 1))
            if not error.is_transient or tries == MOST_TRIES or clock.monotonic() + wait + 0.1 >= ends_at:
                return tries, error
            clock.sleep(wait)
        else:
            _log.info("alert_sent channel=%s heading=%s", channel.name, message.heading)
            return tries, None
