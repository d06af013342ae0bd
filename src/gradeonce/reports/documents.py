"""Reports as plain JSON values and as CSV. A figure `x` comes with `x_n`, a rate also with `x_low` and `x_high`."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import Any

from gradeonce.metrics import ASSUMED_ODDS, Score
from gradeonce.reports.calibration import Calibration
from gradeonce.reports.comparison import Comparison
from gradeonce.reports.report import Figures, Report
from gradeonce.reports.scope import Scope
from gradeonce.schema import OUTCOMES

SCHEMA_VERSION = 1

Document = dict[str, Any]
"""What `json.dumps` takes. Any: the values of a JSON object."""


def report_document(report: Report) -> Document:
    """Return the report as plain JSON values. Figures without data are null, their `_n` is 0."""
    return {
        "schema_version": SCHEMA_VERSION,
        "by": report.by,
        **_scope(report.scope),
        **_data(report.first_date, report.last_date, report.data_at),
        "level": report.level,
        "assumed_odds": ASSUMED_ODDS,
        "adopted": list(report.adopted),
        "groups": [_figures(figures) for figures in report.groups],
        "total": _figures(report.total),
    }


def report_csv(report: Report) -> str:
    """Return the report as CSV text: one line a group, and the total last, marked by `is_total`. No data is empty."""
    lines = [{"by": report.by, "is_total": "false", **_figures(figures)} for figures in report.groups]
    lines.append({"by": report.by, "is_total": "true", **_figures(report.total)})
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def calibration_document(calibration: Calibration) -> Document:
    """Return the calibration as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        **_scope(calibration.scope),
        **_data(calibration.first_date, calibration.last_date, calibration.data_at),
        "level": calibration.level,
        "bins": [
            {
                "system": one.system,
                "confidence_decile": one.confidence_decile,
                **_mean("mean_confidence", one.mean_confidence),
                **_rate("hit_rate", one.hit_rate),
            }
            for one in calibration.bins
        ],
    }


def comparison_document(comparison: Comparison) -> Document:
    """Return the comparison as plain JSON values."""
    c = comparison
    return {
        "schema_version": SCHEMA_VERSION,
        "system_a": c.system_a,
        "system_b": c.system_b,
        **{name: value for name, value in _scope(c.scope).items() if name != "systems"},
        **_data(c.first_date, c.last_date, c.data_at),
        "level": c.level,
        "picks_a": c.picks_a,
        "picks_b": c.picks_b,
        "shared_picks": c.shared_picks,
        "other_line": c.other_line,
        "decided": c.decided,
        "both_right": c.both_right,
        "only_a_right": c.only_a_right,
        "only_b_right": c.only_b_right,
        "both_wrong": c.both_wrong,
        **_rate("win_rate_a", c.win_rate_a),
        **_rate("win_rate_b", c.win_rate_b),
        **_mean("p_value", c.p_value),
        **_mean("mae_a", c.mae_a),
        **_mean("mae_b", c.mae_b),
        **_rate("mae_difference", c.mae_difference),
    }


def _figures(figures: Figures) -> Document:
    counts = ("predictions", *OUTCOMES, "picks", "wins", "losses", "pushes")
    return {
        "group": figures.group,
        "label": figures.label,
        **{name: getattr(figures, name) for name in counts},
        **_rate("win_rate", figures.win_rate),
        **_mean("mae", figures.mae),
        **_mean("rmse", figures.rmse),
        **_mean("bias", figures.bias),
        **_rate("within_3", figures.within_3),
        **_rate("within_5", figures.within_5),
        **_mean("brier_score", figures.brier_score),
        **_mean("roi", figures.roi),
        "profit_units": figures.profit_units,
        "bets_at_real_price": figures.bets_at_real_price,
        "bets_at_assumed_price": figures.bets_at_assumed_price,
        **_rate("coverage", figures.coverage),
    }


def _mean(name: str, score: Score) -> Document:
    return {name: score.value, f"{name}_n": score.n}


def _rate(name: str, score: Score) -> Document:
    return {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high, f"{name}_n": score.n}


def _scope(scope: Scope) -> Document:
    return {
        "from": _iso(scope.start),
        "to": _iso(scope.end),
        "systems": list(scope.systems),
        "markets": list(scope.markets),
    }


def _data(first: date | None, last: date | None, at: datetime | None) -> Document:
    return {"first_date": _iso(first), "last_date": _iso(last), "data_at": f"{at.isoformat()}Z" if at else None}


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
