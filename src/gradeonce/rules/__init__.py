"""The grading rules: select which predictions count, pair them with actuals, grade them, say why a grade changed.

The rules are SQL, one named statement a step; this module only puts the steps together. They have a version, stored
with each grade: changing a rule is a breaking change, and the version must rise with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from gradeonce.config import Settings
from gradeonce.schema import ACCURACY, PREDICTIONS
from gradeonce.statements import fill, statement, statements
from gradeonce.validation import Validation

RULES_VERSION = 1

_PAIRING = (
    "games",
    "game_ids",
    "game_keys",
    "final_games",
    "box_players",
    "wanted_actuals",
    "latest_actuals",
    "latest_injuries",
    "paired",
)


@dataclass(frozen=True)
class RuleSettings:
    """The settings that change grades.

    Attributes:
        line_sources: Line sources that count; empty: all.
        excluded_lines: Placeholder lines that do not count.
        missing_player: What a player who is not in a final box score is: `ungradable` or `void`.
        moved_game_days: A game played at most this many days from the predicted date is the same event.
    """

    line_sources: tuple[str, ...] = ()
    excluded_lines: tuple[float, ...] = ()
    missing_player: str = "ungradable"
    moved_game_days: int = 1

    @staticmethod
    def of(settings: Settings) -> RuleSettings:
        """Take them from the settings."""
        return RuleSettings(
            settings.line_sources, settings.excluded_lines, settings.missing_player, settings.moved_game_days
        )


def select_params(rules: RuleSettings, dates: list[date]) -> dict[str, Any]:
    """Return the values that `candidates_sql` binds."""
    return {
        "dates": dates,
        "limit_sources": bool(rules.line_sources),
        "line_sources": list(rules.line_sources),
        "excluded_lines": [Decimal(str(line)) for line in rules.excluded_lines],
    }


def candidates_sql(predictions: str) -> str:
    """Return the SELECT of every prediction of `$dates` with its `excluded_reason` (null: it counts)."""
    return statement(__package__, "select.sql", "candidates", refusals=refusals_sql(predictions))


def refusals_sql(predictions: str) -> str:
    """Return the SELECT of every prediction of `$dates` with its `refused_reason`, whatever its rivals (null: none)."""
    return statement(__package__, "select.sql", "refusals", predictions=predictions)


def counted_sql(predictions: str) -> str:
    """Return the SELECT of the predictions of `$dates` that count, with `confidence` and `is_final_line`."""
    candidates = candidates_sql(f"({statement(__package__, 'select.sql', 'narrow', predictions=predictions)})")
    selected = statement(__package__, "select.sql", "selected", candidates=f"({candidates})")
    return statement(__package__, "select.sql", "counted", selected=f"({selected})", predictions=predictions)


def picked_on(predicted: Sequence[str], graded: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the SELECT, and its values, of the dates that hold a grade of a pick which is made on other dates, too.

    Args:
        predicted: Those other dates.
        graded: The dates to choose from.
    """
    text = statement(__package__, "select.sql", "picked_on", grades=ACCURACY.name, predictions=PREDICTIONS.name)
    names = {"dates": predicted, "graded": graded}
    return text, {name: [date.fromisoformat(day) for day in days] for name, days in names.items()}


def grading_sql(tables: Mapping[str, str]) -> str:
    """Return the SELECT of the grades of `$dates`: select, then pair, then grade.

    Args:
        tables: Relation of each input: predictions, actuals, injuries.
    """
    slots = {**tables, **{name: name for name in ("candidates", "selected", "counted", *_PAIRING)}}
    steps = {
        "narrow": _slotted("select.sql", "narrow", tables),
        "candidates": candidates_sql("narrow"),
        "selected": _slotted("select.sql", "selected", slots),
        "counted": _slotted("select.sql", "counted", slots),
        **{name: _slotted("pair.sql", name, slots) for name in _PAIRING},
        "game_ids": _slotted("pair.sql", "game_ids_of_reports", slots),
        "latest_actuals": _slotted("pair.sql", "latest_actuals", {**slots, "actuals": "wanted_actuals"}),
        "judged": _slotted("grade.sql", "judged", {"paired": "paired"}),
        "settled": _slotted("grade.sql", "settled", {"judged": "judged"}),
    }
    chain = ",\n".join(f"{name} AS {_materialized(name)}({text})" for name, text in steps.items())
    return f"WITH {chain}\n{_slotted('grade.sql', 'graded', {'settled': 'settled'})}"


def meeting_steps(predictions: str, actuals: str) -> str:
    """Return the steps by which predictions and box scores meet, to stand in a WITH: games, game_keys and so on.

    Args:
        predictions: Relation with the `game_id` and `market` of what was predicted.
        actuals: Relation of the box scores.
    """
    slots = {
        **{name: name for name in _MEETING},
        "selected": predictions,
        "actuals": actuals,
    }
    steps = {
        **{name: _slotted("pair.sql", name, slots) for name in _MEETING},
        "latest_actuals": _slotted("pair.sql", "latest_actuals", {**slots, "actuals": "wanted_actuals"}),
    }
    return ",\n".join(f"{name} AS {_materialized(name)}({text})" for name, text in steps.items())


def _materialized(name: str) -> str:
    return "MATERIALIZED " if name in _REUSED else ""


_MEETING = ("games", "game_ids", "game_keys", "final_games", "wanted_actuals", "latest_actuals")

_REUSED = ("selected", "games", "game_keys")
"""Steps that later ones name more than once: computed once."""


def _slotted(filename: str, name: str, slots: Mapping[str, str]) -> str:
    text = statements(__package__, filename)[name]
    return fill(text, **{slot: value for slot, value in slots.items() if "{" + slot + "}" in text})


def grading_params(rules: RuleSettings, dates: list[date], *, run_id: str, graded_at: datetime) -> dict[str, Any]:
    """Return the values that `grading_sql` binds."""
    return {
        **select_params(rules, dates),
        "missing_player": rules.missing_player,
        "moved_game_days": rules.moved_game_days,
        "rules_version": RULES_VERSION,
        "run_id": run_id,
        "graded_at": graded_at.replace(tzinfo=None),
    }


def reason_sql() -> str:
    """Return the SQL that says why a grade changed, over the relations `old` and `new`."""
    return statement(__package__, "revise.sql", "reason")


def counts_sql() -> str:
    """Return the SELECT of the outcome counts per date over `staged`."""
    return statement(__package__, "validate.sql", "counts")


def excluded_sql(predictions: str) -> str:
    """Return the SELECT of how many predictions of `$dates` there are by date and reason of refusal."""
    narrow = statement(__package__, "select.sql", "narrow", predictions=predictions)
    return statement(__package__, "validate.sql", "excluded_counts", refusals=refusals_sql(f"({narrow})"))


def validations() -> list[Validation]:
    """Return the rules that staged grades must keep beside the kernel's own."""
    meanings = {
        "one_key": "business keys stand on more than one date",
        "outcomes": "grades have no known outcome",
        "correctness": "grades contradict their own outcome",
        "actual_known": "decided grades lack an actual value",
        "ranges": "grades hold values that cannot be",
        "final_lines": "picks do not have exactly one final line",
    }
    groups = {
        "one_key": ", ".join(ACCURACY.key),
        "final_lines": "system_id, player_lookup, game_id, market",
    }
    return [
        Validation(name, statement(__package__, "validate.sql", name), meaning, groups.get(name, ""))
        for name, meaning in meanings.items()
    ]
