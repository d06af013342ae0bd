"""Channels against a real server that answers well, badly, late, or not at all."""

from __future__ import annotations

import base64
import re
import socket
import time
from pathlib import Path

import pytest

from alert_builders import problem
from builders import FakeClock
from gradeonce.alerts.addresses import Secret
from gradeonce.alerts.channels import Channel
from gradeonce.alerts.channels.http import LONGEST_WAIT_SECONDS, post_json
from gradeonce.alerts.deliver import send
from gradeonce.alerts.memory import Event, new_alert
from gradeonce.alerts.message import Message, Told, build_message
from gradeonce.errors import AlertError, TransientAlertError
from receiver import SECRET, Answer, Receiver, receiver
from servers import require

__all__ = ["receiver"]

NOW = FakeClock().now()
OK, BROKEN, BUSY = Answer(), Answer(500, "rollup_error"), Answer(429, "rate_limited", {"Retry-After": "7"})


def message() -> Message:
    """Return a message about one problem."""
    alert = new_alert(problem(), 1, NOW)
    return build_message([Told(alert, Event.OPENED.value, alert.severity)], book="book", now=NOW)


def channel(kind: str, address: str) -> Channel:
    """Return a channel with that address."""
    return Channel(kind, kind, address, Path())


def try_to_send(kind: str, address: str, *, seconds: float = 30.0) -> tuple[int, AlertError | None, FakeClock]:
    """Send the message, with waits that take no time; return tries, error, and the clock."""
    clock = FakeClock()
    return *send(channel(kind, address), message(), clock=clock, seconds=seconds), clock


@pytest.mark.parametrize("kind", ["slack", "webhook"])
def test_a_message_that_is_taken_is_sent_once(receiver: Receiver, kind: str) -> None:
    """One POST of JSON to the path of the address."""
    assert try_to_send(kind, receiver.url)[:2] == (1, None)

    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", f"/services/{SECRET}")
    assert request.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("kind", ["slack", "webhook"])
def test_a_broken_server_is_asked_again(receiver: Receiver, kind: str) -> None:
    """500, 500, then taken: three tries, with the same key each time so that a repeat can be known."""
    receiver.answer(BROKEN, BROKEN, OK)

    tries, error, clock = try_to_send(kind, receiver.url)

    assert (tries, error, len(clock.slept)) == (3, None, 2)
    if kind == "webhook":
        assert len({request.headers["Idempotency-Key"] for request in receiver.requests}) == 1


def test_tries_end_with_the_time(receiver: Receiver) -> None:
    """A server that stays broken is given up after three tries, or when the next wait would pass the end."""
    receiver.answer(BROKEN)

    tries, error, clock = try_to_send("slack", receiver.url, seconds=10.0)
    hurried, _, _ = try_to_send("slack", receiver.url, seconds=1.2)

    assert error is not None
    assert error.message == "The channel answered 500: rollup_error."
    assert (tries, hurried) == (3, 2)
    assert clock.elapsed < 10.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410], ids=lambda status: f"status {status}")
def test_a_refusal_is_final(receiver: Receiver, status: int) -> None:
    """What Slack says of a revoked webhook or an archived channel does not change by asking again."""
    receiver.answer(Answer(status, "no_service"))

    tries, error, _ = try_to_send("slack", receiver.url)

    assert (tries, str(error)) == (
        1,
        f"The channel answered {status}: no_service. The alert is kept and sent again with the next one.",
    )


def test_retry_after_is_kept(receiver: Receiver) -> None:
    """429 with 7 seconds: the wait is 7 seconds, not our own back-off."""
    receiver.answer(BUSY, OK)

    tries, error, clock = try_to_send("slack", receiver.url)

    assert (tries, error, clock.slept) == (2, None, [7.0])


