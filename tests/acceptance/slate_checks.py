"""What a book says of a slate, in the columns of the independent computation, and where the two differ."""

from __future__ import annotations

import io

import polars as pl

from acceptance.command import Command

KEY = ["system", "player", "game_id", "market", "line"]
TEXTS = ["date", "outcome", "void_reason", "ungradable_reason", "recommendation", "book", "injury_status"]
FLAGS = ["is_final_line", "injury_flag"]
NUMBERS = ["predicted", "actual", "minutes", "signed_error", "absolute_error", "over", "under"]
SHOWN = 12
TOLERANCE = 1e-9

_GRADES = """
SELECT
    system_id AS system, player_lookup AS player, game_id, market, line_value AS line,
    CAST(game_date AS VARCHAR) AS date, outcome, void_reason, ungradable_reason, recommendation, bookmaker AS book,
    predicted_value AS predicted, actual_value AS actual, minutes_played AS minutes, signed_error, absolute_error,
    over_price AS over, under_price AS under, is_final_line, pre_game_injury_flag AS injury_flag,
    pre_game_injury_status AS injury_status
FROM prediction_accuracy
WHERE game_date BETWEEN '{start}' AND '{end}'
"""


def graded_rows(gradeonce: Command, start: str, end: str) -> pl.DataFrame:
    """Return the grades that stand between two dates."""
    text = gradeonce("sql", _GRADES.format(start=start, end=end), "--csv").out
    rows = pl.read_csv(io.StringIO(text), infer_schema=False)
    return rows.with_columns(pl.col(*NUMBERS, "line").cast(pl.Float64), pl.col(FLAGS) == "True")


def differences(ours: pl.DataFrame, expected: pl.DataFrame) -> str:
    """Return a text on the rows that differ, empty when none does."""
    columns = [*TEXTS, *NUMBERS, *FLAGS]
    wanted = expected.select(*KEY, *columns, there=pl.lit(True))
    found = ours.select(*KEY, *columns, there=pl.lit(True))
    pairs = found.join(wanted, on=KEY, how="full", coalesce=True, nulls_equal=True, suffix="_expected")
    unequal = {name: _unequal(name) for name in [*columns, "there"]}
    wrong = pairs.with_columns(wrong=pl.concat_list(pl.when(c).then(pl.lit(n)) for n, c in unequal.items()))
    wrong = wrong.with_columns(pl.col("wrong").list.drop_nulls()).filter(pl.col("wrong").list.len() > 0)
    if not wrong.height:
        return ""
    counts = dict(wrong["wrong"].explode().value_counts().iter_rows())
    lines = [f"{wrong.height} of {pairs.height} rows differ; by column: {counts}"]
    for row in wrong.head(SHOWN).iter_rows(named=True):
        lines.append(" / ".join(f"{row[name]}" for name in KEY))
        if "there" in row["wrong"]:
            lines.append(f"    only {'expected' if row['there'] is None else 'in the book'}")
            continue
        lines += [f"    {name}: book {row[name]!r}, expected {row[f'{name}_expected']!r}" for name in row["wrong"]]
    return "\n".join(lines)


def _unequal(name: str) -> pl.Expr:
    found, wanted = pl.col(name), pl.col(f"{name}_expected")
    if name not in NUMBERS:
        return found.ne_missing(wanted)
    return (found.is_null() != wanted.is_null()) | ((found - wanted).abs() > TOLERANCE).fill_null(False)


def expected_figures(expected: pl.DataFrame) -> dict[str, dict[str, float | int | None]]:
    """Return the figures of a report per system: counts, errors of those who played, the record of final lines."""
    figures = {}
    for (system,), rows in expected.group_by("system"):
        errors = rows.filter(pl.col("outcome") != "void", pl.col("signed_error").is_not_null())
        bets = rows.filter("is_final_line", pl.col("outcome").is_in(["win", "loss"]))
        price = pl.when(pl.col("recommendation") == "OVER").then(pl.col("over")).otherwise(pl.col("under"))
        odds = price.fill_null(-110)
        pays = pl.when(odds > 0).then(odds / 100).otherwise(-100 / odds)
        profit = bets.select(pl.when(pl.col("outcome") == "win").then(pays).otherwise(-1.0)).to_series()
        figures[str(system)] = {
            "predictions": rows.height,
            **dict(rows.group_by("outcome").len().iter_rows()),
            "mae": errors["absolute_error"].mean(),
            "bias": errors["signed_error"].mean(),
            "rmse": (errors["signed_error"] ** 2).mean() ** 0.5 if errors.height else None,
            "mae_n": errors.height,
            "within_3": (errors["absolute_error"] <= 3).mean(),
            "within_5": (errors["absolute_error"] <= 5).mean(),
            "picks": rows["is_final_line"].sum(),
            "win_rate": (bets["outcome"] == "win").mean(),
            "win_rate_n": bets.height,
            "roi": profit.mean(),
            "bets_at_real_price": bets.select(price.is_not_null().sum()).item(),
        }
    return figures
