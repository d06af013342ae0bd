"""SQL as first-class text: named statements in `.sql` files, with named slots.

A file holds statements, each opened by a line `-- name: what_it_is` and a comment with its purpose. Values are bound
(`$name`), never put into the text. A slot, `{name}`, stands only for what cannot be bound: a relation, a quoted
identifier, or the few spellings in which dialects differ.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

_NAME = re.compile(r"^-- name: *([a-z0-9_]+) *$", re.MULTILINE)
_SLOT = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)


@cache
def statements(package: str, filename: str) -> dict[str, str]:
    """Return the statements of one `.sql` file by name.

    Raises:
        KeyError: If a name stands twice in the file, which would silently drop the first.
    """
    # Not importlib.resources: it costs 10 ms at every start, and the files always lie beside the module.
    text = Path(str(import_module(package).__file__)).with_name(filename).read_text(encoding="utf-8")
    return split_statements(text, filename)


def split_statements(text: str, filename: str) -> dict[str, str]:
    """Return the statements of a text by name, without their comments.

    Raises:
        KeyError: If a name stands twice.
    """
    parts = _NAME.split(text)
    found: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in found:
            raise KeyError(f"{filename}: the statement {name} stands twice")
        found[name] = without_comments(body)
    return found


def without_comments(text: str) -> str:
    """Return one statement without its comment lines and its closing semicolon."""
    return _COMMENT.sub("", text).strip().rstrip(";")


def statement(package: str, filename: str, name: str, /, **slots: str) -> str:
    """Return one statement with its slots filled.

    Raises:
        KeyError: If the statement does not exist, or a slot is missing or unknown.
    """
    return fill(statements(package, filename)[name], **slots)


def fill(text: str, /, **slots: str) -> str:
    """Fill the slots of a text; every slot must be given and every given slot must be there."""
    unused = set(slots)

    def put(match: re.Match[str]) -> str:
        unused.discard(match[1])
        return slots[match[1]]

    filled = _SLOT.sub(put, text)
    if unused:
        raise KeyError(f"no such slot: {', '.join(sorted(unused))}")
    return filled


def quote_identifier(name: str) -> str:
    """Return the name as a quoted SQL identifier; the only place where one is quoted."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return the text as an SQL string literal, for the statements that cannot bind values (COPY, CREATE VIEW)."""
    return "'" + text.replace("'", "''") + "'"
