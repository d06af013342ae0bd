"""One message of each kind with nothing behind it, to see that a channel is well set up and how alerts look there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gradeonce.alerts.channels import channels_of
from gradeonce.alerts.deliver import Sent, send_once
from gradeonce.alerts.memory import Event, new_alert
from gradeonce.alerts.message import Message, Told, build_message
from gradeonce.alerts.problem import AlertKind, Problem, Severity
from gradeonce.clock import Clock
from gradeonce.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from gradeonce.config import Settings

_DAY = "2026-01-17"

SAMPLES = (
    Problem(
        AlertKind.DUPLICATES_FOUND,
        "duplicates/prediction_accuracy",
        Severity.FAIL,
        "214 duplicated grades in prediction_accuracy",
        "The accuracy table holds more than one row for 214 business keys. Rates and errors count them twice.",
        "prediction_accuracy",
        "gradeonce dedupe plan",
        how_many=214,
        sample_keys=('{"player_lookup":"lukadoncic","game_id":"0022500601","system_id":"alpha"}',),
    ),
    Problem(
        AlertKind.LEASE_NOT_ACQUIRED,
        f"grading/{_DAY}/lease_not_acquired",
        Severity.WARN,
        f"{_DAY}: the lease was not to be had",
        f"The lease grading/{_DAY} was held by another run for the whole time we waited. Nothing was changed.",
        _DAY,
        "gradeonce locks list",
    ),
    Problem(
        AlertKind.LEASE_LOST,
        f"grading/{_DAY}/lease_lost",
        Severity.FAIL,
        f"{_DAY}: the lease was lost during the run",
        "Nothing of this run was published; what a successor published stands.",
        _DAY,
        f"gradeonce runs {_DAY}",
    ),
    Problem(
        AlertKind.LOCK_UNAVAILABLE,
        "lock_store",
        Severity.WARN,
        "The lock store is out of reach",
        "Dates were graded without a lease. The fence kept it safe; runs that overlap do the same work twice.",
        "[lock] store",
        "gradeonce locks list",
    ),
    Problem(
        AlertKind.RUN_FAILED,
        f"grading/{_DAY}/run_failed",
        Severity.FAIL,
        f"{_DAY}: grading failed",
        "The staged rows broke a rule. Nothing was published; the last published state stands.",
        _DAY,
        f"gradeonce grade {_DAY} --dry-run",
    ),
    Problem(
        AlertKind.CHECK_FAILED,
        "check/freshness",
        Severity.WARN,
        "No predictions were loaded for 27 hours",
        "The newest predictions are older than usual at this time of day.",
        "player_prop_predictions",
        "gradeonce status --todo",
    ),
    Problem(
        AlertKind.COVERAGE_LOW,
        f"coverage/{_DAY}",
        Severity.WARN,
        f"{_DAY}: only 71.3% of the predictions came to a result",
        "340 of 477 predictions were decided; 137 are ungradable.",
        _DAY,
        f"gradeonce grade {_DAY} --dry-run",
        how_many=137,
    ),
    Problem(
        AlertKind.NOT_READY,
        f"schedule/{_DAY}",
        Severity.WARN,
        f"{_DAY}: not ready to be graded",
        "7 of 9 games have a final box score. The deadline has passed; what could be graded was.",
        _DAY,
        f"gradeonce ready {_DAY}",
        how_many=2,
    ),
    Problem(
        AlertKind.CONSOLIDATION_FAILED,
        "consolidation/morning",
        Severity.FAIL,
        "The batch morning was not consolidated",
        "None of the staged rows was merged. The staging is kept.",
        "player_prop_predictions",
        "gradeonce stage consolidate --batch morning",
    ),
    Problem(
        AlertKind.COMPLETION_FAILED,
        "completion",
        Severity.WARN,
        "Nobody was told that a grading is done",
        f"The topic nba-grading-complete did not take what became of {_DAY}. What was graded stands.",
        "[function] completion_topic",
        "gradeonce config show",
    ),
)
"""A problem of every kind but recovery, which is no problem."""


def try_channels(settings: Settings, clock: Clock, names: Sequence[str]) -> list[Sent]:
    """Send the samples to these channels, or to all of them.

    Raises:
        ConfigError: If no channel is set.
        UsageError: If there is no channel of such a name.
    """
    channels = channels_of(settings)
    if not channels:
        raise ConfigError(
            "No channel is set.",
            hint='Name one under [alerts], e.g. slack = "env:SLACK_WEBHOOK_URL", or set GRADEONCE_ALERTS_SLACK.',
        )
    known = [channel.name for channel in channels]
    strangers = [name for name in names if name not in known]
    if strangers:
        raise UsageError(f"There is no channel {strangers[0]!r}; there is {', '.join(known)}.")
    sent = []
    for channel in channels:
        for message in sample_messages(book=settings.shown_book, now=clock.now()):
            if names and channel.name not in names:
                continue
            sent.append(send_once(channel, message, clock=clock, seconds=settings.send_seconds))
            if sent[-1].error:
                break
    return sent


def sample_messages(*, book: str, now: datetime) -> list[Message]:
    """Return one message of every kind, marked as tests."""
    told = [Told(new_alert(sample, 1, now), Event.OPENED.value, sample.severity) for sample in SAMPLES]
    failed = next(one.alert for one in told if one.alert.kind is AlertKind.RUN_FAILED)
    over = replace(failed, since_at=now - timedelta(hours=2), seen=3, recovered_at=now)
    told.append(Told(over, Event.RECOVERED.value, over.severity))
    return [build_message([one], book=book, now=now, is_test=True) for one in told]
