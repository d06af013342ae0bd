"""Addresses of channels are secrets: whoever knows a webhook's URL can write to the channel.

A setting names where the address is, and the address is looked up when something is to be sent: `env:NAME` is a
variable of the environment, `file:PATH` the text of a file, `secret://projects/...` is in Google's Secret Manager, and
other places belong to resolvers that are added with `add_resolver`. Looked up, an address is a `Secret`, which no
format, log or traceback shows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gradeonce.config import is_reference
from gradeonce.errors import ConfigError, TransientAlertError, UsageError

Resolver = Callable[[str], str]
"""Takes a reference, e.g. `secret://project/slack-webhook`, and returns the text it stands for."""

SHORTEST_SECRET = 6
"""Parts of an address shorter than this are words, not secrets."""

Forget = Callable[[str], None]
"""Takes a reference whose text was refused where it was used, and lets the resolver look again."""

_resolvers: dict[str, tuple[Resolver, Forget | None]] = {}


def add_resolver(scheme: str, resolver: Resolver, *, forget: Forget | None = None) -> None:
    """Let addresses that begin with `scheme://` be looked up by this function, in this process.

    Args:
        scheme: `secret`, in place of Google's Secret Manager, or `secret+` and a word, for one of several.
        resolver: Takes the whole reference; raises ConfigError if it cannot, TransientAlertError if it cannot now.
        forget: Called before a reference is looked up again, whose text was refused; for resolvers that keep texts.

    Raises:
        UsageError: If the scheme is another: what a settings file holds could then not be told from an address.
    """
    if not is_reference(f"{scheme}://"):
        raise UsageError(f"A resolver is for secret:// or secret+word://, not for {scheme}://.")
    _resolvers[scheme] = (resolver, forget)


@dataclass(frozen=True)
class Secret:
    """A text that must not be shown."""

    _text: str

    def reveal(self) -> str:
        """Return the text; only for whoever sends."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def hidden_in(self, text: str) -> str:
        """Return the text with the secret, and every telling part of it, masked."""
        for part in sorted(self._parts(), key=len, reverse=True):
            text = text.replace(part, "***")
        return text

    def _parts(self) -> set[str]:
        parts = {self._text}
        try:
            url = urlsplit(self._text)
            # Apprise puts tokens where other URLs have their host; a host with a dot is a name that may be known.
            host = [] if "." in (url.hostname or "") else [url.netloc]
            wheres = [url.path, url.query, url.fragment, url.username or "", url.password or "", *host]
        except ValueError:
            wheres = [self._text]
        for where in wheres:
            parts.add(where)
            parts.update(re.split(r"[/?&=;,@:]", where))
        parts |= {unquote(part) for part in parts}
        return {part for part in parts if len(part.strip("/")) >= SHORTEST_SECRET}


def look_up(reference: str, *, base_folder: Path, was_refused: bool = False) -> Secret:
    """Return the address that a reference stands for; an address stands for itself.

    Args:
        reference: `env:NAME`, `file:PATH`, `SCHEME://...` of a resolver, or an address.
        base_folder: What relative paths start from.
        was_refused: Whether what was found last time is refused, so that nothing that was kept may be returned.

    Raises:
        ConfigError: If it is not to be found; the message names the reference and no secret.
        TransientAlertError: If it may be found later.
    """
    scheme, mark, _ = reference.partition("://")
    if mark and (scheme == "secret" or scheme in _resolvers):
        text = _resolved(scheme, reference, was_refused=was_refused)
    elif reference.startswith("env:"):
        name = reference.removeprefix("env:")
        text = os.environ.get(name, "")
        if not text.strip():
            raise ConfigError(f"The variable {name}, which holds an address, is not set or is empty.")
    elif reference.startswith("file:"):
        text = _from_file(base_folder / Path(reference.removeprefix("file:")).expanduser())
    else:
        text = reference
    return Secret(text.strip())


def _resolved(scheme: str, reference: str, *, was_refused: bool) -> str:
    if scheme not in _resolvers:
        # The one place that is known without being told: Google's.
        from gradeonce.alerts.secret_manager import SecretManager

        google = SecretManager()
        add_resolver(scheme, google, forget=google.forget)
    resolver, forget = _resolvers[scheme]
    try:
        if was_refused and forget is not None:
            forget(reference)
        text = resolver(reference)
    except (ConfigError, TransientAlertError):
        raise
    except Exception as error:  # noqa: BLE001
        # Foreign code, whose own words may hold what it was to look up.
        raise ConfigError(f"{reference} could not be looked up ({type(error).__name__}).") from None
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"{reference}, which holds an address, is empty or no text.")
    return text


def _from_file(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{path}, which holds an address, cannot be read: {reason}.") from error
    if not text.strip():
        raise ConfigError(f"{path}, which holds an address, is empty.")
    return text
