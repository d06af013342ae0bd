"""Checks: rules over the whole book, each a named SQL statement that returns what breaks it; results, streaks."""

from gradeonce.checks.check import Check
from gradeonce.checks.documents import check_document, history_document
from gradeonce.checks.history import CheckHistory, CheckStanding, check_history
from gradeonce.checks.of_book import check_book
from gradeonce.checks.registry import built_in_checks, chosen_checks
from gradeonce.checks.render import check_text, history_text
from gradeonce.checks.results import CheckReport, CheckResult, CheckStatus

__all__ = [
    "Check",
    "CheckHistory",
    "CheckReport",
    "CheckResult",
    "CheckStanding",
    "CheckStatus",
    "built_in_checks",
    "check_book",
    "check_document",
    "check_history",
    "check_text",
    "chosen_checks",
    "history_document",
    "history_text",
]
