"""One check of a real project: what it asks, why that matters, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Check:
    """Something that only a real project shows.

    Attributes:
        name: Its name.
        question: What it asks.
        why: What would go wrong if the answer were no.
        run: Finds out; returns what was seen. It raises `NotSo` if the answer is no, and whatever error of ours
            keeps it from an answer.
        not_tried: Why it is not tried; empty: it is.
    """

    name: str
    question: str
    why: str
    run: Callable[[], str]
    not_tried: str = ""


class NotSo(Exception):
    """The answer is no; the text says what was seen."""


@dataclass(frozen=True)
class Finding:
    """What came of one check.

    Attributes:
        name: The check.
        question: What it asked.
        why: What would go wrong if the answer were no.
        result: passed, failed or not tried.
        seen: What was seen, or why it was not tried.
        hint: What to do, if it failed and that is known.
    """

    name: str
    question: str
    why: str
    result: Result
    seen: str
    hint: str = ""


@dataclass(frozen=True)
class Verdict:
    """What came of all of them.

    Attributes:
        findings: One for each check, in order.
        bytes_billed: What the checks of BigQuery billed together.
    """

    findings: tuple[Finding, ...]
    bytes_billed: int

    def count(self, result: Result) -> int:
        """Return how many checks came out so."""
        return sum(finding.result is result for finding in self.findings)


def require(answer: bool, seen: str) -> str:
    """Return what was seen if the answer is yes.

    Raises:
        NotSo: If it is no.
    """
    if not answer:
        raise NotSo(seen)
    return seen
