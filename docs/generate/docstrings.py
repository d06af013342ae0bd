"""Google-style docstrings as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):$")
_ITEM = re.compile(r"^(\**[\w, ]+): *(.*)$")


def split(doc: str | None) -> tuple[str, dict[str, list[str]]]:
    """Return the text outside sections, and the lines of each section."""
    body: list[str] = []
    sections: dict[str, list[str]] = {}
    current = body
    for line in inspect.cleandoc(doc or "").splitlines():
        if match := _SECTION.match(line):
            current = sections.setdefault(match[1], [])
        elif current is not body and line and not line.startswith(" "):
            current = body
            body.append(line)
        else:
            current.append(line)
    return "\n".join(body).strip(), sections


def items(lines: Iterable[str]) -> dict[str, str]:
    """Return name and meaning of each item of a section."""
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        text = line.removeprefix("    ")
        match = None if text.startswith(" ") else _ITEM.match(text)
        if match:
            name = match[1]
            found[name] = match[2]
        elif name and text.strip():
            found[name] += " " + text.strip()
    return found


def attributes(thing: object) -> dict[str, str]:
    """Return the meaning of each attribute that a class documents."""
    return items(split(thing.__doc__)[1].get("Attributes", ()))


def markdown(doc: str | None, *, leave_out: tuple[str, ...] = ()) -> str:
    """Return a docstring as Markdown: text, then its sections as lists."""
    body, sections = split(doc)
    parts = [body]
    for name, lines in sections.items():
        if name in leave_out:
            continue
        if name == "Returns":
            parts.append(f"Returns: {' '.join(line.strip() for line in lines).strip()}")
        else:
            title = {"Args": "Arguments"}.get(name, name)
            parts.append("\n".join([f"{title}:", "", *(f"- `{key}`: {text}" for key, text in items(lines).items())]))
    return "\n\n".join(part for part in parts if part)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; bars in cells are escaped."""
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines)
