"""An explanation as text for people and as plain JSON values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from gradeonce.reports.documents import SCHEMA_VERSION, Document
from gradeonce.reports.explanation import (
    ActualSeen,
    Explanation,
    LineExplained,
    PickExplained,
    PredictionSeen,
    RevisionSeen,
)
from gradeonce.reports.sentences import instant, market_name, number

_OFFERED_SHOWN = 12


def explanation_document(explanation: Explanation) -> Document:
    """Return the explanation as plain JSON values: its fields by name, instants in ISO 8601 UTC, numbers as numbers."""
    return {"schema_version": SCHEMA_VERSION, "is_found": explanation.is_found, **_plain(explanation)}


def explanation_text(explanation: Explanation) -> str:
    """Return the explanation as text, one paragraph a pick."""
    if not explanation.is_found:
        return _not_found(explanation)
    name = explanation.player_name or explanation.player_lookup
    head = f"{name} ({explanation.player_lookup}), {explanation.day}"
    if explanation.prediction_id:
        head += f", the pick of prediction {explanation.prediction_id}"
    parts = [head]
    if explanation.injuries:
        parts.append("\n".join(_injuries(explanation)))
    parts.extend("\n".join(_pick(pick)) for pick in explanation.picks)
    return "\n\n".join(parts)


def _not_found(explanation: Explanation) -> str:
    if explanation.prediction_id is not None:
        if explanation.player_lookup is None:
            return f"no prediction has the id {explanation.prediction_id}"
        return f"the prediction {explanation.prediction_id} is no longer in the book"
    if explanation.other_dates:
        name = explanation.player_name or explanation.player_lookup
        dates = ", ".join(str(day) for day in explanation.other_dates)
        return f"no predictions for {name} on {explanation.day}; there are some on {dates}"
    found = f"no predictions for a player {explanation.asked!r}"
    if explanation.nearest:
        names = ", ".join(near.player_name or near.player_lookup for near in explanation.nearest)
        return f"{found}; the nearest names are {names}"
    return f"{found}, and no name comes near"


def _injuries(explanation: Explanation) -> Iterator[str]:
    yield "Injury reports"
    for report in explanation.injuries:
        reason = f" ({report.reason})" if report.reason else ""
        yield f"  {instant(report.reported_at)}: {report.status}{reason}"


def _pick(pick: PickExplained) -> Iterator[str]:
    yield f"{pick.system_id}, {market_name(pick.market)}, game {pick.game_id}"
    if pick.note:
        yield f"  Note: {pick.note}"
    for line in pick.lines:
        yield from _line(line)
    yield from _actuals(pick.actuals)
    if pick.offered:
        yield "  Loaded lines"
    for offer in pick.offered[:_OFFERED_SHOWN]:
        prices = f", over {_odds(offer.over_price)}, under {_odds(offer.under_price)}"
        yield f"    {instant(offer.observed_at)}: {number(offer.line_value)} at {offer.bookmaker}{prices}"
    if len(pick.offered) > _OFFERED_SHOWN:
        yield f"    and {len(pick.offered) - _OFFERED_SHOWN} more; --json shows all"


def _line(line: LineExplained) -> Iterator[str]:
    grade = line.grade
    which = "No line" if line.line_value is None else f"Line {number(line.line_value)}"
    if grade is not None:
        which += f": {grade.outcome.replace('_', ' ')}"
        which += ", the final line" if grade.is_final_line else ", not the final line"
    yield f"  {which}"
    yield f"    {line.rule}"
    if grade is not None:
        error = f", error {grade.signed_error:+.2f}" if grade.signed_error is not None else ""
        yield (
            f"    graded {instant(grade.graded_at)} by run {grade.run_id}, rules version {grade.rules_version}{error}"
        )
    if line.counted is not None:
        yield f"    counts:       {_prediction(line.counted)}"
    for rival in line.rivals:
        yield f"    does not:     {_prediction(rival)}"
        yield f"                  {rival.why}"
    for revision in line.revisions:
        yield f"    revised:      {_revision(revision)}"


def _prediction(prediction: PredictionSeen) -> str:
    said = f"{number(prediction.predicted_value)}, {prediction.recommendation or 'no recommendation'}"
    if prediction.confidence_score is not None:
        said += f", confidence {number(prediction.confidence_score)}"
    book = f", {prediction.bookmaker}" if prediction.bookmaker else ""
    return f"{prediction.prediction_id} predicts {said}; made at {instant(prediction.created_at)}{book}"


def _actuals(actuals: tuple[ActualSeen, ...]) -> Iterator[str]:
    if not actuals:
        yield "  Actual: no box score in the book has one"
        return
    yield "  Actual"
    for actual in actuals:
        state = "used" if actual.is_used else "older"
        final = "final" if actual.is_final else "provisional"
        minutes = "" if actual.minutes_played is None else f" in {number(round(actual.minutes_played, 1))} minutes"
        sat_out = ", did not play" if actual.is_dnp else ""
        yield (
            f"    {state}: {number(actual.actual_value)}{minutes}{sat_out}; {final}, game {actual.game_id} of "
            f"{actual.game_date}, loaded {instant(actual.loaded_at)}"
        )


def _revision(revision: RevisionSeen) -> str:
    what = ", ".join(f"{name} {_value(old)} -> {_value(new)}" for name, old, new in revision.differences)
    detail = f": {what}" if what else ""
    return (
        f"{instant(revision.revised_at)}, {revision.change} ({revision.reason.replace('_', ' ')}) by run "
        f"{revision.run_id}{detail}"
    )


def _value(value: object) -> str:
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _odds(odds: int | None) -> str:
    return "-" if odds is None else f"{odds:+d}"


def _plain(value: Any) -> Any:
    # Any: records, tuples, and whatever a JSON value can be.
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    if isinstance(value, date):
        return value.isoformat()
    return value
