"""Channels: the ways in which a message leaves the house, each with an address that is a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gradeonce.alerts.addresses import Secret, look_up
from gradeonce.errors import AlertError, ConfigError, TransientAlertError

if TYPE_CHECKING:
    from gradeonce.alerts.message import Message
    from gradeonce.config import Settings


class Send(Protocol):
    """Sends one message to one address; raises AlertError or TransientAlertError if it was not taken."""

    def __call__(self, address: Secret, message: Message, *, timeout_seconds: float) -> None: ...


def _slack() -> Send:
    from gradeonce.alerts.channels.slack import send_to_slack

    return send_to_slack


def _webhook() -> Send:
    from gradeonce.alerts.channels.webhook import send_to_webhook

    return send_to_webhook


def _apprise() -> Send:
    from gradeonce.alerts.channels.apprise import send_by_apprise

    return send_by_apprise


# Imported when one is used: a run that has nothing to tell needs no client.
KINDS: Mapping[str, Callable[[], Send]] = {"slack": _slack, "webhook": _webhook, "apprise": _apprise}
"""Kinds of channels, by the key in `[alerts]` that holds their addresses."""


@dataclass(frozen=True)
class Channel:
    """One place that alerts go to.

    Attributes:
        name: For records and messages: its kind, with a number from the second of a kind on.
        kind: slack, webhook or apprise.
        reference: Where its address is, or the address itself; never shown.
        base_folder: What relative paths of references start from.
    """

    name: str
    kind: str
    reference: str = field(repr=False)
    base_folder: Path

    def send(self, message: Message, *, timeout_seconds: float) -> None:
        """Send a message. An address that is refused is looked up again, for it may have been replaced meanwhile.

        Raises:
            AlertError, TransientAlertError: If it was not taken, or the address is not to be found.
        """
        address = self._address()
        try:
            KINDS[self.kind]()(address, message, timeout_seconds=timeout_seconds)
        except TransientAlertError:
            raise
        except AlertError as refusal:
            newest = self._newest() or address
            if newest == address:
                raise refusal from None
            KINDS[self.kind]()(newest, message, timeout_seconds=timeout_seconds)

    def _newest(self) -> Secret | None:
        try:
            return self._address(was_refused=True)
        except AlertError:
            # The refusal is what is told.
            return None

    def _address(self, *, was_refused: bool = False) -> Secret:
        try:
            return look_up(self.reference, base_folder=self.base_folder, was_refused=was_refused)
        except ConfigError as error:
            raise AlertError(error.message, hint=error.hint) from None


def channels_of(settings: Settings) -> list[Channel]:
    """Return the channels that the settings name, in their order."""
    references: Mapping[str, Sequence[str]] = {
        "slack": settings.slack,
        "webhook": settings.webhook,
        "apprise": settings.apprise,
    }
    return [
        Channel(kind if number == 1 else f"{kind}-{number}", kind, reference, settings.base_folder)
        for kind in KINDS
        for number, reference in enumerate(references[kind], start=1)
    ]
