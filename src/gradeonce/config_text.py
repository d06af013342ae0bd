"""Settings as texts: what `config show` says of each, and the commented file that `init` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradeonce.config import SECTIONS, SETTINGS, Settings, is_reference, mask_secrets
from gradeonce.schema import ROW_TABLES


@dataclass(frozen=True)
class ShownSetting:
    """One row of `config show`."""

    section: str
    key: str
    value: str
    origin: str
    help: str


def shown_settings(settings: Settings) -> list[ShownSetting]:
    """Return every setting with its value (secrets masked) and where it came from."""
    return [
        ShownSetting(
            section=setting.metadata["section"],
            key=name,
            value=mask_secrets(_toml(_shown(setting, getattr(settings, name)))),
            origin=settings.origins.get(name, "default"),
            help=setting.metadata["help"],
        )
        for name, setting in SETTINGS.items()
    ]


def _shown(setting: Any, value: Any) -> Any:
    # Any: a field of a dataclass, and the value of any setting. Where a secret is may be shown; the secret may not.
    if not setting.metadata["is_secret"]:
        return value
    return tuple(item if is_reference(item) else "***" for item in value)


def config_template(values: Mapping[str, Any]) -> str:
    """Return the text of a commented `gradeonce.toml`: given values are set, the others stand as comments."""
    lines = [
        "# gradeonce settings. Flags win over GRADEONCE_<SECTION>_<KEY> variables, which win over this file.",
        "# `gradeonce config show` prints each value and where it came from.",
    ]
    for section, names in SECTIONS.items():
        lines += ["", f"[{section}]"]
        if section == "tables":
            lines += ["# Your own names for our tables, when they exist already:"]
            lines += [f'# {table.name} = "{table.name}"' for table in ROW_TABLES]
            continue
        if section == "columns":
            lines[-1:] = [
                "# A section [columns.TABLE] holds your names for the columns of such a table, ours on the left."
            ]
            continue
        for name in names:
            setting = SETTINGS[name]
            choices = setting.metadata["choices"]
            lines += [f"# {setting.metadata['help']}" + (f" One of: {', '.join(choices)}." if choices else "")]
            default = getattr(Settings(), name)
            given = name in values
            lines += [f"{'' if given else '# '}{name} = {_toml(values[name] if given else default)}"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return str(value)
