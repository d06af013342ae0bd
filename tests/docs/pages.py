"""The pages of the documentation, cut into blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^( *)```(.*)$")
_SAVED_AS = re.compile(r"as `([\w./-]+)`:$")
_START = re.compile(r"^<!-- start: ([\w./ -]+) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: Its page, relative to the checkout.
        line: Number of its first line of content.
        language: The word after the fence.
        text: Its content.
        file: Name under which the reader is told to save it; empty: none.
    """

    page: str
    line: int
    language: str
    text: str
    file: str


@dataclass(frozen=True)
class Page:
    """One Markdown file.

    Attributes:
        name: Relative to the checkout.
        text: Its content.
        blocks: Its fenced blocks, in order.
        start: What it takes as given (`<!-- start: tutorial -->`): a page that is run before it; empty: nothing.
    """

    name: str
    text: str
    blocks: tuple[Block, ...]
    start: str

    @property
    def prose(self) -> str:
        """The text outside fenced blocks."""
        return re.sub(r"^ *```.*?^ *```$", "", self.text, flags=re.MULTILINE | re.DOTALL)


def read_page(path: Path) -> Page:
    """Read one page."""
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding="utf-8")
    start = _START.search(text)
    return Page(name, text, tuple(_blocks(name, text)), start[1] if start else "")


def _blocks(name: str, text: str) -> list[Block]:
    blocks = []
    before, opened = "", None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence and opened is None:
            opened, inside = (number + 1, fence[2].strip(), len(fence[1])), []
        elif fence and opened is not None:
            first, language, indent = opened
            saved = _SAVED_AS.search(before)
            content = "\n".join(row[indent:] for row in inside) + "\n"
            blocks.append(Block(name, first, language, content, saved[1] if saved else ""))
            before, opened = "", None
        elif opened is not None:
            inside.append(line)
        elif line.strip():
            before = line.strip()
    assert opened is None, f"{name}: a fence is not closed"
    return blocks


PAGES = [read_page(path) for path in (*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))]
"""Every page: those beside the code and those in docs/."""

WRITTEN = [page for page in PAGES if not page.name.startswith("docs/reference/")]
"""Those that people wrote."""
