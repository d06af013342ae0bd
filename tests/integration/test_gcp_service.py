"""The doors: a WSGI application for Cloud Run, and the function under the functions framework, in this process."""

from __future__ import annotations

import base64
import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from builders import land_season, new_book, open_book
from gcp_messages import Listener, push_of
from gradeonce._version import __version__
from gradeonce.config import load_settings
from gradeonce.gcp import service
from gradeonce.gcp.handler import Handler
from gradeonce.gcp.logs import JsonLines
from servers import require

DAY = "2026-01-01"


@pytest.fixture
def topic() -> Listener:
    """The topic of completions."""
    return Listener()


@pytest.fixture
def folder(tmp_path: Path, topic: Listener, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book that the environment names, and a handler of this process that tells the topic above."""
    folder = new_book(tmp_path / "book")
    land_season(folder, 1, 3)
    monkeypatch.setenv("GRADEONCE_WAREHOUSE_BOOK", str(folder))
    monkeypatch.setenv("GRADEONCE_LOCK_WAIT_SECONDS", "0")
    monkeypatch.setattr("gradeonce.gcp.logs.write_json_lines", lambda: None)
    monkeypatch.setattr(service, "_handler", Handler(load_settings(folder=tmp_path), topic=topic))
    return folder


def call(method: str, path: str = "/", body: bytes = b"", **headers: str) -> tuple[str, dict[str, Any]]:
    """Ask the application; return the status line and the document. Any: JSON values."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
        **headers,
    }
    parts = service.app(environ, lambda status, _: statuses.append(status))
    return statuses[0], json.loads(b"".join(parts))


def test_a_push_is_answered_with_what_became_of_it(folder: Path, topic: Listener) -> None:
    """Once it is done, and again with the same when Pub/Sub brings it a second time."""
    body = push_of({"target_date": DAY})

    first, again = call("POST", body=body), call("POST", body=body)

    assert (first[0], first[1]["outcome"], first[1]["completion"]["status"]) == ("200 OK", "done", "published")
    assert (again[0], again[1]["outcome"]) == ("200 OK", "done_before")
    assert again[1]["completion"] == first[1]["completion"]
    assert len(topic.taken) == 1


def test_a_binary_cloud_event_is_the_same_event(folder: Path, topic: Listener) -> None:
    """Eventarc writes the id into a header, a push into its body."""
    body = push_of({"target_date": DAY}, event_id="9")

    assert call("POST", body=body, HTTP_CE_ID="9", HTTP_CE_TIME="2026-01-02T11:00:00Z")[1]["outcome"] == "done"
    assert call("POST", body=body)[1]["outcome"] == "done_before"


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff", b"{}", b"x" * 200_000, push_of(b"no JSON"), push_of(b"", event_id="5")]
)
def test_a_poison_message_is_acknowledged_with_the_reason(folder: Path, body: bytes) -> None:
    """Any status but success would bring it again, for ever."""
    status, document = call("POST", body=body)

    assert (status, document["outcome"], document["completion"]) == ("200 OK", "malformed", None)
    assert document["reason"]


def test_what_must_come_again_is_not_acknowledged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """503 for a lease that is held; 500, with the traceback in the log, for a fault of ours."""
    with open_book(folder) as book:
        book.leases.try_acquire(f"grading/{DAY}", holder="rival", ttl_seconds=60.0, floor=0)
        status, document = call("POST", body=push_of({"target_date": DAY}))
    assert (status, document["outcome"]) == ("503 Service Unavailable", "again")
    assert "held by rival" in document["reason"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "handle", lambda *_: 1 / 0)
        assert call("POST", body=push_of({}))[1] == {
            "schema_version": 1,
            "outcome": "again",
            "reason": "ZeroDivisionError",
        }
    assert "event_broke event_id=e1" in caplog.text
    assert "Traceback" in caplog.text


def test_health_says_whether_the_settings_can_be_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mended, the next question finds it well."""
    assert call("GET", "/health") == (
        "200 OK",
        {"schema_version": 1, "status": "ok", "version": __version__, "book": str(folder)},
    )
    monkeypatch.setattr(service, "_handler", None)
    monkeypatch.setenv("GRADEONCE_FUNCTION_TIMEOUT_SECONDS", "soon")
    status, document = call("GET", "/health")
    assert (status, document["status"]) == ("503 Service Unavailable", "broken")
    assert "GRADEONCE_FUNCTION_TIMEOUT_SECONDS is 'soon'" in document["reason"]

    monkeypatch.setenv("GRADEONCE_FUNCTION_TIMEOUT_SECONDS", "300")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo")
    assert call("GET", "/health")[0] == "200 OK"


def test_the_function_under_its_framework(
    folder: Path, topic: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A raw push becomes an event there; a held lease is 503, poison is acknowledged, and health has a page."""
    require("functions_framework")
    import functions_framework

    # As in a process of its own: another test of this one may have imported it, outside of an app.
    monkeypatch.delitem(sys.modules, "gradeonce.gcp.function", raising=False)
    (tmp_path / "main.py").write_text("from gradeonce.gcp.function import grade_on_message\n", encoding="utf-8")
    client = functions_framework.create_app("grade_on_message", str(tmp_path / "main.py")).test_client()
    push = json.loads(push_of({"target_date": DAY}))

    with open_book(folder) as book:
        book.leases.try_acquire(f"grading/{DAY}", holder="rival", ttl_seconds=60.0, floor=0)
        assert client.post("/", json=push).status_code == 503
        book.leases.release(f"grading/{DAY}", holder="rival", token=1)
    assert [client.post("/", json=push).status_code for _ in range(2)] == [200, 200]
    binary = {"ce-id": "7", "ce-source": "//pubsub", "ce-type": "t", "ce-specversion": "1.0"}
    assert client.post("/", data=b"\xff\x00", headers=binary).status_code == 200
    for poison in ({"message": {"messageId": "8", "attributes": {"a": "b"}}, "subscription": "s"}, {"a": 1}, [1]):
        answer = client.post("/", json=poison)
        assert (answer.status_code, answer.get_json()["outcome"]) == (200, "malformed")
    assert client.post("/", data=b"\x00").status_code == 200
    assert client.get("/health").get_json()["status"] == "ok"
    assert [told.status for told in topic.taken] == ["published"]


def test_a_log_line_is_one_json_object_without_extras() -> None:
    """Severity, message, and the fields of our own lines; what else a record carries is not written."""
    text = "event_again event_id=%s error=It is held."
    record = logging.LogRecord("gradeonce.gcp.handler", logging.WARNING, "", 0, text, ("e1",), None)
    record.payload = "hunter2"
    line = json.loads(JsonLines().format(record))

    assert (line["severity"], line["message"]) == ("WARNING", "event_again event_id=e1 error=It is held.")
    assert (line["event"], line["fields"]) == ("event_again", {"event_id": "e1", "error": "It is held."})
    assert "hunter2" not in str(line)
    try:
        base64.b64decode("x")
    except ValueError:
        import sys

        broken = logging.LogRecord("other", logging.ERROR, "", 0, "it broke", (), sys.exc_info())
        line = json.loads(JsonLines().format(broken))
    assert line["message"].startswith("it broke\nTraceback")
    assert "event" not in line
