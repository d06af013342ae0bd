"""Grading a second time: DESIGN section 7 once more, in polars, sharing no code with the package.

A picks frame has the columns system, player, date, game_id (as the predictions carry it), game (date and teams; null:
not known), market, predicted, line, recommendation, book, over, under and id (text, the later the higher).
"""

from __future__ import annotations

import polars as pl

from acceptance.independent.boxes import BoxScores

PICK = ["system", "player", "date", "game_id", "market"]
MOVED_DAYS = 1
REPORTED = ["OUT", "DOUBTFUL", "QUESTIONABLE", "PROBABLE"]


def with_offers(picks: pl.DataFrame, offers: pl.DataFrame) -> pl.DataFrame:
    """Give picks their line and prices, and the recommendation that follows."""
    joined = picks.join(offers, on=["player", "market", "date"], how="left")
    predicted, line = pl.col("predicted"), pl.col("line")
    return joined.with_columns(
        recommendation=pl.when(line.is_null())
        .then(pl.lit("NO_LINE"))
        .when(predicted > line)
        .then(pl.lit("OVER"))
        .when(predicted < line)
        .then(pl.lit("UNDER"))
        .otherwise(pl.lit("PASS"))
    )


def grades(picks: pl.DataFrame, boxes: BoxScores, reports: pl.DataFrame | None = None) -> pl.DataFrame:
    """Grade picks.

    Args:
        picks: See the module.
        boxes: What happened.
        reports: Injury reports: player, date, status, latest only; None: there are none.

    Returns:
        One row per system, player, game, market and line.
    """
    counted = picks.sort("id").unique(subset=[*PICK, "line"], keep="last", maintain_order=True)
    counted = counted.with_columns(
        is_final_line=pl.struct(pl.col("line").is_not_null(), "id").rank("ordinal").over(PICK) == pl.len().over(PICK)
    )
    presence = boxes.lines.select("player", "game").unique().with_columns(present=pl.lit(True))
    reports = (
        pl.DataFrame(schema=dict.fromkeys(("player", "date", "status"), pl.String)) if reports is None else reports
    )
    joined = (
        counted.join(boxes.games.select("game", "played"), on="game", how="left")
        .join(presence, on=["player", "game"], how="left")
        .join(boxes.lines, on=["player", "game", "market"], how="left")
        .join(reports, on=["player", "date"], how="left")
    )
    outcome, void_reason, ungradable_reason = _verdict()
    played = pl.col("outcome").is_in(["win", "loss", "push", "no_bet"]) | (pl.col("cause") == "bench")
    error = pl.col("predicted") - pl.col("actual")
    return (
        joined.with_columns(cause=_cause())
        .with_columns(outcome=outcome)
        .with_columns(void_reason=void_reason, ungradable_reason=ungradable_reason)
        .with_columns(actual=pl.when(played).then(pl.col("actual")), minutes=pl.when(played).then(pl.col("minutes")))
        .with_columns(
            injury_status=pl.when(pl.col("cause").is_in(["bench", "reported"])).then(pl.col("status")),
            injury_flag=pl.when(pl.col("cause") == "bench")
            .then(pl.col("status").is_in(REPORTED))
            .otherwise(pl.col("cause") == "reported")
            .fill_null(False),
        )
        .with_columns(signed_error=error, absolute_error=error.abs())
    )


def _cause() -> pl.Expr:
    """Return why a pick could not be won or lost; null when it could."""
    apart = (pl.col("played") - pl.col("date").str.to_date()).dt.total_days().abs()
    did_not_play = pl.col("dnp") | (
        pl.col("dnp").is_null()
        & (pl.col("actual").is_null() | ((pl.col("actual") == 0) & (pl.col("minutes").fill_null(0) == 0)))
    )
    return (
        pl.when(pl.col("played").is_null())
        .then(pl.lit("no box score"))
        .when(apart > MOVED_DAYS)
        .then(pl.lit("moved"))
        .when(pl.col("present").is_null() & pl.col("status").is_in(["OUT", "DOUBTFUL"]))
        .then(pl.lit("reported"))
        .when(pl.col("present").is_null())
        .then(pl.lit("absent"))
        .when(did_not_play)
        .then(pl.lit("bench"))
    )


def _verdict() -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    cause, actual, line = pl.col("cause"), pl.col("actual"), pl.col("line")
    over = pl.col("recommendation") == "OVER"
    outcome = (
        pl.when(cause == "no box score")
        .then(pl.lit("pending"))
        .when(cause.is_in(["moved", "reported", "bench"]))
        .then(pl.lit("void"))
        .when(cause == "absent")
        .then(pl.lit("ungradable"))
        .when(line.is_null() | ~pl.col("recommendation").is_in(["OVER", "UNDER"]))
        .then(pl.lit("no_bet"))
        .when(actual == line)
        .then(pl.lit("push"))
        .when((actual > line) == over)
        .then(pl.lit("win"))
        .otherwise(pl.lit("loss"))
    )
    status = pl.col("status").fill_null("")
    void_reason = pl.when(pl.col("outcome") == "void").then(
        pl.when(cause == "moved")
        .then(pl.lit("game_moved"))
        .when(status.is_in(["OUT", "DOUBTFUL"]))
        .then(pl.lit("dnp_injury_confirmed"))
        .when(status.is_in(["QUESTIONABLE", "PROBABLE"]))
        .then(pl.lit("dnp_late_scratch"))
        .otherwise(pl.lit("dnp_unknown"))
    )
    ungradable_reason = pl.when(pl.col("outcome") == "ungradable").then(pl.lit("player_not_in_box_score"))
    return outcome, void_reason, ungradable_reason
