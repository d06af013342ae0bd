"""Reports as aligned tables for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from gradeonce.metrics import ASSUMED_ODDS, Score
from gradeonce.reports.calibration import Calibration
from gradeonce.reports.comparison import Comparison
from gradeonce.reports.report import Figures, Report
from gradeonce.reports.scope import Scope
from gradeonce.reports.tables import decimals, grid, percent, rate

_Column = tuple[str, Callable[[Figures], str]]

_COUNTS: Sequence[_Column] = (
    ("predictions", lambda f: f"{f.predictions:,}"),
    ("win", lambda f: f"{f.win:,}"),
    ("loss", lambda f: f"{f.loss:,}"),
    ("push", lambda f: f"{f.push:,}"),
    ("no bet", lambda f: f"{f.no_bet:,}"),
    ("void", lambda f: f"{f.void:,}"),
    ("ungradable", lambda f: f"{f.ungradable:,}"),
    ("pending", lambda f: f"{f.pending:,}"),
    ("coverage", lambda f: rate(f.coverage)),
)
_RECORD: Sequence[_Column] = (
    ("picks", lambda f: f"{f.picks:,}"),
    ("won-lost-push", lambda f: f"{f.wins:,}-{f.losses:,}-{f.pushes:,}"),
    ("win rate", lambda f: rate(f.win_rate)),
    ("ROI", lambda f: percent(f.roi.value, sign=True)),
    ("units", lambda f: decimals(f.profit_units, 1, sign=True)),
    ("bets", lambda f: f"{f.roi.n:,}"),
    ("assumed price", lambda f: f"{f.bets_at_assumed_price:,}"),
)
_ERRORS: Sequence[_Column] = (
    ("n", lambda f: f"{f.mae.n:,}"),
    ("MAE", lambda f: decimals(f.mae.value)),
    ("RMSE", lambda f: decimals(f.rmse.value)),
    ("bias", lambda f: decimals(f.bias.value, sign=True)),
    ("within 3", lambda f: rate(f.within_3)),
    ("within 5", lambda f: rate(f.within_5)),
    ("Brier", lambda f: decimals(f.brier_score.value, 4)),
    ("Brier n", lambda f: f"{f.brier_score.n:,}"),
)


def report_text(report: Report, *, width: int = 110, limit: int | None = 50) -> str:
    """Return the report as three aligned tables, with what the numbers mean underneath.

    Args:
        report: The report.
        width: Columns of the terminal; on narrow ones long names are broken, numbers never.
        limit: Show at most this many groups; None: all. The total is always of all.
    """
    if not report.total.predictions:
        return nothing_graded(report.scope)
    shown = report.groups if limit is None else report.groups[:limit]
    what = report.by.replace("_", " ")
    about = Scope(systems=report.scope.systems, markets=report.scope.markets).described()
    title = (
        f"Report by {what}, game dates {report.first_date} to {report.last_date}"
        f"{', ' + about if about else ''}; {_as_of(report.data_at)}"
    )
    if len(shown) < len(report.groups):
        title += f"\n{len(shown):,} of {len(report.groups):,} groups are shown; the total is of all."
    rows = [*shown, report.total]
    tables = [
        grid(
            (what, *(name for name, _ in columns)),
            [(figures.label, *(show(figures) for _, show in columns)) for figures in rows],
            width=width,
        )
        for columns in (_COUNTS, _RECORD, _ERRORS)
    ]
    return "\n\n".join((title, *tables, "\n".join(_notes(report))))


def calibration_text(calibration: Calibration, *, width: int = 110) -> str:
    """Return the calibration as an aligned table."""
    if not calibration.bins:
        return nothing_graded(calibration.scope)
    rows = [
        (
            one.system,
            _decile(one.confidence_decile),
            f"{one.hit_rate.n:,}",
            percent(one.mean_confidence.value),
            rate(one.hit_rate),
            _verdict(one.mean_confidence, one.hit_rate),
        )
        for one in calibration.bins
    ]
    title = (
        f"Calibration of confidence, game dates {calibration.first_date} to {calibration.last_date}; "
        f"{_as_of(calibration.data_at)}"
    )
    note = (
        f"Final lines that won or lost; the share that was right has its {_level(calibration.level)} Wilson interval.\n"
        "Where the interval does not hold the mean confidence, the last column says which way it errs."
    )
    head = ("system", "confidence", "picks", "mean", "was right", "")
    return "\n\n".join((title, grid(head, rows, width=width, left=(0, 5)), note))


def comparison_text(comparison: Comparison, *, width: int = 110) -> str:
    """Return the comparison as an aligned table, and what to make of it."""
    c = comparison
    if not c.shared_picks:
        found = f"no pick is shared by {c.system_a} ({c.picks_a:,} picks) and {c.system_b} ({c.picks_b:,} picks)"
        return found + (f"; of {c.other_line:,} picks both have, the final lines differ" if c.other_line else "")
    rows = [
        (c.system_a, f"{c.picks_a:,}", rate(c.win_rate_a), f"{c.only_a_right:,}", decimals(c.mae_a.value)),
        (c.system_b, f"{c.picks_b:,}", rate(c.win_rate_b), f"{c.only_b_right:,}", decimals(c.mae_b.value)),
    ]
    title = f"{c.system_a} against {c.system_b}, game dates {c.first_date} to {c.last_date}; {_as_of(c.data_at)}"
    head = ("system", "picks", "win rate when shared", "only it was right", "MAE when shared")
    notes = (
        f"{c.shared_picks:,} picks are shared: same player, game, market and final line. {c.other_line:,} more on "
        "different lines are left out.",
        f"{c.decided:,} decided = {c.both_right:,} both right + {c.only_a_right:,} only {c.system_a} + "
        f"{c.only_b_right:,} only {c.system_b} + {c.both_wrong:,} both wrong",
        _hit_note(c),
        _error_note(c),
    )
    return "\n\n".join((title, grid(head, rows, width=width), "\n".join(notes)))


def nothing_graded(scope: Scope) -> str:
    """Return the sentence for a report on nothing, e.g. `no graded predictions between 2026-01-01 and 2026-01-31`."""
    return f"no graded predictions {scope.described()}".rstrip()


def _notes(report: Report) -> list[str]:
    total = report.total
    sums = " + ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in total.outcomes.items())
    notes = [
        f"{total.predictions:,} predictions = {sums}",
        "Picks count once, by their final line: win rate = wins / (wins + losses), ROI and Brier score. "
        f"Intervals: Wilson, {_level(report.level)}.",
        _roi_note(total),
        "Errors are of every line of those who played, in the unit of the market; bias above 0: predicted too high.",
    ]
    if report.adopted:
        span = report.adopted[0] + (f" to {report.adopted[-1]}" if len(report.adopted) > 1 else "")
        notes.append(
            f"Unverified: {len(report.adopted):,} of the dates ({span}) were adopted as somebody else had graded them."
        )
    if total.brier_score.n:
        notes.append("Brier score of the confidence: 0 is perfect, 0.25 is what saying 50 % always gets.")
    return notes


def _roi_note(total: Figures) -> str:
    real, assumed = total.bets_at_real_price, total.bets_at_assumed_price
    if not total.roi.n:
        return "ROI: no bet was decided."
    if not assumed:
        prices = f"all {real:,} at their real price"
    elif not real:
        prices = f"all {assumed:,} at an assumed price of {ASSUMED_ODDS}"
    else:
        prices = f"{real:,} at their real price, {assumed:,} at an assumed {ASSUMED_ODDS}"
    return f"ROI of a stake of 1 on each pick that won or lost: {prices}."


def _hit_note(c: Comparison) -> str:
    if c.p_value.value is None:
        return "Win rates: there is no pick that one won and the other lost, so there is nothing to test."
    p_value = "below 0.0001" if c.p_value.value < 0.0001 else f"{c.p_value.value:.4f}"
    return (
        f"Win rates: luck alone splits {c.p_value.n:,} disagreements this unevenly with p = {p_value} (McNemar, exact)."
    )


def _error_note(c: Comparison) -> str:
    score = c.mae_difference
    if score.value is None:
        return "Errors: no shared pick has an actual value."
    interval = f" ({_level(c.level)} interval {score.low:+.2f} to {score.high:+.2f})" if score.low is not None else ""
    return (
        f"Errors: {c.system_a} minus {c.system_b} is {score.value:+.2f}{interval} over {score.n:,} picks; "
        f"below 0: {c.system_a} is nearer."
    )


def _as_of(at: datetime | None) -> str:
    return f"graded up to {at:%Y-%m-%d %H:%M:%S} UTC" if at else "none of it is graded yet"


def _level(level: float) -> str:
    return f"{100 * level:g} %"


def _decile(decile: int | None) -> str:
    return "none" if decile is None else f"{(decile - 1) * 10}-{decile * 10} %"


def _verdict(said: Score, right: Score) -> str:
    if said.value is None or right.low is None or right.high is None:
        return ""
    if said.value > right.high:
        return "too sure"
    return "not sure enough" if said.value < right.low else ""
