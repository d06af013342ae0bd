"""A real HTTP server on this machine that keeps what it is sent and answers as it is told, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

SECRET = "T0SECRET01/B0SECRET02/x9SECRET03"
"""The path of the address: what must never be seen anywhere."""


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document that was posted. Any: JSON values."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """How a request is answered.

    Attributes:
        status: The status; 0 hangs up without an answer.
        text: Its text.
        headers: Its headers.
        hangs: Whether to keep the caller waiting until the receiver ends.
        trickles: Whether to send a byte now and then, for ever.
    """

    status: int = 200
    text: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    trickles: bool = False


class Receiver:
    """Used as a context; answers are taken in order, and the last one goes on."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = list(answers) or [Answer()]
        self.on_request: Callable[[Request], None] = lambda request: None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/services/{SECRET}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, *answers: Answer) -> None:
        """From now on, answer so."""
        with self._lock:
            self.answers = list(answers)

    @property
    def documents(self) -> list[Any]:
        """Every document posted so far. Any: JSON values."""
        return [request.json for request in self.requests]

    def _take(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            self.on_request(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _respond(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if answer.hangs:
            self._ended.wait(60)
            return
        if not answer.status:
            return
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.trickles:
            handler.end_headers()
            while not self._ended.wait(0.05):
                handler.wfile.write(b".")
            return
        body = answer.text.encode()
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length))
            try:
                receiver._respond(self, receiver._take(request))
            except (BrokenPipeError, ConnectionResetError):
                # The caller has gone, as callers with a timeout do.
                self.close_connection = True

        do_GET = do_POST  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def headings(documents: Sequence[Any]) -> list[str]:
    """Return the first line of each message, as Slack or a webhook got it."""
    return [d["blocks"][0]["text"]["text"] if "blocks" in d else d["title"] for d in documents]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A channel that takes everything until it is told otherwise."""
    with Receiver() as receiver:
        yield receiver
