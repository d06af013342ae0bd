"""The Terraform of the project, read without Terraform: resources with the defaults of the variables put in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hcl2

# Any: whatever HCL holds.

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "terraform"


def variables() -> dict[str, Any]:
    """Return the default of each variable; those without one are left out."""
    found: dict[str, Any] = {}
    for block in _read("variables.tf")["variable"]:
        for name, content in block.items():
            if "default" in content:
                found[_plain(name)] = _plain(content["default"])
    return found


def resources(**given: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the arguments of each resource by type and name, with variables and locals put in.

    Args:
        given: Values of variables that have no default.
    """
    document = _read("main.tf")
    values = {f"var.{name}": value for name, value in (variables() | given).items()}
    values |= {f"local.{name}": _plain(value) for name, value in document["locals"][0].items()}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for block in document["resource"]:
        for kind, named in block.items():
            for name, content in named.items():
                found[_plain(kind), _plain(name)] = _filled(content, values)
    return found


def local(name: str) -> str:
    """Return the text of a local value."""
    return str(_read("main.tf")["locals"][0][name])


def arguments(content: dict[str, Any]) -> dict[str, Any]:
    """Return what is given in a block: names, and for a block within it what is given there."""
    return {
        key: arguments(value[0]) if isinstance(value, list) and value and isinstance(value[0], dict) else None
        for key, value in content.items()
        if not key.startswith("__")
    }


def _read(name: str) -> dict[str, Any]:
    with (FOLDER / name).open(encoding="utf-8") as file:
        document: dict[str, Any] = hcl2.load(file)
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, str) and len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"')
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items() if not key.startswith("__")}
    return value


def _filled(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\$\{((?:var|local)\.\w+)\}", value)
    if whole and whole[1] in values:
        return values[whole[1]]
    text = _plain(value)
    return re.sub(r"\$\{((?:var|local)\.\w+)\}", lambda match: str(values.get(match[1], match[0])), text)
