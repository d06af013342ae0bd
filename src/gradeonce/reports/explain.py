"""Explain how the picks on a player were graded: what counted, what did not and why, and what changed since."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from gradeonce.errors import UsageError
from gradeonce.players import most_alike, player_lookup
from gradeonce.reports.explanation import (
    ActualSeen,
    Explanation,
    GradeSeen,
    InjurySeen,
    LineExplained,
    NearestPlayer,
    OfferedLine,
    PickExplained,
    PredictionSeen,
    RevisionSeen,
)
from gradeonce.reports.sentences import instant, number, rule_of, why_excluded
from gradeonce.rules import RuleSettings, candidates_sql, select_params
from gradeonce.schema import ACCURACY, ACTUALS, PREDICTIONS
from gradeonce.statements import statement
from gradeonce.warehouses.base import Reader

Row = Mapping[str, Any]
"""One row by column. Any: columns have types of their own."""

_STAMPS = frozenset(ACCURACY.stamps)


def explain(
    reader: Reader,
    *,
    player: str | None = None,
    day: date | None = None,
    prediction_id: str | None = None,
    rules: RuleSettings | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Explanation:
    """Explain a player's picks of one date, or the pick of one prediction.

    Args:
        reader: A consistent view of the book.
        player: A name in any spelling, or a lookup; needs `day`.
        day: The game date; needs `player`.
        prediction_id: One prediction; its whole pick is explained, rivals and other lines included.
        rules: The settings that change grades, as they are now; None takes the defaults.
        aliases: Further spellings, lookup to lookup; None takes the built-in ones.

    Returns:
        The explanation. An unknown player or date is a result that names the nearest ones.

    Raises:
        UsageError: Unless either player and day, or a prediction id is given.
    """
    if (player is None) != (day is None) or (player is None) == (prediction_id is None):
        raise UsageError(
            "Say whose picks to explain: a player and a date, or a prediction id.",
            hint='For example: gradeonce explain "LeBron James" 2026-01-17',
        )
    if prediction_id is not None:
        found = _query(reader, "target", {"prediction_id": prediction_id})
        if not found:
            return Explanation(prediction_id, None, None, None, prediction_id)
        asked, lookup, day = prediction_id, found[0]["player_lookup"], found[0]["game_date"]
    else:
        asked, lookup = str(player), _lookup(reader, str(player), aliases)
        if lookup is None:
            return Explanation(asked, None, None, day, None)
    who = {"player": lookup, "day": day}
    picks = _picks(reader, who, rules or RuleSettings(), prediction_id)
    name = _query(reader, "name", who)[0]["player_name"]
    if not picks:
        dates = tuple(row["game_date"] for row in _query(reader, "dates", who))
        return Explanation(
            asked,
            lookup,
            name,
            day,
            prediction_id,
            nearest=() if dates else _nearest(reader, lookup),
            other_dates=dates,
        )
    injuries = tuple(
        InjurySeen(row["game_id"], row["status"], row["reason"], row["reported_at"])
        for row in _query(reader, "injuries", who)
    )
    return Explanation(asked, lookup, name, day, prediction_id, picks=picks, injuries=injuries)


def _lookup(reader: Reader, player: str, aliases: Mapping[str, str] | None) -> str | None:
    # A lookup of the user's own making need not follow our rule for names: what stands in the book comes first.
    if _query(reader, "dates", {"player": player, "day": date.min}):
        return player
    return player_lookup(player, aliases)


def _nearest(reader: Reader, lookup: str) -> tuple[NearestPlayer, ...]:
    names = {row["player_lookup"]: row["player_name"] for row in _query(reader, "players", {})}
    return tuple(
        NearestPlayer(near, names[near], similarity) for near, similarity in most_alike(lookup, list(names), limit=5)
    )


def _query(reader: Reader, name: str, params: Mapping[str, Any], **slots: str) -> list[dict[str, Any]]:
    text = statement(__package__, "explain.sql", name, **slots)
    used = {key: value for key, value in params.items() if f"${key}" in text}
    return reader.query(text, used).dicts()


def _picks(
    reader: Reader, who: Mapping[str, Any], rules: RuleSettings, prediction_id: str | None
) -> tuple[PickExplained, ...]:
    days = [row["game_date"] for row in _query(reader, "dates_of_games", who)]
    params = {**who, **select_params(rules, days)}
    predictions = _by(
        _query(reader, "predictions", params, candidates=candidates_sql(PREDICTIONS.name)),
        "market", "system_id", "game_id",
    )  # fmt: skip
    grades = _by(_query(reader, "grades", who), "market", "system_id", "game_id")
    actuals = _by(_actuals(reader, who), "market", "prediction_game_id")
    offered = _by(_query(reader, "offered", who), "market")
    revisions = _by(_query(reader, "revisions", who), "market", "system_id", "game_id")
    picks = []
    for key in sorted({*predictions, *grades}):
        if prediction_id and all(row["prediction_id"] != prediction_id for row in predictions[key]):
            continue
        market, system_id, game_id = key
        versions = actuals[market, game_id]
        lines = _lines(predictions[key], grades[key], revisions[key], market, versions, who["day"])
        picks.append(
            PickExplained(
                system_id=system_id,
                market=market,
                game_id=game_id,
                lines=lines,
                actuals=tuple(_actual(row) for row in versions),
                offered=tuple(
                    OfferedLine(**_without(row, "market"))
                    for row in offered[(market,)]
                    if row["game_id"] in (None, game_id)
                ),
                note=_note(lines, versions, who["day"]),
            )
        )
    return tuple(picks)


def _actuals(reader: Reader, who: Mapping[str, Any]) -> list[dict[str, Any]]:
    pairing = "gradeonce.rules", "pair.sql"
    of_player = f"(SELECT * FROM {ACTUALS.name} WHERE player_lookup = $player)"
    return _query(
        reader,
        "actuals",
        who,
        games=statement(*pairing, "games", actuals=ACTUALS.name),
        game_ids=statement(*pairing, "game_ids", selected="wanted", actuals=ACTUALS.name),
        game_keys=statement(*pairing, "game_keys", game_ids="game_ids", games="games"),
        latest_actuals=statement(*pairing, "latest_actuals", actuals=of_player, game_keys="game_keys"),
    )


def _by(rows: Iterable[dict[str, Any]], *columns: str) -> defaultdict[tuple[str, ...], list[dict[str, Any]]]:
    groups: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in columns)].append(row)
    return groups


def _without(row: Row, *columns: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in columns}


def _lines(
    predictions: list[dict[str, Any]],
    grades: list[dict[str, Any]],
    revisions: list[dict[str, Any]],
    market: str,
    versions: list[dict[str, Any]],
    day: date,
) -> tuple[LineExplained, ...]:
    played = next((row["game_date"] for row in versions), None)
    lines = []
    for line_value in dict.fromkeys(row["line_value"] for row in (*predictions, *grades, *revisions)):
        rows = [row for row in predictions if row["line_value"] == line_value]
        graded = next((row for row in grades if row["line_value"] == line_value), None)
        seen = [
            PredictionSeen(
                **_without(row, "system_id", "market", "game_id", "counted_id", "counted_date"),
                why=why_excluded(row, day),
            )
            for row in rows
        ]
        counted = next((prediction for prediction in seen if prediction.excluded_reason is None), None)
        grade = GradeSeen(**_without(graded, "system_id", "market", "game_id")) if graded else None
        if grade is not None:
            rule = rule_of(grade, market, played_date=played)
        elif counted is not None:
            rule = "Not graded yet."
        else:
            rule = "No prediction with this line counts."
        lines.append(
            LineExplained(
                line_value=line_value,
                is_final_line=grade.is_final_line if grade else None,
                rule=rule,
                counted=counted,
                rivals=tuple(prediction for prediction in seen if prediction.excluded_reason is not None),
                grade=grade,
                revisions=tuple(_revision(row) for row in revisions if row["line_value"] == line_value),
            )
        )
    return tuple(sorted(lines, key=_made_at))


def _made_at(line: LineExplained) -> tuple[bool, str]:
    """Order lines by the instant of the prediction that counts, the final line last."""
    seen = (line.counted,) if line.counted else line.rivals
    return line.is_final_line is True, max((p.created_at.isoformat() for p in seen if p.created_at), default="")


def _actual(row: Row) -> ActualSeen:
    return ActualSeen(
        is_used=row["version_rank"] == 1,
        **_without(row, "version_rank", "market", "prediction_game_id"),
    )


def _revision(row: Row) -> RevisionSeen:
    old, new = _parsed(row["old_json"]), _parsed(row["new_json"])
    names = [name for name in (new or old or {}) if name not in _STAMPS]
    return RevisionSeen(
        change=row["change"],
        reason=row["reason"],
        differences=tuple(
            (name, (old or {}).get(name), (new or {}).get(name))
            for name in names
            if old and new and old.get(name) != new.get(name)
        ),
        old=old,
        new=new,
        run_id=row["run_id"],
        revised_at=row["revised_at"],
    )


def _parsed(text: str | None) -> dict[str, Any] | None:
    return json.loads(text, parse_float=Decimal) if text else None


def _note(lines: tuple[LineExplained, ...], versions: list[dict[str, Any]], day: date) -> str:
    """Say so when the grades that stand were made of something else than what the book now holds."""
    again = f"Run `gradeonce grade {day}` to grade it again."
    used = versions[0] if versions else None
    for line in lines:
        grade = line.grade
        if grade is None and line.counted is not None:
            return f"The line {number(line.line_value)} is not graded yet. Run `gradeonce grade {day}`."
        if grade is None:
            continue
        if line.counted is None:
            return f"The line {number(line.line_value)} is graded, but its prediction no longer counts. {again}"
        if line.counted.prediction_id != grade.prediction_id:
            return f"The grade is of {grade.prediction_id}; by now {line.counted.prediction_id} counts. {again}"
        is_newer = used is not None and used["is_final"] and used["loaded_at"] > grade.graded_at
        if used and is_newer and grade.void_reason != "game_moved" and used["actual_value"] != grade.actual_value:
            return (
                f"The grade was made of {number(grade.actual_value)}; a box score loaded at "
                f"{instant(used['loaded_at'])} says {number(used['actual_value'])}. {again}"
            )
    return ""
