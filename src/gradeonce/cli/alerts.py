"""`gradeonce alerts`: what was told, to whom, and whether they took it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table, say

if TYPE_CHECKING:
    from gradeonce.alerts import Alert, Announced
    from gradeonce.alerts.deliver import Sent
    from gradeonce.alerts.memory import Announcement, Delivery


@click.group()
def alerts() -> None:
    """Show what was told to which channel; try the channels out.

    \b
    gradeonce alerts test
    gradeonce alerts list
    gradeonce alerts show a3f9c21d05b7e
    """


@alerts.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Also alerts whose problem is over.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def list_alerts(ctx: click.Context, everything: bool, as_json: bool) -> None:
    """Show open alerts, newest first: what, since when, how often it was seen, and which channel took it.

    \b
    gradeonce alerts list
    """
    with open_from_context(ctx) as book:
        found = [alert for alert in reversed(book.alerts()) if everything or alert.is_open]
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "alerts": [_document(alert) for alert in found]})
        return
    if not found:
        click.echo("no alert is open" if not everything else "nothing was ever alerted")
        return
    emit_table(
        ["alert", "severity", "what", "since (UTC)", "seen", "state", "told"],
        [
            (
                alert.alert_id,
                alert.severity.value,
                alert.title,
                f"{alert.since_at:%Y-%m-%d %H:%M:%S}",
                alert.seen,
                "open" if alert.is_open else f"over since {alert.recovered_at or alert.last_seen_at:%Y-%m-%d %H:%M}",
                _told(alert),
            )
            for alert in found
        ],
        right=["seen"],
    )


@alerts.command()
@click.argument("alert_id")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def show(ctx: click.Context, alert_id: str, as_json: bool) -> None:
    """Show one alert in full: what it said, the command to look closer, and every step on every channel.

    \b
    gradeonce alerts show a1b2c3d4e5f6

    The beginning of its name is enough.
    """
    from gradeonce.errors import UsageError

    with open_from_context(ctx) as book:
        found = [alert for alert in book.alerts() if alert.alert_id.startswith(alert_id)]
    if len(found) != 1:
        raise UsageError(
            f"{len(found) or 'No'} alerts begin with {alert_id!r}.", hint="See `gradeonce alerts list --all`."
        )
    alert = found[0]
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "alert": _document(alert)})
        return
    click.echo(f"{alert.title}\n{alert.what}\n")
    facts = [
        ("alert", f"{alert.alert_id}, {'open' if alert.is_open else 'over'}"),
        ("kind", f"{alert.kind.value} ({alert.severity.value})"),
        ("problem", alert.identity),
        ("where", alert.place),
        ("since", f"{alert.since_at:%Y-%m-%d %H:%M:%S} UTC, seen {alert.seen} time(s)"),
        *([("how many", f"{alert.how_many:,}")] if alert.how_many is not None else []),
        *([("over since", f"{alert.recovered_at:%Y-%m-%d %H:%M:%S} UTC")] if alert.recovered_at else []),
        ("look closer", alert.command),
    ]
    for label, value in facts:
        click.echo(f"{label:<12}{value}")
    for key in alert.sample_keys:
        click.echo(f"{'':<12}{key}")
    click.echo()
    emit_table(
        ["step", "at (UTC)", "channel", "status", "attempts", "why not"],
        [
            (
                one.step,
                f"{one.announced_at:%Y-%m-%d %H:%M:%S}",
                delivery.channel,
                _status(one, delivery, alert),
                delivery.attempt,
                delivery.error,
            )
            for one in alert.announcements
            for delivery in one.deliveries
        ],
        right=["attempts"],
    )


@alerts.command()
@click.option("--channel", "names", multiple=True, help="Only this channel, e.g. slack or webhook-2; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def test(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> int:
    """Send one alert of each kind to every channel; exit 1 if one did not take them all.

    \b
    gradeonce alerts test

    They say that they are tests, and nothing of them is kept. A channel that fails is not asked again.
    """
    with open_from_context(ctx) as book:
        sent = book.test_alerts(channels=names)
    by_channel: dict[str, list[Sent]] = {}
    for one in sent:
        by_channel.setdefault(one.channel, []).append(one)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "messages": [message_document(one) for one in sent]})
    else:
        emit_table(
            ["channel", "taken", "tries", "why not"],
            [
                (
                    channel,
                    sum(not one.error for one in messages),
                    sum(one.tries for one in messages),
                    next((one.error for one in messages if one.error), ""),
                )
                for channel, messages in by_channel.items()
            ],
            right=["taken", "tries"],
        )
    return ExitCode.FAILED if any(one.error for one in sent) else ExitCode.DONE


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def retry(ctx: click.Context, as_json: bool) -> int:
    """Send what channels have not taken yet; exit 1 if one still does not.

    \b
    gradeonce alerts retry

    Every command that alerts does the same before it ends; this one is for the moment after a channel was mended.
    """
    with open_from_context(ctx) as book:
        announced = book.retry_alerts()
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "messages": [message_document(one) for one in announced.messages]})
    elif not announced.messages:
        click.echo("nothing is due: every channel took what it was told")
    for message in [] if as_json else announced.messages:
        click.echo(f"{message.channel}: {message.status.value}: {message.heading}")
        if message.error:
            say(f"  {message.error}")
    return ExitCode.FAILED if announced.failed else ExitCode.DONE


def announced_document(announced: Announced | None) -> dict[str, Any] | None:
    """Return what was announced as JSON values; None if nobody was to be told. Any: JSON values."""
    if announced is None:
        return None
    words = ("opened", "escalated", "reminded", "folded", "recovered")
    return {
        **{word: [alert.alert_id for alert in getattr(announced, word)] for word in words},
        "messages": [message_document(message) for message in announced.messages],
        "is_recorded": announced.is_recorded,
    }


def message_document(message: Sent) -> dict[str, Any]:
    """Return what became of a message. Any: JSON values."""
    return {
        "channel": message.channel,
        "heading": message.heading,
        "alert_ids": list(message.alert_ids),
        "status": message.status.value,
        "tries": message.tries,
        "error": message.error or None,
    }


def _document(alert: Alert) -> dict[str, Any]:
    from gradeonce.alerts.channels.webhook import alert_document

    return {
        **alert_document(alert),
        "open": alert.is_open,
        "announcements": [
            {
                "step": one.step,
                "severity": one.severity.value,
                "announced_at": one.announced_at,
                "deliveries": [_delivery_document(delivery) for delivery in one.deliveries],
            }
            for one in alert.announcements
        ],
    }


def _delivery_document(delivery: Delivery) -> dict[str, Any]:
    return {
        "channel": delivery.channel,
        "status": delivery.status.value,
        "attempt": delivery.attempt,
        "tries": delivery.tries,
        "sent_at": delivery.sent_at,
        "claimed_until": delivery.claimed_until,
        "next_try_at": delivery.next_try_at,
        "error": delivery.error or None,
    }


def _told(alert: Alert) -> str:
    """Return who took the latest step, e.g. `slack sent, webhook failed`."""
    steps: Sequence[Announcement] = alert.announcements[-1:]
    if not steps:
        return "nobody yet"
    told = [f"{d.channel} {d.status.value}" for one in steps for d in one.deliveries if d.channel != "book"]
    return ", ".join(told) or "nobody: no channel was set"


def _status(one: Announcement, delivery: Delivery, alert: Alert) -> str:
    is_past = one is not alert.announcements[-1]
    # Of an alert only the latest step is ever sent late.
    return "overtaken" if is_past and delivery.status.value in ("due", "failed", "sending") else delivery.status.value
