"""What `explain` answers with: records, from the player's day down to one revision of one grade."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class PredictionSeen:
    """One prediction row of the book, and why it does not count if it does not. Instants are UTC, naive.

    Attributes:
        excluded_reason: None when it counts, else inactive, invalidated, line_source_excluded, line_excluded,
            after_tipoff or superseded.
        why: The same as a sentence; empty when it counts.
    """

    prediction_id: str
    line_value: Decimal | None
    predicted_value: Decimal
    recommendation: str | None
    confidence_score: Decimal | None
    line_source: str
    bookmaker: str | None
    over_price: int | None
    under_price: int | None
    created_at: datetime | None
    tipoff_at: datetime | None
    is_active: bool
    invalidation_reason: str | None
    model_version: str | None
    load_id: str
    loaded_at: datetime
    excluded_reason: str | None
    why: str


@dataclass(frozen=True)
class GradeSeen:
    """One grade as it stands."""

    prediction_id: str
    line_value: Decimal | None
    predicted_value: Decimal
    recommendation: str | None
    confidence_score: Decimal | None
    actual_value: Decimal | None
    minutes_played: Decimal | None
    signed_error: Decimal | None
    outcome: str
    is_final_line: bool
    void_reason: str | None
    ungradable_reason: str | None
    pre_game_injury_status: str | None
    rules_version: int
    run_id: str
    graded_at: datetime


@dataclass(frozen=True)
class RevisionSeen:
    """One change of a published grade.

    Attributes:
        change: added, removed or changed.
        reason: Why, in the words of the rules.
        differences: Columns that differ, each with its old and new value; None stands for null and for no row.
        old: The row before; None when there was none.
        new: The row after; None when there is none.
        run_id: The run that changed it.
        revised_at: When, UTC, naive.
    """

    change: str
    reason: str
    differences: tuple[tuple[str, Any, Any], ...]
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    run_id: str
    revised_at: datetime


@dataclass(frozen=True)
class LineExplained:
    """One line of a pick: one business key, so at most one grade.

    Attributes:
        line_value: The line; None for a prediction without one.
        is_final_line: Whether it is the last one before tip-off, the one that counts in the record; None without a
            grade.
        rule: One sentence: the rule that decided.
        counted: The prediction that counts; None when none does.
        rivals: Those that do not, oldest first.
        grade: The grade; None when it is not graded yet, or nothing counts.
        revisions: How the grade changed, oldest first.
    """

    line_value: Decimal | None
    is_final_line: bool | None
    rule: str
    counted: PredictionSeen | None
    rivals: tuple[PredictionSeen, ...]
    grade: GradeSeen | None
    revisions: tuple[RevisionSeen, ...]


@dataclass(frozen=True)
class ActualSeen:
    """One version of what happened, as a box score told it.

    Attributes:
        is_used: Whether it is the version that the rules use now.
        game_id: The game as the box score names it, which may be another id than the prediction's.
    """

    is_used: bool
    game_id: str
    actual_value: Decimal | None
    minutes_played: Decimal | None
    is_dnp: bool | None
    is_final: bool
    game_date: date
    recorded_at: datetime | None
    load_id: str
    loaded_at: datetime


@dataclass(frozen=True)
class OfferedLine:
    """One loaded line of a bookmaker."""

    game_id: str | None
    bookmaker: str
    line_value: Decimal
    over_price: int | None
    under_price: int | None
    observed_at: datetime | None


@dataclass(frozen=True)
class PickExplained:
    """One pick: a system on one market of one game.

    Attributes:
        lines: Its lines in the order they were predicted on; the last one before tip-off is final.
        actuals: Versions of the actual, the one in use first.
        offered: Lines that were loaded for the market, oldest first.
        note: What does not fit together now (the actual changed after grading); empty when all does.
    """

    system_id: str
    market: str
    game_id: str
    lines: tuple[LineExplained, ...]
    actuals: tuple[ActualSeen, ...]
    offered: tuple[OfferedLine, ...]
    note: str


@dataclass(frozen=True)
class InjurySeen:
    """One injury report on the player for the date."""

    game_id: str | None
    status: str
    reason: str | None
    reported_at: datetime | None


@dataclass(frozen=True)
class NearestPlayer:
    """A player whose name reads like the one asked for; similarity 0 to 1 (Jaro-Winkler)."""

    player_lookup: str
    player_name: str | None
    similarity: float


@dataclass(frozen=True)
class Explanation:
    """The answer.

    Attributes:
        asked: The name or prediction id as it was asked for.
        player_lookup: The player; None when a prediction id is unknown or a name holds no letters.
        player_name: His name; None when the book has none.
        day: The game date; None when a prediction id is unknown.
        prediction_id: The one asked for; None when a player was.
        picks: By market, system and game. Empty: nothing was predicted; the next two then say what could be meant.
        injuries: Injury reports on him for the date, oldest first.
        nearest: Players with similar names, when nobody has this one.
        other_dates: Up to five dates on which he has predictions, nearest first, when he has none on this one.
    """

    asked: str
    player_lookup: str | None
    player_name: str | None
    day: date | None
    prediction_id: str | None
    picks: tuple[PickExplained, ...] = ()
    injuries: tuple[InjurySeen, ...] = ()
    nearest: tuple[NearestPlayer, ...] = ()
    other_dates: tuple[date, ...] = ()

    @property
    def is_found(self) -> bool:
        """Whether there is anything to explain."""
        return bool(self.picks)
