"""The edge of the network before a BigQuery emulator: what is sent is seen there, and answers can be put in its place.

What no emulator says (that a query is too dear, what it would bill, a conflict in other words) is said here, as
Google's driver would hear it.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.request import Request, urlopen

from servers import BigQuery

STARTED_SECONDS = 60.0


@dataclass(frozen=True)
class Sent:
    """One request.

    Attributes:
        method: GET, POST, ...
        path: With its question.
        body: What it carried. Any: JSON; empty if it carried something else.
    """

    method: str
    path: str
    body: dict[str, Any]

    @property
    def job(self) -> dict[str, Any] | None:
        """The settings of the query that it starts; None if it starts none. Any: JSON."""
        if self.method != "POST":
            return None
        if self.path.split("?")[0].endswith("/queries"):
            return self.body
        found = self.body.get("configuration", {})
        return {**found["query"], "dryRun": found.get("dryRun")} if "query" in found else None

    @property
    def sql(self) -> str:
        """The text of the query that it starts; empty if it starts none."""
        return str((self.job or {}).get("query", ""))


Answer = tuple[int, dict[str, Any]]
"""Status and body. Any: JSON."""


def refusal(status: int, reason: str, message: str) -> Answer:
    """Return an error as BigQuery words it."""
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message, "domain": "global"}]}
    return status, {"error": error}


class Edge:
    """A way to the emulator. Always used as a context.

    Attributes:
        sent: Every request so far.
        instead: Called with each; what it returns is the answer, and None lets the request through.
        passed_as: Called with each that is let through and what it carried; returns the path and the content with which
            the emulator is asked.
        after: Called with each that went through and its answer; what it returns is told instead.
    """

    def __init__(self, server: BigQuery) -> None:
        self.sent: list[Sent] = []
        self.instead: Callable[[Sent], Answer | None] = lambda _: None
        self.passed_as: Callable[[Sent, bytes], tuple[str, bytes]] = lambda sent, raw: (sent.path, raw)
        self.after: Callable[[Sent, Answer], Answer] = lambda _, answer: answer
        self._server = server
        edge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                edge._handle(self)

            do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing. Any: what the server would log."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handle(self, caller: BaseHTTPRequestHandler) -> None:
        raw = caller.rfile.read(int(caller.headers.get("Content-Length") or 0))
        sent = Sent(caller.command, caller.path, _json(raw, caller.headers.get("Content-Encoding", "")))
        self.sent.append(sent)
        answer = self.instead(sent)
        headers: dict[str, str] = {}
        if answer is None:
            found, headers = self._passed_on(caller, *self.passed_as(sent, raw))
            answer = self.after(sent, found)
        body = json.dumps(answer[1]).encode() if answer[1] else b""
        caller.send_response(answer[0])
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            caller.send_header(name, value)
        caller.end_headers()
        caller.wfile.write(body)

    def _passed_on(self, caller: BaseHTTPRequestHandler, path: str, raw: bytes) -> tuple[Answer, dict[str, str]]:
        """Return the emulator's answer, and where it says that a file is to be sent."""
        headers = {
            k: v
            for k, v in caller.headers.items()
            if k.lower() not in ("host", "accept-encoding", "connection", "content-length")
        }
        request = Request(self._server.url + path, raw or None, headers, method=caller.command)
        try:
            with urlopen(request, timeout=STARTED_SECONDS) as response:
                where = response.headers.get("Location")
                # A file that is to be sent goes through here, too.
                headers = {"Location": where.replace(self._server.url, self.url)} if where else {}
                return (response.status, _json(response.read(), "")), headers
        except OSError as error:
            # An error of the emulator's is an answer, too.
            if not hasattr(error, "read"):
                raise
            return (error.code, _json(error.read(), "")), {}  # type: ignore[attr-defined]


def _json(raw: bytes, encoding: str) -> dict[str, Any]:
    text = gzip.decompress(raw) if encoding == "gzip" else raw
    try:
        found = json.loads(text or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