def test_a_channel_that_says_now_is_not_asked_at_once(receiver: Receiver) -> None:
    """Retry-After of 0, for ever: three tries with growing waits, then it is left."""
    receiver.answer(Answer(429, "rate_limited", {"Retry-After": "0"}))

    tries, error, clock = try_to_send("slack", receiver.url, seconds=60.0)

    assert error is not None
    assert tries == 3
    assert all(wait >= 0.5 for wait in clock.slept)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3600"}, 3600.0),
        ({"Retry-After": "99999999"}, LONGEST_WAIT_SECONDS),
        ({"Retry-After": "Sun, 18 Jan 2026 12:00:30 GMT", "Date": "Sun, 18 Jan 2026 12:00:00 GMT"}, 30.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
    ids=["seconds", "too many", "a date", "no number", "none"],
)
def test_a_wait_that_is_too_long_is_left_to_the_next_time(
    receiver: Receiver, headers: dict[str, str], seconds: float | None
) -> None:
    """Within twenty seconds there is no time for it; the error says how long the channel asked for."""
    receiver.answer(Answer(429, "rate_limited", headers))

    _, error, _ = try_to_send("slack", receiver.url, seconds=20.0)

    assert isinstance(error, TransientAlertError)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize("answer", [Answer(hangs=True), Answer(trickles=True)], ids=["hangs", "trickles"])
def test_a_server_that_does_not_come_to_an_end_is_left(receiver: Receiver, answer: Answer) -> None:
    """Neither silence nor a byte every 50 ms holds the run for longer than it was given."""
    receiver.answer(answer)
    started = time.monotonic()

    _, error, _ = try_to_send("webhook", receiver.url, seconds=0.8)

    assert isinstance(error, TransientAlertError)
    assert re.fullmatch(r"The channel did not answer within 0\.\d s\.", error.message)
    assert time.monotonic() - started < 5


def test_nobody_listens() -> None:
    """A port that is closed is out of reach, and may be open later."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]

    tries, error, _ = try_to_send("slack", f"http://127.0.0.1:{port}/services/{SECRET}", seconds=3.0)

    assert isinstance(error, TransientAlertError)
    assert (tries > 1, error.message) == (True, "The channel is out of reach: Connection refused.")


def test_a_server_without_tls_is_not_spoken_to_in_clear(receiver: Receiver) -> None:
    """https to a port that speaks http: out of reach, and no byte of the message was sent."""
    tries, error, _ = try_to_send("slack", receiver.url.replace("http://", "https://"), seconds=20.0)

    assert error is not None
    assert tries == 3
    assert error.message.startswith("The channel is out of reach: ")
    assert not any(part in str(error) for part in SECRET.split("/"))
    assert receiver.requests == []


def test_a_server_that_hangs_up_is_asked_again(receiver: Receiver) -> None:
    """No status, no reply: out of reach for now."""
    receiver.answer(Answer(0), OK)

    assert try_to_send("slack", receiver.url)[:2] == (2, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    """The alert goes where it was addressed to, and nowhere else; the error does not show where it pointed."""
    with Receiver() as elsewhere:
        receiver.answer(Answer(status, headers={"Location": elsewhere.url}))

        tries, error, _ = try_to_send("webhook", receiver.url)

        assert error is not None
        assert (tries, error.message) == (1, f"The channel answered {status}, a redirect; it was not followed.")
        assert elsewhere.requests == []


@pytest.mark.parametrize("text", ["<html>Please log in</html>", "", "okay", '{"ok": true}'])
def test_slack_takes_a_message_only_with_its_word(receiver: Receiver, text: str) -> None:
    """200 from a proxy's login page is no delivery; a webhook may say what it likes."""
    receiver.answer(Answer(200, text))

    _, error, _ = try_to_send("slack", receiver.url)

    assert error is not None
    assert "this is not Slack" in error.message
    assert try_to_send("webhook", receiver.url)[1] is None


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_webhook_is_content_with_any_success(receiver: Receiver, status: int) -> None:
    """Whatever the reply holds."""
    receiver.answer(Answer(status, ""))

    assert try_to_send("webhook", receiver.url)[:2] == (1, None)


