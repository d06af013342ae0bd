"""The page on messages names every key of a message and of a completion, and no other."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from docs.pages import DOCS, read_page
from gradeonce.gcp.completion import Completion
from gradeonce.gcp.message import KEYS


@pytest.mark.parametrize(
    ("heading", "keys"),
    [("The message", set(KEYS)), ("The completion", {field.name for field in fields(Completion)})],
)
def test_the_page_names_every_key(heading: str, keys: set[str]) -> None:
    """In the table below the heading."""
    text = read_page(DOCS / "howto" / "grade-on-a-message.md").text
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)

    assert {key for cell in cells for key in re.findall(r"`(\w+)`", cell)} == keys
