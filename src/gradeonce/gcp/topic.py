"""The topic that is told what became of a message."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from gradeonce.errors import CompletionError, ConfigError, TransientCompletionError

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import PublisherClient  # type: ignore[import-untyped]

    from gradeonce.config import Settings
    from gradeonce.gcp.completion import Completion


class Publishes(Protocol):
    """Tells a completion; raises CompletionError or TransientCompletionError if it was not taken."""

    def __call__(self, completion: Completion, *, seconds: float) -> None: ...


class Topic:
    """A topic of Pub/Sub. Threads may share it; it connects by the first completion, so a fork may come before that.

    Guarantee: a completion was taken when `__call__` returns. Limit: it may have been taken, too, when that raises.
    """

    def __init__(self, path: str) -> None:
        """Remember where: `projects/PROJECT/topics/NAME`. PUBSUB_EMULATOR_HOST leads to an emulator."""
        self.path = path
        self._client: PublisherClient | None = None

    def __call__(self, completion: Completion, *, seconds: float) -> None:
        """See `Publishes`.

        Args:
            completion: What to tell.
            seconds: How long it may take, with all that is tried again.
        """
        import concurrent.futures

        from google.api_core import exceptions
        from google.api_core.retry import Retry
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

        try:
            future = self._connected().publish(
                self.path,
                completion.to_json().encode(),
                retry=Retry(timeout=seconds),
                timeout=seconds,
                **completion.attributes,
            )
            future.result(timeout=seconds)
        except (
            exceptions.NotFound,
            exceptions.PermissionDenied,
            exceptions.InvalidArgument,
            DefaultCredentialsError,
        ) as error:
            raise CompletionError(
                f"{self.path} did not take the completion: {type(error).__name__}.",
                hint="Make the topic, and let the service account publish to it (roles/pubsub.publisher).",
            ) from error
        except (exceptions.GoogleAPIError, GoogleAuthError, concurrent.futures.TimeoutError) as error:
            raise TransientCompletionError(
                f"{self.path} has not taken the completion within {seconds:g} s: {type(error).__name__}."
            ) from error

    def _connected(self) -> PublisherClient:
        if self._client is None:
            from google.cloud.pubsub_v1 import PublisherClient

            self._client = PublisherClient()
        return self._client


def topic_of(settings: Settings) -> Topic | None:
    """Return the topic that the settings name; None if they name none.

    Raises:
        ConfigError: If it is a mere name and no project is known, or the client is not installed.
    """
    name = settings.completion_topic.strip()
    if not name:
        return None
    if "/" not in name:
        name = f"projects/{_project(settings)}/topics/{name}"
    parts = name.split("/")
    if len(parts) != 4 or parts[0] != "projects" or parts[2] != "topics" or not all(parts):
        raise ConfigError(
            f"[function] completion_topic is {settings.completion_topic!r}; expected projects/PROJECT/topics/NAME."
        )
    return Topic(name)


def _project(settings: Settings) -> str:
    url = urlsplit(settings.book) if settings.book.startswith("bigquery://") else None
    project = (url.netloc if url else "") or os.environ.get("GOOGLE_CLOUD_PROJECT", "")
    if not project:
        raise ConfigError(
            "[function] completion_topic is a name, and no project is known.",
            hint="Write projects/PROJECT/topics/NAME, or set GOOGLE_CLOUD_PROJECT.",
        )
    return project
