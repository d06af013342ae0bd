"""The rules in plain sentences: why a prediction does not count, why a grade is what it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from gradeonce.reports.explanation import GradeSeen
from gradeonce.schema import COMPOSITE_MARKETS

_UNGRADABLE = {
    "player_not_in_box_score": "The final box score of the game does not name the player, and no injury report said he "
    "was out: ungradable, because a name that does not meet is no proof that he sat out.",
    "market_not_in_box_score": "The final box score of the game names the player but has no {market}: ungradable.",
    "value_not_in_box_score": "The final box score of the game has no value of {market} for the player, and does not "
    "say that he sat out: ungradable.",
}


def number(value: Decimal | None) -> str:
    """Return a number without idle zeros: 22.5, 25; a dash for none."""
    if value is None:
        return "-"
    return f"{value.normalize():f}"


def instant(at: datetime | None) -> str:
    """Return an instant to the second with its zone, e.g. `2026-01-17 18:00:00 UTC`."""
    return "an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def market_name(market: str) -> str:
    """Return a market as people say it: `points + rebounds + assists`."""
    return " + ".join(COMPOSITE_MARKETS.get(market, (market.replace("_", " "),)))


def why_excluded(row: Mapping[str, Any], day: date) -> str:
    """Return why a prediction does not count; empty when it does.

    Args:
        row: The prediction with its `excluded_reason`, and `counted_id` and `counted_date` of the one that counts with
            the same line. Any: its columns have types of their own.
        day: The date that it was made for.
    """
    match row["excluded_reason"]:
        case None:
            return ""
        case "replaced":
            return "The same prediction was loaded again later."
        case "inactive":
            return "It is marked as not active."
        case "invalidated":
            return f"It was invalidated: {row['invalidation_reason']}."
        case "line_source_excluded":
            return f"Its line source, {row['line_source']}, is not one of those that count ([grading] line_sources)."
        case "line_excluded":
            return f"Its line, {number(row['line_value'])}, is set as a placeholder ([grading] excluded_lines)."
        case "after_tipoff":
            return f"It was made at {instant(row['created_at'])}, not before tip-off at {instant(row['tipoff_at'])}."
        case "superseded":
            when = "later or at the same instant" + (
                "" if row["counted_date"] == day else f", for {row['counted_date']}"
            )
            return f"{row['counted_id']} counts in its place: the same line, predicted {when}."
        case reason:
            return f"It is excluded: {str(reason).replace('_', ' ')}."


def rule_of(grade: GradeSeen, market: str, *, played_date: date | None) -> str:
    """Return the rule that decided a grade, as one sentence.

    Args:
        grade: The grade.
        market: Its market.
        played_date: When the game was played according to the box score in use; None when unknown.
    """
    what = market_name(market)
    happened = f"{number(grade.actual_value)} {what} against a line of {number(grade.line_value)}"
    match grade.outcome:
        case "win":
            return f"{happened}: {grade.recommendation} wins."
        case "loss":
            return f"{happened}: {grade.recommendation} loses."
        case "push":
            return f"{happened}: exactly the line, a push; the stake goes back."
        case "no_bet":
            return _no_bet(grade, what)
        case "void":
            return _void(grade, played_date)
        case "ungradable":
            reason = grade.ungradable_reason or "no reason given"
            return _UNGRADABLE.get(reason, f"Ungradable: {reason.replace('_', ' ')}.").format(market=what)
        case _:
            return "The game has no final box score yet: pending."


def _no_bet(grade: GradeSeen, what: str) -> str:
    if grade.line_value is None:
        why = "there was no line"
    elif grade.recommendation is None:
        why = "there was no recommendation"
    else:
        why = f"the recommendation was {grade.recommendation}"
    return f"{number(grade.actual_value)} {what}; {why}, so it is no bet and only its error counts."


def _void(grade: GradeSeen, played_date: date | None) -> str:
    status = grade.pre_game_injury_status
    match grade.void_reason:
        case "game_moved":
            when = f"on {played_date}" if played_date else "on another date"
            return f"The game was played {when}, too far from the date predicted for: void (game_moved)."
        case "dnp_injury_confirmed" | "dnp_late_scratch":
            return f"He did not play, and was {status} before the game: void ({grade.void_reason})."
        case "dnp_unknown":
            said = f"his status before the game was {status}" if status else "no injury report had announced it"
            return f"He did not play, and {said}: void (dnp_unknown)."
        case reason:
            return f"Void ({reason})."
