"""What a book says of a slate, in the columns of the independent computation, and where the two differ."""

from __future__ import annotations

import io

import polars as pl

from acceptance.command import Command

KEY = ["system", "player", "game_id", "market", "line"]
TEXTS = ["date", "outcome", "void_reason", "ungradable_reason", "recommendation", "book"]
NUMBERS = ["predicted", "actual", "minutes", "signed_error", "absolute_error", "over", "under"]
SHOWN = 12
TOLERANCE = 1e-9

_GRADES = """
SELECT
    system_id AS system, player_lookup AS player, game_id, market, line_value AS line,
    CAST(game_date AS VARCHAR) AS date, outcome, void_reason, ungradable_reason, recommendation, bookmaker AS book,
    predicted_value AS predicted, actual_value AS actual, minutes_played AS minutes, signed_error, absolute_error,
    over_price AS over, under_price AS under, is_final_line
FROM prediction_accuracy
WHERE game_date BETWEEN '{start}' AND '{end}'
"""


def graded_rows(gradeonce: Command, start: str, end: str) -> pl.DataFrame:
    """Return the grades that stand between two dates."""
    text = gradeonce("sql", _GRADES.format(start=start, end=end), "--csv").out
    rows = pl.read_csv(io.StringIO(text), infer_schema=False)
    return rows.with_columns(pl.col(*NUMBERS, "line").cast(pl.Float64), is_final_line=pl.col("is_final_line") == "True")


def differences(ours: pl.DataFrame, expected: pl.DataFrame) -> str:
    """Return a text on the rows that differ, empty when none does."""
    columns = [*TEXTS, *NUMBERS, "is_final_line"]
    wanted = expected.select(*KEY, *columns, there=pl.lit(True))
    found = ours.select(*KEY, *columns, there=pl.lit(True))
    pairs = found.join(wanted, on=KEY, how="full", coalesce=True, nulls_equal=True, suffix="_expected")
    unequal = {
        name: ~pl.col(name).eq_missing(pl.col(f"{name}_expected")) for name in [*TEXTS, "is_final_line", "there"]
    }
    for name in NUMBERS:
        a, b = pl.col(name), pl.col(f"{name}_expected")
        unequal[name] = (a.is_null() != b.is_null()) | ((a - b).abs() > TOLERANCE).fill_null(False)
    wrong = pairs.filter(pl.any_horizontal(unequal.values()))
    if not wrong.height:
        return ""
    counts = {name: pairs.filter(condition).height for name, condition in unequal.items()}
    lines = [f"{wrong.height} of {pairs.height} rows differ; by column: { ({n: c for n, c in counts.items() if c}) }"]
    for row in wrong.head(SHOWN).iter_rows(named=True):
        lines.append(" / ".join(f"{row[name]}" for name in KEY))
        if row["there"] is None or row["there_expected"] is None:
            lines.append(f"    only {'expected' if row['there'] is None else 'in the book'}")
            continue
        for name in columns:
            if row[name] != row[f"{name}_expected"]:
                lines.append(f"    {name}: book {row[name]!r}, expected {row[f'{name}_expected']!r}")
    return "\n".join(lines)


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
