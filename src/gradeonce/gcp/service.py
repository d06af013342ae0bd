"""The same handler as a web service, for Cloud Run behind a push subscription.

    gunicorn --bind :8080 --workers 1 --threads 8 --timeout 0 gradeonce.gcp.service:app

`POST /` takes a push of Pub/Sub or a CloudEvent, and answers with what became of it; `GET /health` says whether the
settings can be used.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from gradeonce._version import __version__
from gradeonce.config import load_settings
from gradeonce.errors import GradeonceError, UsageError
from gradeonce.gcp import logs
from gradeonce.gcp.envelope import LONGEST_BODY, Envelope, of_request
from gradeonce.gcp.handler import Answer, Handler, malformed

_log = logging.getLogger(__name__)

_turn = threading.Lock()
_handler: Handler | None = None

StartResponse = Callable[[str, list[tuple[str, str]]], object]


def handler() -> Handler:
    """Return the handler of this process, made by the first delivery from `gradeonce.toml` and the environment.

    Raises:
        ConfigError: If the settings are wrong; the next delivery looks again.
    """
    global _handler
    with _turn:
        if _handler is None:
            logs.write_json_lines()
            _handler = Handler(load_settings())
        return _handler


def handle(envelope: Envelope) -> Answer:
    """Do what a delivery asks for; see `Handler.handle`."""
    return handler().handle(envelope)


def health() -> tuple[int, dict[str, Any]]:
    """Return a status of HTTP and what to say: whether the settings can be used. Nothing else is asked."""
    # Any: JSON values.
    try:
        settings = handler().settings
    except GradeonceError as error:
        return 503, {"status": "broken", "version": __version__, "reason": str(error)}
    return 200, {"status": "ok", "version": __version__, "book": settings.shown_book}


def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request: a WSGI application. Any: as WSGI has it."""
    status, document = _answer(environ)
    body = (json.dumps({"schema_version": 1, **document}, ensure_ascii=False) + "\n").encode()
    headers = [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {_REASONS[status]}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


_REASONS = {200: "OK", 405: "Method Not Allowed", 500: "Internal Server Error", 503: "Service Unavailable"}


def _answer(environ: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    # Any: as WSGI has it; JSON values.
    if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return health()
    if environ["REQUEST_METHOD"] != "POST":
        return 405, {"reason": "POST a message, or GET /health."}
    logs.write_json_lines()
    try:
        envelope = of_request(_headers(environ), _body(environ))
    except UsageError as error:
        return 200, document_of(malformed(error))
    try:
        return 200, document_of(handle(envelope))
    except GradeonceError as error:
        # Anything but success lets the message come again.
        return 503, {"outcome": "again", "reason": str(error)}
    except Exception as error:  # noqa: BLE001
        # A server would answer in its own way, and might close the connection on whoever waits.
        _log.exception("event_broke event_id=%s", envelope.event_id)
        return 500, {"outcome": "again", "reason": type(error).__name__}


def document_of(answer: Answer) -> dict[str, Any]:
    """Return an answer as a document."""
    # Any: JSON values.
    completion = None if answer.completion is None else asdict(answer.completion)
    return {"outcome": answer.outcome.value, "reason": answer.reason, "completion": completion}


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    # Any: as WSGI has it.
    named = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    return {**named, "content-type": environ.get("CONTENT_TYPE", "")}


def _body(environ: dict[str, Any]) -> bytes:
    # Any: as WSGI has it.
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    # One byte more than is looked at shows that there is too much.
    return bytes(environ["wsgi.input"].read(min(max(length, 0), 2 * LONGEST_BODY + 1)))
