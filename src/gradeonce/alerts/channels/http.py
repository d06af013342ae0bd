"""One POST of a JSON document, within a time that is kept whatever the other side does.

The standard library's client: it logs nothing, where the clients that were looked at write the whole URL, which is the
secret, into their debug log.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from gradeonce._version import __version__
from gradeonce.alerts.addresses import Secret
from gradeonce.errors import AlertError, TransientAlertError

LONGEST_REPLY = 4096
"""Bytes of a reply that are read; whoever sends more is not listened to."""

SHOWN_REPLY = 120
_LOCAL = ("localhost", "127.0.0.1", "::1")
LONGEST_WAIT_SECONDS = 86400.0
"""A channel that asks for more is asked again after this."""


@dataclass(frozen=True)
class Reply:
    """What the other side answered: the status, and the beginning of its text."""

    status: int
    text: str


def post_json(
    address: Secret,
    document: Mapping[str, Any],
    *,
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
    needs_https: bool = False,
) -> Reply:
    """POST a document and return the reply of a server that took it (200 to 299).

    A redirect is not followed: it would carry the alert, and perhaps a password, to where nobody meant it to go.

    Args:
        address: The URL, http or https; a user and password in it are sent as basic authentication.
        document: The document. Any: JSON values.
        timeout_seconds: How long it may take in all, from the look-up of the name to the end of the reply.
        headers: Further headers.
        needs_https: Whether plain http is refused, except to this very machine.

    Raises:
        TransientAlertError: If the server was out of reach, too slow, too busy, or broken.
        AlertError: If it refused, or the address is no URL. No message holds the address.
    """
    request = _request(address, document, headers or {}, needs_https=needs_https)
    try:
        return _within(timeout_seconds, lambda: _exchange(request, timeout_seconds))
    except (AlertError, TimeoutError) as error:
        raise _clean(error, address, timeout_seconds) from None
    except urllib.error.HTTPError as error:
        raise _refusal(error, address) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        # Without the cause: the errors of the client may hold the path of the URL, and a traceback would show it.
        raise _clean(error, address, timeout_seconds) from None


def _request(
    address: Secret, document: Mapping[str, Any], headers: Mapping[str, str], *, needs_https: bool
) -> urllib.request.Request:
    try:
        url = urlsplit(address.reveal())
        host, port = url.hostname, url.port
    except ValueError:
        raise AlertError("The address of the channel is not a URL.") from None
    if url.scheme not in ("http", "https") or not host or any(c.isspace() for c in address.reveal()):
        raise AlertError("The address of the channel is not a URL that begins with https:// or http://.")
    if needs_https and url.scheme == "http" and host not in _LOCAL:
        raise AlertError("The address of the channel begins with http://; this one takes https:// only.")
    given = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"gradeonce/{__version__}",
        **headers,
    }
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        given["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    place = f"[{host}]" if ":" in host else host
    bare = urlunsplit((url.scheme, place if port is None else f"{place}:{port}", url.path or "/", url.query, ""))
    body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    return urllib.request.Request(bare, data=body, headers=given, method="POST")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        # Any: as the library has it. None lets the redirect become an HTTPError.
        return None


def _exchange(request: urllib.request.Request, timeout_seconds: float) -> Reply:
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=timeout_seconds) as answer:
        return Reply(answer.status, answer.read(LONGEST_REPLY).decode("utf-8", "replace"))


def _within(seconds: float, work: Callable[[], Reply]) -> Reply:
    """Do the work in a thread and leave it behind when its time is over.

    The client's own timeout is for each read: a server that sends a byte now and then would hold it for ever, and the
    look-up of a name has no timeout at all.
    """
    outcome: list[Reply | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001
            # Whoever waits for us raises it again.
            outcome.append(error)

    thread = threading.Thread(target=run, name="gradeonce-alert", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _refusal(error: urllib.error.HTTPError, address: Secret) -> AlertError:
    with error:
        status = error.code
        reply = _shown(error, address)
    if 300 <= status < 400:
        return AlertError(
            f"The channel answered {status}, a redirect; it was not followed.",
            hint="Put the address that it redirects to into the setting, if you trust it.",
        )
    message = f"The channel answered {status}{f': {reply}' if reply else ''}."
    if status == 429 or status == 503:
        return TransientAlertError(message, retry_after_seconds=_retry_after(error.headers))
    if status >= 500 or status == 408:
        return TransientAlertError(message)
    return AlertError(message)


def _shown(error: urllib.error.HTTPError, address: Secret) -> str:
    try:
        text = error.read(LONGEST_REPLY).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, ValueError):
        # The status is known; that its text did not arrive changes nothing.
        return ""
    return address.hidden_in(" ".join(text.split()))[:SHOWN_REPLY].rstrip(". ")


def _retry_after(headers: Message) -> float | None:
    """Read the header: a number of seconds, or a date, which is held against the server's own clock."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), LONGEST_WAIT_SECONDS)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return min(max(0.0, wait.total_seconds()), LONGEST_WAIT_SECONDS)


def _clean(error: BaseException, address: Secret, timeout_seconds: float) -> AlertError:
    if isinstance(error, AlertError):
        return error
    reason = getattr(error, "reason", error)
    if isinstance(error, TimeoutError) or isinstance(reason, TimeoutError):
        return TransientAlertError(f"The channel did not answer within {timeout_seconds:.1f} s.")
    words = str(getattr(reason, "strerror", None) or reason or type(reason).__name__)
    return TransientAlertError(f"The channel is out of reach: {address.hidden_in(words).rstrip('. ')}.")
