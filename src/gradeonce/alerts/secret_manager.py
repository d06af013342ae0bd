"""Addresses of channels in Google's Secret Manager: `secret://projects/PROJECT/secrets/NAME[/versions/VERSION]`.

`secret://PROJECT/NAME` is the same for short. Without a version the latest one counts. An address is read once and kept
for a while, so that a new version is taken up without a redeploy; a channel that refuses lets it be read again at once.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from gradeonce.clock import Clock, SystemClock
from gradeonce.errors import ConfigError, TransientAlertError

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

_log = logging.getLogger(__name__)

EMULATOR = "SECRET_MANAGER_EMULATOR_HOST"
"""Variable that names the host and port of an emulator, which is asked by REST without credentials."""

KEPT_SECONDS = 600.0
"""How long an address is used before it is read again."""

ANSWER_SECONDS = 5.0
"""How long one reading may take: what is to be sent waits for it."""

_LONG = re.compile(r"secret://projects/([^/\s]+)/secrets/([^/\s]+)(?:/versions/([^/\s]+))?")
_SHORT = re.compile(r"secret://([^/\s]+)/([^/\s]+)")
_TALKATIVE = "google.cloud.secretmanager_v1.services.secret_manager_service"


@dataclass(frozen=True)
class _Kept:
    text: str
    read_at: float

    def __repr__(self) -> str:
        return "_Kept(***)"


class SecretManager:
    """Looks references up, and keeps what it found. Threads may share it.

    Guarantee: one reading per reference and `kept_seconds`, whoever asks. Limit: two that ask at the same instant may
    both read. Should a reading fail because the server is out of reach, what was read before is used.
    """

    def __init__(self, *, clock: Clock | None = None, kept_seconds: float = KEPT_SECONDS) -> None:
        """Remember how long to keep; nothing is asked yet."""
        self._clock, self._kept_seconds = clock or SystemClock(), kept_seconds
        self._kept: dict[str, _Kept] = {}
        self._turn = threading.Lock()
        self._client: SecretManagerServiceClient | None = None

    def __call__(self, reference: str) -> str:
        """Return the text of a secret.

        Raises:
            ConfigError: If the reference is malformed, there is no such secret, or it may not be read.
            TransientAlertError: If the server is out of reach, and nothing was read before.
        """
        name = version_name(reference)
        now = self._clock.monotonic()
        kept = self._kept.get(name)
        if kept is not None and now - kept.read_at < self._kept_seconds:
            return kept.text
        try:
            text = self._read(reference, name)
        except TransientAlertError as error:
            if kept is None:
                raise
            _log.warning("secret_not_read_again reference=%s error=%s", reference, error.message)
            return kept.text
        with self._turn:
            self._kept[name] = _Kept(text, now)
        return text

    def forget(self, reference: str) -> None:
        """Let the next look-up read it again: what was kept is refused where it is used."""
        with self._turn:
            self._kept.pop(version_name(reference), None)

    def _read(self, reference: str, name: str) -> str:
        _require_client()
        from google.api_core import exceptions
        from google.api_core.retry import Retry
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

        try:
            answer = self._connected().access_secret_version(
                name=name, timeout=ANSWER_SECONDS, retry=Retry(timeout=ANSWER_SECONDS)
            )
        except (exceptions.ClientError, DefaultCredentialsError) as error:
            if isinstance(error, exceptions.TooManyRequests):
                raise _out_of_reach(reference, error) from None
            # Without the cause: what a server says of a secret is not ours to show.
            raise ConfigError(
                f"{reference} could not be read from Secret Manager ({type(error).__name__}).",
                hint="Is the name right, has it an enabled version, and may this account read it "
                "(roles/secretmanager.secretAccessor)?",
            ) from None
        except (exceptions.GoogleAPIError, GoogleAuthError, OSError) as error:
            raise _out_of_reach(reference, error) from None
        try:
            return answer.payload.data.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"{reference} is not text.") from None

    def _connected(self) -> SecretManagerServiceClient:
        with self._turn:
            if self._client is None:
                self._client = _new_client()
            return self._client


def version_name(reference: str) -> str:
    """Return the name of the version that a reference stands for.

    Raises:
        ConfigError: If it is malformed.
    """
    match = _LONG.fullmatch(reference) or _SHORT.fullmatch(reference)
    if match is None:
        raise ConfigError(
            f"{reference} names no secret; expected secret://projects/PROJECT/secrets/NAME, "
            "with /versions/VERSION if it is not the latest."
        )
    project, name, version = (*match.groups(), None)[:3]
    return f"projects/{project}/secrets/{name}/versions/{version or 'latest'}"


def _require_client() -> None:
    try:
        import_module("google.cloud.secretmanager_v1")
    except ImportError as error:
        raise ConfigError(
            "Addresses in Secret Manager need google-cloud-secret-manager, which is not installed.",
            hint="pip install 'gradeonce[gcp]', use env:NAME or file:PATH, or add a resolver with "
            "gradeonce.alerts.add_resolver().",
        ) from error


def _new_client() -> SecretManagerServiceClient:
    from google.cloud import secretmanager_v1

    # At level DEBUG the client logs every answer as it came, and the answer is the secret.
    for way in ("grpc", "rest"):
        logging.getLogger(f"{_TALKATIVE}.transports.{way}").disabled = True
    host = os.environ.get(EMULATOR)
    if not host:
        return secretmanager_v1.SecretManagerServiceClient()
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport,
    )

    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
    transport = SecretManagerServiceRestTransport(host=host, url_scheme="http", credentials=anonymous)
    return secretmanager_v1.SecretManagerServiceClient(transport=transport)


def _out_of_reach(reference: str, error: Exception) -> TransientAlertError:
    return TransientAlertError(
        f"{reference} could not be read: Secret Manager is out of reach ({type(error).__name__})."
    )
