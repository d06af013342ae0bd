"""The user's hook: a command or a URL that is told what a date lacks and fetches it."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gradeonce.alerts.addresses import look_up
from gradeonce.config import Settings
from gradeonce.errors import ConfigError, TransientAlertError
from gradeonce.readiness import Readiness
from gradeonce.warehouses.interrupts import held_back

_log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL for a command that took too long or that we leave behind."""

SHOWN_CHARACTERS = 500
"""How much of a failed command's last words is passed on."""


@dataclass(frozen=True)
class HookResult:
    """What became of a call.

    Attributes:
        ok: Whether it said that it did its work.
        problem: What went wrong; empty if nothing.
    """

    ok: bool
    problem: str = ""


def call_hook(settings: Settings, readiness: Readiness, *, attempt: int) -> HookResult:
    """Tell the hook what is missing, and wait for it. A hook that fails never raises: the caller decides what to do.

    A command finds GRADEONCE_DATE, GRADEONCE_MISSING (words with a comma between), GRADEONCE_REASON and
    GRADEONCE_ATTEMPT in its environment, and the same as JSON on its standard input. A URL gets that JSON by POST; any
    answer of 200 to 299 is well.

    Args:
        settings: Names the hook and how long it may take.
        readiness: What is missing.
        attempt: 1 for the first call of a morning.
    """
    document = {
        "schema_version": 1,
        "date": readiness.game_date.isoformat(),
        "missing": list(readiness.missing),
        "reason": readiness.reason,
        "attempt": attempt,
        "book": settings.shown_book,
    }
    try:
        hook = look_up(settings.hook, base_folder=settings.base_folder).reveal()
        if hook.startswith(("http://", "https://")):
            result = _post(hook, document, settings.hook_seconds)
        else:
            result = _run(hook, document, settings.hook_seconds, settings.base_folder)
    except (ConfigError, TransientAlertError) as error:
        result = HookResult(False, error.message)
    if result.ok:
        _log.info("hook_called date=%s attempt=%d", readiness.game_date, attempt)
    else:
        _log.error("hook_failed date=%s attempt=%d error=%s", readiness.game_date, attempt, result.problem)
    return result


def _run(command: str, document: dict[str, Any], seconds: float, folder: Path) -> HookResult:
    # Any: plain JSON values.
    try:
        words = shlex.split(command)
    except ValueError as error:
        return HookResult(False, f"the command cannot be read: {error}")
    environment = {**os.environ, **_environment(document)}
    try:
        with tempfile.TemporaryFile() as output, _running(words, folder, environment, output) as process:
            process.communicate(json.dumps(document).encode(), timeout=seconds)
            if process.returncode == 0:
                return HookResult(True)
            output.seek(max(0, output.seek(0, os.SEEK_END) - SHOWN_CHARACTERS))
            last_words = output.read().decode(errors="replace").strip()
    except subprocess.TimeoutExpired:
        return HookResult(False, f"it took longer than {seconds:g} s and was ended")
    except OSError as error:
        return HookResult(False, f"{words[0] if words else command!r} cannot be started: {error.strerror}")
    ended = f"exit code {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
    return HookResult(False, f"{ended}: {last_words or 'it said nothing'}")


@contextmanager
def _running(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command; when the block is left by an exception, nothing of it is left running."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        # What a signal's handler raises in the middle of this would part us from a command that runs already.
        with held_back():
            started.append(
                subprocess.Popen(
                    words,
                    cwd=folder,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    # A group of its own: what the command has started ends with it.
                    start_new_session=True,
                )
            )
        yield started[0]
    except BaseException:
        for process in started:
            _end(process)
        raise


def _environment(document: dict[str, Any]) -> dict[str, str]:
    return {
        "GRADEONCE_DATE": document["date"],
        "GRADEONCE_MISSING": ",".join(document["missing"]),
        "GRADEONCE_REASON": document["reason"],
        "GRADEONCE_ATTEMPT": str(document["attempt"]),
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    if process.stdin is not None:
        # What it was still to be told goes nowhere.
        with suppress(BrokenPipeError):
            process.stdin.close()


def _post(url: str, document: dict[str, Any], seconds: float) -> HookResult:
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(
        url, data=json.dumps(document).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return HookResult(True) if 200 <= answer.status < 300 else HookResult(False, f"status {answer.status}")
    except urllib.error.HTTPError as error:
        return HookResult(False, f"it answered with status {error.code}")
    except TimeoutError:
        return HookResult(False, f"it took longer than {seconds:g} s")
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
        # The URL may hold a secret, so only the kind of the error is told, or the reason the system gave.
        reason = getattr(error, "reason", None) or type(error).__name__
        return HookResult(False, f"it was not reached: {reason}")
