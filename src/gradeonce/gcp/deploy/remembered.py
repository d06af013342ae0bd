"""What a deployment was asked for, kept beside the code that was sent: whoever looks after it need not say it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradeonce.errors import ConfigError

FILE = "deployment.json"

_NEVER = ("source", "wheel")
"""Where the file is, and what is on one machine only."""

# Any: options as the command line has them.


def remember(folder: Path, options: Mapping[str, Any]) -> None:
    """Keep the options that were given; no secret is among them, since none is taken."""
    kept = {key: value for key, value in options.items() if value not in (None, ()) and key not in _NEVER}
    (folder / FILE).write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def with_remembered(folder: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options, with those that are not given taken from the last deployment of the same project, if any.

    Raises:
        ConfigError: If the file is not one of ours.
    """
    given = {key: value for key, value in options.items() if value not in (None, ())}
    path = folder / FILE
    if not path.is_file():
        return given
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", hint="Delete it, and give the options again.") from error
    if not isinstance(kept, dict) or not set(kept) <= set(options):
        raise ConfigError(f"{path} is none that a deploy wrote.", hint="Delete it, and give the options again.")
    if given.get("project", kept.get("project")) != kept.get("project"):
        return given
    together = {**kept, **given}
    if "variables" in kept:
        # A variable that is given again takes the place of its former self; the others stay.
        names = {one.partition("=")[0] for one in given.get("variables", ())}
        stay = [one for one in kept["variables"] if one.partition("=")[0] not in names]
        together["variables"] = (*stay, *given.get("variables", ()))
    return together
