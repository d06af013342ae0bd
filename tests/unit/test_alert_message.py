"""Messages are built once and rendered per channel; what each channel gets is written down in golden files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alert_builders import problem
from block_kit import findings
from gradeonce.alerts import AlertKind, Severity
from gradeonce.alerts.channels.plain import plain_text
from gradeonce.alerts.channels.slack import escaped, slack_payload
from gradeonce.alerts.channels.webhook import webhook_payload
from gradeonce.alerts.memory import Event, new_alert
from gradeonce.alerts.message import Message, Told, build_message, grouped
from gradeonce.alerts.samples import SAMPLES, sample_messages
from servers import require

NOW = datetime(2026, 1, 18, 12, tzinfo=UTC)
GOLDEN = Path(__file__).with_name("golden_alerts")
KEYS = tuple(f"lukadoncic|002250060{n}|alpha|points|22.5" for n in range(3))
DUPLICATES = problem(
    kind=AlertKind.DUPLICATES_FOUND,
    identity="duplicates/prediction_accuracy",
    title="214 duplicated grades in <prediction_accuracy>",
    what="214 business keys stand twice & more. `Rates` count them twice.",
    place="prediction_accuracy",
    command="gradeonce status",
    since_at=datetime(2026, 1, 15, 11, 30, tzinfo=UTC),
    how_many=214,
    sample_keys=KEYS,
)


def told(event: Event = Event.OPENED, severity: Severity = Severity.FAIL, number: int = 1) -> list[Told]:
    """Return a step of that many alerts."""
    made = []
    for place in range(number):
        one = replace(DUPLICATES, identity=f"duplicates/{place}", title=f"{DUPLICATES.title} {place or ''}".rstrip())
        alert = new_alert(one, 1, NOW)
        if event is Event.RECOVERED:
            alert = replace(alert, recovered_at=NOW + timedelta(hours=3), seen=4)
        made.append(Told(alert, event.value, severity))
    return made


def message(event: Event = Event.OPENED, number: int = 1) -> Message:
    """Return the message about it."""
    return build_message(told(event, number=number), book="season/book", now=NOW)


MESSAGES = {
    "opened": message(),
    "escalated": message(Event.ESCALATED),
    "recovered": message(Event.RECOVERED),
    "many": message(number=25),
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("render", [slack_payload, webhook_payload], ids=["slack", "webhook"])
def test_payloads_are_as_written_down(name: str, render) -> None:
    """Key for key; a change here is a change for whoever reads the channel."""
    path = GOLDEN / f"{render.__name__.removesuffix('_payload')}_{name}.json"

    assert render(MESSAGES[name]) == json.loads(path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("name", MESSAGES)
def test_plain_text_is_as_written_down(name: str) -> None:
    """For mail, and for clients that show no blocks."""
    expected = (GOLDEN / f"plain_{name}.txt").read_text(encoding="utf-8")

    assert f"{MESSAGES[name].heading}\n\n{plain_text(MESSAGES[name])}\n" == expected


@pytest.mark.parametrize("name", MESSAGES)
def test_slack_payloads_keep_the_documented_form(name: str) -> None:
    """Types, keys and lengths of every block."""
    assert findings(slack_payload(MESSAGES[name])) == []


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4000) | st.text("<>&`*_ a\n", max_size=6000)


@settings(max_examples=60, deadline=None)
@example(title="", what="", place="```", command="", keys=[], number=1)
@given(
    title=TEXTS, what=TEXTS, place=TEXTS, command=TEXTS, keys=st.lists(TEXTS, max_size=30), number=st.integers(1, 60)
)
def test_slack_payloads_keep_the_form_whatever_they_tell(
    title: str, what: str, place: str, command: str, keys: list[str], number: int
) -> None:
    """Empty, endless or full of control characters: Slack would take every one of them."""
    wild = problem(title=title, what=what, place=place, command=command, sample_keys=tuple(keys), how_many=0)
    steps = [Told(new_alert(wild, place, NOW), "opened", Severity.FAIL) for place in range(number)]

    payload = slack_payload(build_message(steps, book=place, now=NOW))

    assert findings(payload) == []


@pytest.mark.parametrize("name", MESSAGES)
def test_slacks_own_library_finds_nothing_wrong(name: str) -> None:
    """It knows the limits of each block, and raises where one is broken."""
    require("slack_sdk")
    from slack_sdk.models.blocks import Block

    payload = slack_payload(MESSAGES[name])
    parsed = Block.parse_all(payload["blocks"])
    for block in parsed:
        block.validate_json()

    assert [block.type for block in parsed] == [block["type"] for block in payload["blocks"]]


def test_slack_sees_no_mention_in_our_texts() -> None:
    """`<!channel>` in a player's name wakes nobody."""
    wild = new_alert(problem(title="<!channel> & <@U1>", what="<!here>", place="<https://x|y>"), 1, NOW)

    text = json.dumps(
        slack_payload(build_message([Told(wild, "opened", Severity.FAIL)], book="b", now=NOW))["blocks"][1:]
    )

    assert "<" not in text
    assert escaped("<!here> & co") == "&lt;!here&gt; &amp; co"


def test_the_text_cut_off_says_so() -> None:
    """An ellipsis, and no half of an escaped character before it."""
    what = "&" * 2999
    made = new_alert(problem(what=what), 1, NOW)
    payload = slack_payload(build_message([Told(made, "opened", Severity.FAIL)], book="b", now=NOW))
    text = payload["blocks"][1]["text"]["text"]

    assert text.endswith("&amp;…")
    assert len(text) <= 3000


def test_many_of_a_kind_share_a_message() -> None:
    """Three are told one by one; four are one message. Other kinds, events and severities stay apart."""
    other = [replace(one, severity=Severity.WARN) for one in told(number=2)]

    assert [len(group) for group in grouped([*told(number=3), *other])] == [1, 1, 1, 1, 1]
    assert [len(group) for group in grouped([*told(number=4), *other])] == [4, 1, 1]


def test_the_key_is_that_of_the_steps() -> None:
    """The same steps have the same key whenever they are sent; another step has another."""
    again = build_message(told(), book="elsewhere", now=NOW + timedelta(days=1))

    assert again.key == MESSAGES["opened"].key
    assert len({made.key for made in MESSAGES.values()}) == len(MESSAGES)


def test_a_test_sends_every_kind() -> None:
    """One message each, recovery included, which says that it is a test; and each has the form Slack takes."""
    messages = sample_messages(book="book", now=NOW)

    assert {made.kind for made in messages} == set(AlertKind)
    assert len(messages) == len(AlertKind)
    assert all("Test: " in made.heading for made in messages)
    assert [findings(slack_payload(made)) for made in messages] == [[]] * len(messages)
    assert {sample.kind for sample in SAMPLES} == set(AlertKind) - {AlertKind.RECOVERY}
