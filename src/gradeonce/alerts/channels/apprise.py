"""Whatever the Apprise library reaches: mail, Teams, Discord, phones and some hundred more.

The library runs in a process of its own, for two reasons. It and the clients under it write addresses to their debug
logs, and no filter here could reach them all. And only a process can be ended when its time is over.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

from gradeonce.alerts.addresses import Secret
from gradeonce.alerts.channels.plain import plain_text
from gradeonce.alerts.memory import Event
from gradeonce.alerts.message import Message
from gradeonce.alerts.problem import Severity
from gradeonce.errors import AlertError, TransientAlertError

NOT_A_SERVICE = 3
"""Exit code of the process when the address is none that the library knows."""

_PROGRAM = f"{__package__}.apprise_process"


def send_by_apprise(address: Secret, message: Message, *, timeout_seconds: float) -> None:
    """Hand a message to the Apprise library.

    Raises:
        AlertError: If the library is not installed, or does not know the address.
        TransientAlertError: If the service did not take it; the library does not say whether it might later.
    """
    if find_spec("apprise") is None:
        raise AlertError(
            "The channel needs the apprise library, which is not installed.",
            hint="pip install 'gradeonce[alerts]'",
        )
    orders = {
        "address": address.reveal(),
        "title": message.heading,
        "body": plain_text(message),
        "type": _type(message),
    }
    try:
        finished = subprocess.run(
            [sys.executable, "-P", "-m", _PROGRAM],
            input=json.dumps(orders).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TransientAlertError(f"The channel did not answer within {timeout_seconds:.1f} s.") from None
    except OSError as error:
        raise TransientAlertError(f"The apprise library could not be started: {error.strerror}.") from error
    if finished.returncode == NOT_A_SERVICE:
        raise AlertError("The address of the channel is none that the apprise library knows.")
    if finished.returncode != 0:
        raise TransientAlertError(f"The channel did not take the message{_last_words(finished.stderr, address)}.")


def _type(message: Message) -> str:
    if message.event is Event.RECOVERED:
        return "success"
    return "failure" if message.severity is Severity.FAIL else "warning"


def _last_words(errors: bytes, address: Secret) -> str:
    # Of a traceback, the last line; of warnings, the last one.
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return f": {address.hidden_in(lines[-1].strip())[:160].rstrip('. ')}" if lines else ""
