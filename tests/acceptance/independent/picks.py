"""Predictions, read a second time, each with the game it was made for."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from acceptance.independent.boxes import BoxScores, as_nba, game_of, read
from acceptance.independent.names import with_player

STATS = ("points", "rebounds", "assists", "steals", "blocks", "turnovers")
COLUMNS = ("system", "player", "date", "game_id", "game", "market", "predicted", "id")
PRA = "points_rebounds_assists"


def system_a(folder: Path, boxes: BoxScores) -> pl.DataFrame:
    """Read system A: latest versions only, a pick per market; later games come from the schedule."""
    rows = read(folder, "predictions_points_ensemble_2025_26").with_columns(
        date=pl.col("source_file").str.extract(r"(\d{4}-\d{2}-\d{2})")
    )
    rows = rows.filter(
        pl.col("is_latest") == "1", pl.col("date").is_between(pl.lit("2025-12-06"), pl.lit("2026-01-10"))
    )
    schedule = read(folder, "schedule_2025_26_as_published").select(
        "game_id", "date_est", "home_team_id", "away_team_id"
    )
    games = schedule.unpivot(on=["home_team_id", "away_team_id"], index=["game_id", "date_est"], value_name="team_id")
    rows = rows.join(
        games.select("team_id", date="date_est", scheduled="game_id"), on=["date", "team_id"], how="left"
    ).with_columns(
        game_id=pl.when(pl.col("game_id").str.len_chars() == 10).then(pl.col("game_id")).otherwise(pl.col("scheduled"))
    )
    picks = (
        _named_by_id(folder, rows)
        .rename({"three_pointers_made": "threes"})
        .unpivot(
            on=[*STATS, "threes"],
            index=["player", "date", "game_id"],
            variable_name="market",
            value_name="predicted",
        )
    )
    return _picks(
        picks.join(boxes.games.select("game", game_id="nba_id"), on="game_id", how="left"), system=pl.lit("A")
    )


def system_b(folder: Path) -> pl.DataFrame:
    """Read system B; team and opponent come from the box scores of another site."""
    teams = read(folder, "boxscores_bref_accents").select("Tm", "Opp", player="Player", game_date="Data")
    rows = read(folder, "predictions_points_vs_average_2025_26").filter(pl.col("game_date") <= "2026-01-10")
    rows = as_nba(folder, rows.join(teams, on=["player", "game_date"]), "Tm", "Opp")
    rows = with_player(rows.rename({"player": "name", "game_date": "date"}), "name").with_columns(
        game=game_of(pl.col("date"), pl.col("Tm"), pl.col("Opp")), market=pl.lit("points")
    )
    return _picks(_id_of_pair(rows), system=pl.lit("B"))


def system_d(folder: Path) -> pl.DataFrame:
    """Read system D: every row against its own line, and once more those that promise a profit."""
    rows = _system_d_rows(folder).with_columns(
        line=pl.col("outcomes_point").cast(pl.Float64),
        recommendation=pl.col("outcomes_name").str.to_uppercase(),
        book=pl.col("bookmakers.title"),
        over=pl.when(pl.col("outcomes_name") == "Over").then(pl.col("outcomes_price").cast(pl.Float64)),
        under=pl.when(pl.col("outcomes_name") == "Under").then(pl.col("outcomes_price").cast(pl.Float64)),
        confidence=pl.col("Percentage Hit").cast(pl.Float64),
    )
    name = "D-" + pl.col("bookmakers.title") + "-" + pl.col("outcomes_name").str.to_lowercase()
    plus = rows.filter(pl.col("EV Percentage").cast(pl.Float64) > 0)
    more = ("line", "recommendation", "book", "over", "under", "confidence")
    return pl.concat([_picks(rows, *more, system=name), _picks(plus, *more, system=pl.lit("D-plus"))])


def system_d_projection(folder: Path) -> pl.DataFrame:
    """Read the projections of system D alone."""
    rows = _system_d_rows(folder).sort("id").unique(subset=["player", "game", "predicted"], keep="last")
    return _picks(rows, system=pl.lit("D-projection"))


def pra_runs(folder: Path) -> pl.DataFrame:
    """Read the eight runs; the game comes from the official box scores, by date and NBA id."""
    box = read(folder, "boxscores_official").select(
        "PLAYER_ID",
        "GAME_DATE",
        game_id="GAME_ID",
        game=game_of(pl.col("GAME_DATE"), pl.col("TEAM_ABBREVIATION"), pl.col("MATCHUP").str.slice(-3)),
    )
    rows = read(folder, "predictions_pra_multi_system").filter(
        pl.col("GAME_DATE").is_between(pl.lit("2024-10-24"), pl.lit("2025-01-26"))
    )
    rows = with_player(rows.join(box, on=["PLAYER_ID", "GAME_DATE"]), "PLAYER_NAME").with_columns(
        date=pl.col("GAME_DATE"), market=pl.lit(PRA), predicted=pl.col("predicted_PRA")
    )
    return _picks(rows, system=pl.col("source_file").str.replace(r"\.csv$", ""))


def trailing_average(offers: pl.DataFrame, boxes: BoxScores, *, system: str, games: int = 10) -> pl.DataFrame:
    """Predict the points of everybody who has a line: his average over his last games before that date.

    Returns:
        Picks with one column more, `name`: the player as the lines spell him.
    """
    asked = offers.filter(pl.col("market") == "points").group_by("player", "date", "game").agg(pl.col("name").first())
    past = boxes.lines.filter(pl.col("market") == "points", ~pl.col("dnp")).join(boxes.games, on="game")
    pairs = asked.join(past.select("player", "played", "actual"), on="player")
    before = pairs.filter(pl.col("played") < pl.col("date").str.to_date()).sort("played", descending=True)
    means = before.group_by("player", "name", "date", "game").agg(predicted=pl.col("actual").head(games).mean())
    return _picks(_id_of_pair(means.with_columns(market=pl.lit("points"))), "name", system=pl.lit(system))


def _system_d_rows(folder: Path) -> pl.DataFrame:
    rows = read(folder, "projections_points_ev_2024_spring").with_row_index("place", offset=1)
    rows = rows.filter(pl.col("Outcome Last 30 Avg Adjusted").is_not_null())
    rows = as_nba(folder, with_player(rows, "outcomes_description"), "team", "opposing team")
    rows = rows.with_columns(
        date=pl.col("Date"),
        game=game_of(pl.col("Date"), pl.col("team"), pl.col("opposing team")),
        market=pl.lit("points"),
        predicted=pl.col("Outcome Last 30 Avg Adjusted"),
        id=pl.col("place").cast(pl.String).str.zfill(6),
    )
    return _id_of_pair(rows)


def _named_by_id(folder: Path, rows: pl.DataFrame) -> pl.DataFrame:
    people = read(folder, "players_nba_ids").select("id", "full_name")
    seen = read(folder, "boxscores_official").group_by("PLAYER_ID").agg(pl.col("PLAYER_NAME").first())
    rows = rows.join(people, left_on="player_id", right_on="id", how="left")
    rows = rows.join(seen, left_on="player_id", right_on="PLAYER_ID", how="left")
    rows = rows.with_columns(name=pl.coalesce("full_name", "PLAYER_NAME")).filter(pl.col("name").is_not_null())
    return with_player(rows, "name")


def _id_of_pair(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(game_id=pl.col("game").str.replace_all("-", "").str.replace_all("|", "_", literal=True))


def _picks(rows: pl.DataFrame, *more: str, system: pl.Expr) -> pl.DataFrame:
    given = [name for name in COLUMNS if name in rows.columns]
    return rows.with_columns(
        # Nine places, as points are stored.
        predicted=pl.col("predicted").cast(pl.Float64).round(9),
        system=system,
        **({} if "id" in given else {"id": pl.lit(None, pl.String)}),
    ).select(*COLUMNS, *more)