def test_a_user_and_password_go_into_a_header(receiver: Receiver) -> None:
    """Not into the request line, where logs of proxies would keep them."""
    address = receiver.url.replace("http://", "http://gradeonce:pass%40word@")

    assert try_to_send("webhook", address)[1] is None
    expected = base64.b64encode(b"gradeonce:pass@word").decode()
    assert receiver.requests[0].headers["Authorization"] == f"Basic {expected}"


@pytest.mark.parametrize(
    ("kind", "address", "words"),
    [
        ("slack", "http://hooks.example/services/x", "takes https:// only"),
        ("slack", "hooks.example/services/x", "is not a URL"),
        ("webhook", "ftp://files.example/x", "is not a URL that begins with https:// or http://"),
        ("webhook", "file:///etc/passwd", "is not a URL"),
        ("webhook", "http://[bad", "is not a URL"),
        ("webhook", "http://host:port/x", "is not a URL"),
        ("webhook", "http://host/a path", "is not a URL"),
        ("apprise", "nosuchservice://token", "none that the apprise library knows"),
    ],
)
def test_an_address_that_is_none_is_refused(kind: str, address: str, words: str) -> None:
    """Once, without sending anything, and without showing it."""
    if kind == "apprise":
        require("apprise")

    tries, error, _ = try_to_send(kind, f"{address}" if kind != "webhook" else address)

    assert error is not None
    assert (tries, words in error.message) == (1, True), error.message
    assert address not in str(error)


def test_a_long_reply_is_not_read_to_its_end(receiver: Receiver) -> None:
    """A page of 10 MB costs what its first bytes cost; the error shows the beginning."""
    receiver.answer(Answer(404, "no such hook " * 800_000))

    with pytest.raises(AlertError, match=r"^The channel answered 404: (no such hook ){8}") as caught:
        post_json(Secret(receiver.url), {}, timeout_seconds=5)
    assert len(caught.value.message) < 200


class TestApprise:
    """The library in its own process, with its own JSON service at the other end."""

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        """Skip without the library."""
        require("apprise")

    def test_title_body_and_type_arrive(self, receiver: Receiver) -> None:
        """As the service of the library lays them out."""
        channel("apprise", f"json://127.0.0.1:{receiver.port}/services/{SECRET}").send(message(), timeout_seconds=60)

        (document,) = receiver.documents
        assert document["title"] == "🔴 Grading of 2026-01-17 failed"
        assert document["type"] == "failure"
        assert "Look closer: gradeonce grade 2026-01-17 --dry-run" in document["message"]

    def test_a_service_that_refuses_is_a_failure(self, receiver: Receiver) -> None:
        """The library says only that it was not taken."""
        receiver.answer(Answer(500, "broken"))

        with pytest.raises(TransientAlertError, match=r"^The channel did not take the message"):
            channel("apprise", f"json://127.0.0.1:{receiver.port}/{SECRET}").send(message(), timeout_seconds=60)
        assert len(receiver.requests) == 1

    def test_a_service_that_hangs_is_ended(self, receiver: Receiver) -> None:
        """Its process is killed when its time is over."""
        receiver.answer(Answer(hangs=True))
        started = time.monotonic()

        _, error, _ = try_to_send("apprise", f"json://127.0.0.1:{receiver.port}/{SECRET}", seconds=2.0)

        assert error is not None
        assert re.fullmatch(r"The channel did not answer within \d\.\d s\.", error.message)
        assert time.monotonic() - started < 10

    def test_without_the_library_the_error_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is an extra."""
        monkeypatch.setattr("gradeonce.alerts.channels.apprise.find_spec", lambda name: None)

        _, error, _ = try_to_send("apprise", "json://127.0.0.1/x")

        assert error is not None
        assert error.hint == "pip install 'gradeonce[alerts]'"
