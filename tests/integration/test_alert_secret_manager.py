"""Addresses of channels in Secret Manager: read once, taken up anew, shown nowhere."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

import pytest

from alert_builders import Desk, problem
from builders import FakeClock, land_season, new_book, open_book
from gradeonce.alerts import add_resolver, addresses
from gradeonce.alerts.addresses import look_up
from gradeonce.alerts.secret_manager import _TALKATIVE, EMULATOR, KEPT_SECONDS, SecretManager
from gradeonce.config import Settings
from gradeonce.errors import ConfigError, TransientAlertError
from receiver import SECRET, Answer, Receiver, receiver
from servers import SecretManager as Server

__all__ = ["receiver"]

DAY = "2026-01-01"


@pytest.fixture(autouse=True)
def emulator(secret_manager: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment leads to the server; a resolver of another test, and what it kept, is gone."""
    monkeypatch.setenv(EMULATOR, secret_manager.host)
    monkeypatch.setattr(addresses, "_resolvers", {})


def test_an_address_is_read_once_and_again_after_a_while(secret_manager: Server) -> None:
    """Ten minutes; a version of its own never changes."""
    clock = FakeClock()
    google = SecretManager(clock=clock)
    reference = secret_manager.keep("kept", "https://one")
    assert google(reference) == "https://one"

    secret_manager.keep("kept", "https://two")

    clock.advance(KEPT_SECONDS - 1)
    assert google(reference) == "https://one"
    clock.advance(1)
    assert google(reference) == "https://two"
    assert google(f"{reference}/versions/1") == "https://one"
    assert google("secret://demo/kept") == "https://two"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("secret://projects/demo/secrets/none", r"could not be read from Secret Manager \(NotFound\)"),
        ("secret://projects/demo/secrets/kept/versions/99", r"could not be read from Secret Manager \(NotFound\)"),
        ("secret://hook", "names no secret; expected secret://projects/PROJECT/secrets/NAME"),
        ("secret://projects/demo/secrets/x/versions/", "names no secret"),
    ],
)
def test_a_secret_that_is_not_there_is_an_error_that_names_it(reference: str, words: str, tmp_path: Path) -> None:
    """So that one knows what to mend."""
    with pytest.raises(ConfigError, match=words):
        look_up(reference, base_folder=tmp_path)


def test_a_disabled_version_is_an_error(secret_manager: Server) -> None:
    """Whoever disables it means that it be used no more."""
    reference = secret_manager.keep("disabled", "https://one")
    secret_manager.client().disable_secret_version(name="projects/demo/secrets/disabled/versions/1")

    with pytest.raises(ConfigError, match="enabled version"):
        SecretManager()(reference)


def test_a_server_out_of_reach_leaves_what_was_read(monkeypatch: pytest.MonkeyPatch, secret_manager: Server) -> None:
    """An old address is better than none; without one it may be had later."""
    with Server() as other:
        reference = other.keep("hook", "https://one")
        monkeypatch.setenv(EMULATOR, other.host)
        clock = FakeClock()
        google = SecretManager(clock=clock)
        assert google(reference) == "https://one"
    clock.advance(KEPT_SECONDS)
    monkeypatch.setattr("gradeonce.alerts.secret_manager.ANSWER_SECONDS", 0.2)

    assert google(reference) == "https://one"
    google.forget(reference)
    with pytest.raises(TransientAlertError, match="out of reach"):
        google(reference)


def test_a_rotated_webhook_is_taken_up_at_once(secret_manager: Server, receiver: Receiver, tmp_path: Path) -> None:
    """Slack refuses the old one: the new version is read, and the same message goes to it. Nothing is deployed."""
    with Receiver() as revoked:
        revoked.answer(Answer(403, "invalid_token"))
        reference = secret_manager.keep("rotated", revoked.url)
        assert look_up(reference, base_folder=tmp_path).reveal() == revoked.url
        secret_manager.keep("rotated", receiver.url)
        with open_book(new_book(tmp_path / "book")) as book:
            announced = Desk(book.warehouse, Settings(slack=(reference,))).announce(problem())

        assert (len(revoked.requests), len(receiver.requests), announced.failed) == (1, 1, ())


def test_an_address_that_is_refused_for_good_is_asked_once_a_message(
    secret_manager: Server, receiver: Receiver, tmp_path: Path
) -> None:
    """The secret has not changed: there is nothing to try, and the refusal is what is told."""
    receiver.answer(Answer(404, "no_service"))
    reference = secret_manager.keep("refused", receiver.url)

    with open_book(new_book(tmp_path / "book")) as book:
        announced = Desk(book.warehouse, Settings(slack=(reference,))).announce(problem())

    assert len(receiver.requests) == 1
    assert "404: no_service" in announced.failed[0].error


def test_a_resolver_of_ones_own_stands_in_for_it(tmp_path: Path) -> None:
    """As before there was one built in; what it keeps, it is told to forget."""
    forgotten: list[str] = []
    add_resolver("secret", lambda reference: "https://mine", forget=forgotten.append)

    assert look_up("secret://anything", base_folder=tmp_path).reveal() == "https://mine"
    assert look_up("secret://anything", base_folder=tmp_path, was_refused=True).reveal() == "https://mine"
    assert forgotten == ["secret://anything"]


def test_no_log_and_no_output_shows_an_address(
    secret_manager: Server,
    receiver: Receiver,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """At level DEBUG, with every field of every record: Google's client would log the answer as it came."""
    folder = new_book(tmp_path / "book")
    land_season(folder, 1, 2)
    receiver.answer(Answer(404, f"cannot POST {receiver.url}"))
    reference = secret_manager.keep("shown-nowhere", receiver.url)
    for way in ("grpc", "rest"):
        # As they are in a process that has not read a secret yet.
        logging.getLogger(f"{_TALKATIVE}.transports.{way}").disabled = False
    caplog.set_level(logging.DEBUG)
    for name in ("google", "urllib3"):
        caplog.set_level(logging.DEBUG, name)

    with open_book(folder, slack=[reference]) as book:
        book.leases.try_acquire(f"grading/{DAY}", holder="rival", ttl_seconds=60.0, floor=0)
        book.grade(DAY, alert=True, wait_seconds=0)
        kept = str(book.sql("SELECT * FROM alerts_sent").rows)

    assert len(receiver.requests) == 1
    seen = "".join(str(vars(record)) for record in caplog.records) + caplog.text + "".join(capfd.readouterr()) + kept
    assert "secret_manager" in seen or "secretmanager" in seen
    for part in (receiver.url, *SECRET.split("/")):
        assert part not in seen
        assert base64.b64encode(receiver.url.encode()).decode() not in seen
