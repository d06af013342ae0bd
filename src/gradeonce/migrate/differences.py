"""What stood against what our rules say: every row under the first rule that explains why it differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from gradeonce import rules
from gradeonce.config import Settings
from gradeonce.dedupe.choice import Choice
from gradeonce.migrate.theirs import Theirs
from gradeonce.schema import ACCURACY, ACTUALS, INJURIES, PREDICTIONS
from gradeonce.statements import fill, quote_identifier, quote_literal, statement, statements
from gradeonce.warehouses.base import Reader


@dataclass(frozen=True)
class Rule:
    """Why a row differs.

    Attributes:
        name: In reports; its condition is the statement of that name.
        meaning: One sentence.
        needs: Columns one of which they must have.
    """

    name: str
    meaning: str
    needs: tuple[str, ...] = ()


RULES = (
    Rule("line_moved", "stood under a line that no prediction has; the pick was made at another"),
    Rule("no_prediction", "stood without a prediction that counts"),
    Rule("new_line", "a prediction that counts at a line that did not stand"),
    Rule("not_graded", "a prediction that counts and had no grade"),
    Rule("not_final", "decided, while the box score loaded here is not final"),
    Rule("void_counted", "he did not play, and it was counted"),
    Rule("void_lifted", "he played, and it was void"),
    Rule("not_in_box_score", "decided, while he is in no final box score loaded here"),
    Rule("now_decided", "was not decided, and is now"),
    Rule("box_score_changed", "the box score says another value", ("actual_value",)),
    Rule("recommendation_changed", "the prediction loaded here recommends something else", ("recommendation",)),
    Rule("no_bet_counted", "no bet was recommended, or there is no line, and it was counted"),
    Rule("bet_not_counted", "a bet was recommended, and it was not counted"),
    Rule("push_counted", "the value is the line, and it was counted as a win or a loss"),
    Rule("push_dropped", "was a push, though the value is not the line"),
    Rule("outcome_otherwise", "a win was a loss, or a loss a win, of the same value, line and recommendation"),
    Rule("prediction_changed", "the prediction loaded here says another value"),
    Rule("confidence_scale", "the same confidence, in percent", ("confidence_score",)),
    Rule("confidence_changed", "another confidence", ("confidence_score",)),
    Rule("error_sign", "the error with the other sign: here it is predicted minus actual", ("signed_error",)),
    Rule("error_otherwise", "another error of the same values", ("signed_error", "absolute_error")),
    Rule("tolerance", "within 3 or 5 otherwise: here the limit itself is within", ("within_3", "within_5")),
    Rule("other_columns", "the same figures; other columns differ"),
)
"""In the order in which they are asked; whatever none of them explains is the same."""

_FACETS = (
    "line_value", "outcome", "actual_value", "predicted_value", "recommendation", "confidence_score", "signed_error",
    "absolute_error", "within_3", "within_5",
)  # fmt: skip
"""Columns that samples show where they differ."""

_ELSEWHERE = {
    ACCURACY.partition, *ACCURACY.key, *ACCURACY.stamps, *_FACETS, "prediction_id", "player_name", "prediction_correct",
    "is_voided", "rules_version", "line_source",
}  # fmt: skip
"""Columns that other rules look at, that follow from them, or that are names of things."""


@dataclass(frozen=True)
class Sample:
    """A row that differs.

    Attributes:
        game_date: Its date.
        system_id: Whose.
        player_lookup: On whom.
        game_id: In which game.
        market: On what.
        was: Columns in which it differs, as they stood. Any: whatever they hold.
        now: The same by our rules.
    """

    game_date: str
    system_id: str | None
    player_lookup: str | None
    game_id: str | None
    market: str | None
    was: Mapping[str, Any]
    now: Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """Rows that differ by one rule.

    Attributes:
        rule: Its name.
        meaning: One sentence.
        rows: How many.
        samples: The first of them.
    """

    rule: str
    meaning: str
    rows: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Comparison:
    """What stood against what our rules say, on the dates of which predictions are loaded.

    Attributes:
        dates: The dates that were compared.
        stood: Rows of theirs on them, one a key.
        same: How many of these are the same here.
        differences: The others, and those that did not stand, by rule.
        held: Dates that are not graded, with the reason: they would lose grades for want of what is not loaded.
    """

    dates: tuple[str, ...] = ()
    stood: int = 0
    same: int = 0
    differences: tuple[Difference, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> tuple[str, ...]:
        """Dates that can be graded."""
        return tuple(day for day in self.dates if day not in self.held)


_ALONE = ("line_value", "outcome")
"""Those of them that every row has."""

_WITHOUT_COUNTERPART = ("line_moved", "no_prediction", "new_line", "not_graded")
"""Rules of rows that stand on one side only."""

_NEVER = datetime(1, 1, 1)  # noqa: DTZ001
"""Stands where a stamp would; no rule looks at stamps."""

_NEW = ("new_line", "not_graded")
"""Rules of rows that did not stand."""


def compare(
    reader: Reader,
    theirs: Theirs,
    settings: Settings,
    choice: Choice,
    *,
    grade: Sequence[str],
    graded: Sequence[str],
    samples: int,
) -> Comparison:
    """Hold their rows against ours; nothing is changed.

    Args:
        choice: Which copy of a key stays.
        grade: Dates that our rules are to grade for this, from what is loaded.
        graded: Dates that we have graded, whose grades are taken as they stand.
        samples: How many rows of each rule are shown.
    """
    days = sorted([*grade, *graded])
    if not days:
        return Comparison()
    given = set(theirs.read)
    asked = [rule for rule in RULES if not rule.needs or given.intersection(rule.needs)]
    whens = " ".join(f"WHEN {_condition(rule.name, given)} THEN {quote_literal(rule.name)}" for rule in asked)
    sources = []
    columns = ", ".join(quote_identifier(name) for name in ACCURACY.column_names)
    parameters: dict[str, Any] = {}
    if grade:
        tables = {"predictions": PREDICTIONS.name, "actuals": ACTUALS.name, "injuries": INJURIES.name}
        sources.append(f"SELECT {columns} FROM ({rules.grading_sql(tables)}) AS by_rules")
        parameters = rules.grading_params(
            rules.RuleSettings.of(settings), [date.fromisoformat(day) for day in grade], run_id="", graded_at=_NEVER
        )
    if graded:
        listed = ", ".join(f"CAST({quote_literal(day)} AS DATE)" for day in graded)
        sources.append(f"SELECT {columns} FROM {ACCURACY.name} WHERE game_date IN ({listed})")
    text = statement(
        __package__,
        "migrate.sql",
        "differences",
        theirs=theirs.select,
        kept=choice.kept(days),
        graded=" UNION ALL ".join(sources),
        row_key=_as_text(ACCURACY.key),
        pick=_as_text([name for name in ACCURACY.key if name != "line_value"]),
        rules=whens,
        facets=", ".join(_facet(name) for name in _FACETS),
        limit=str(samples),
    )
    return _told(reader.query(text, parameters).dicts(), days, samples, given)


def _condition(name: str, given: set[str]) -> str:
    text = statements(__package__, "migrate.sql")[name]
    if name == "other_columns":
        others = [f"(s.{q} IS NOT NULL AND s.{q} IS DISTINCT FROM g.{q})" for q in _others(given)]
        text = fill(text, differing=" OR ".join(others) or "false")
    return f"({text})"


def _others(given: set[str]) -> list[str]:
    return [quote_identifier(n) for n in ACCURACY.column_names if n in given and n not in _ELSEWHERE]


def _as_text(names: Sequence[str]) -> str:
    return " || chr(31) || ".join(f"coalesce(CAST(s.{quote_identifier(n)} AS VARCHAR), chr(30))" for n in names)


def _facet(name: str) -> str:
    column = quote_identifier(name)
    now = f"coalesce(g.{column}, gp.{column})" if name == "line_value" else f"g.{column}"
    return f"s.{column} AS was_{name}, {now} AS is_{name}"


def _told(rows: Sequence[Mapping[str, Any]], days: Sequence[str], samples: int, given: Collection[str]) -> Comparison:
    groups: dict[tuple[str, str, str | None], int] = {}
    shown: dict[str, list[Sample]] = {}
    for row in rows:
        rule = row["rule"]
        if row["nth_in_group"] == 1:
            groups[(rule, row["game_date"], row["system_id"])] = row["in_group"]
        if rule != "same" and row["nth"] <= samples:
            shown.setdefault(rule, []).append(_sample(row, given))
    totals: dict[str, int] = {}
    for (rule, _, _), count in groups.items():
        totals[rule] = totals.get(rule, 0) + count
    return Comparison(
        dates=tuple(days),
        stood=sum(count for rule, count in totals.items() if rule not in _NEW),
        same=totals.get("same", 0),
        differences=tuple(
            Difference(rule.name, rule.meaning, totals[rule.name], tuple(shown.get(rule.name, ())))
            for rule in RULES
            if rule.name in totals
        ),
        held=_held(groups, days),
    )


def _sample(row: Mapping[str, Any], given: Collection[str]) -> Sample:
    # Beside a row that has no counterpart, only what it is and what became of it tells something.
    facets = _ALONE if row["rule"] in _WITHOUT_COUNTERPART else [n for n in _FACETS if n in given or n in _ALONE]
    differing = [name for name in facets if row[f"was_{name}"] != row[f"is_{name}"]]
    return Sample(
        row["game_date"],
        row["system_id"],
        row["player_lookup"],
        row["game_id"],
        row["market"],
        {name: row[f"was_{name}"] for name in differing},
        {name: row[f"is_{name}"] for name in differing},
    )


def _held(groups: Mapping[tuple[str, str, str | None], int], days: Sequence[str]) -> dict[str, str]:
    """Return the dates that must not be graded yet, with the reason."""
    held = {}
    for day in days:
        of_day = {(rule, system): count for (rule, at, system), count in groups.items() if at == day}
        pending = sum(count for (rule, _), count in of_day.items() if rule == "not_final")
        predicted = {system for rule, system in of_day if rule not in ("no_prediction", "line_moved")}
        missing = sorted({str(system) for _, system in of_day if system is not None and system not in predicted})
        if missing:
            held[day] = f"no prediction of {', '.join(missing[:3])} is loaded"
        elif pending:
            held[day] = f"{pending} grades would wait again: their box scores are not loaded, or not final"
    return held
