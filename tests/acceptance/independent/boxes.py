"""Box scores and games, read a second time: plain polars over the files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from acceptance.independent.names import with_player

MARKETS = {
    "points": "PTS",
    "rebounds": "REB",
    "assists": "AST",
    "threes": "FG3M",
    "steals": "STL",
    "blocks": "BLK",
    "turnovers": "TOV",
}


@dataclass(frozen=True)
class BoxScores:
    """What happened.

    Attributes:
        lines: One row per player, game and market: player, game, market, actual, minutes, dnp (null: unknown).
        games: One row per game with a final box score: game, nba_id, played.
    """

    lines: pl.DataFrame
    games: pl.DataFrame


def read(folder: Path, name: str) -> pl.DataFrame:
    """Read one of the real files, every value as text."""
    return pl.read_csv(folder / f"{name}.csv.gz", infer_schema=False)


def game_of(date: pl.Expr, team: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Return a name for the game: its date and its two teams in alphabetical order."""
    return pl.concat_str(date, pl.min_horizontal(team, other), pl.max_horizontal(team, other), separator="|")


def as_nba(folder: Path, rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Bring teams' full names, or Basketball-Reference's abbreviations, to the NBA's abbreviations."""
    teams = read(folder, "teams_nba_ids")
    known = dict(zip(teams["full_name"], teams["abbreviation"], strict=True))
    known |= {"LA Clippers": "LAC", "BRK": "BKN", "PHO": "PHX", "CHO": "CHA"}
    return rows.with_columns(pl.col(columns).replace(known))


@cache
def official(folder: Path) -> BoxScores:
    """Read the official box scores, which list only players who played."""
    rows = with_player(read(folder, "boxscores_official"), "PLAYER_NAME").with_columns(
        game=game_of(pl.col("GAME_DATE"), pl.col("TEAM_ABBREVIATION"), pl.col("MATCHUP").str.slice(-3)),
        played=pl.col("GAME_DATE").str.to_date(),
        minutes=pl.col("MIN").cast(pl.Float64),
        dnp=pl.lit(False),
        **{market: pl.col(column).cast(pl.Float64) for market, column in MARKETS.items()},
    )
    return _boxes(rows, "GAME_ID")


@cache
def with_dnp(folder: Path) -> BoxScores:
    """Read the box scores that also list who sat on the bench; every row stands there twice."""
    dates = read(folder, "boxscores_official").select("GAME_ID", "GAME_DATE").unique()
    people = read(folder, "players_nba_ids").select("id", "full_name")
    teams = read(folder, "teams_nba_ids").select("id", "abbreviation")
    rows = (
        read(folder, "boxscores_with_dnp")
        .unique(subset=["game_id", "player"])
        .join(dates, left_on="game_id", right_on="GAME_ID")
        .join(people, left_on="player", right_on="id")
        .join(teams, left_on="team", right_on="id")
        .drop("player")
    )
    pairs = rows.group_by("game_id").agg(
        first=pl.col("abbreviation").min(), second=pl.col("abbreviation").max(), teams=pl.col("abbreviation").n_unique()
    )
    assert pairs["teams"].unique().to_list() == [2]
    clock = pl.col("stats.minutes").str.split(":")
    rows = (
        with_player(rows, "full_name")
        .join(pairs, on="game_id")
        .with_columns(
            game=game_of(pl.col("GAME_DATE"), pl.col("first"), pl.col("second")),
            played=pl.col("GAME_DATE").str.to_date(),
            minutes=clock.list.get(0).cast(pl.Float64) + clock.list.get(1).cast(pl.Float64) / 60,
            dnp=pl.col("stats.minutes").is_null(),
            points=pl.col("stats.points").cast(pl.Float64),
            rebounds=pl.col("stats.reboundsTotal").cast(pl.Float64),
            assists=pl.col("stats.assists").cast(pl.Float64),
            threes=pl.col("stats.threePointersMade").cast(pl.Float64),
            steals=pl.col("stats.steals").cast(pl.Float64),
            blocks=pl.col("stats.blocks").cast(pl.Float64),
            turnovers=pl.col("stats.turnovers").cast(pl.Float64),
        )
    )
    return _boxes(rows, "game_id")


def injury_reports(folder: Path) -> pl.DataFrame:
    """Read what was last reported of each player on each day (Eastern): player, date, status."""
    updated = pl.col("report_updated_utc").str.strip_suffix(" UTC").str.to_datetime(time_zone="UTC")
    rows = read(folder, "injury_reports_2026").with_columns(
        # Their parser glued suffixes to names.
        name=pl.col("player").str.replace(r"([a-z])(Jr\.?|Sr\.?|II|III|IV)$", "$1 $2"),
        updated=updated,
        date=updated.dt.convert_time_zone("America/New_York").dt.strftime("%Y-%m-%d"),
        status=pl.col("status").str.to_uppercase(),
    )
    last = with_player(rows.drop("player"), "name").sort("updated").unique(["player", "date"], keep="last")
    return last.select("player", "date", "status")


def _boxes(rows: pl.DataFrame, nba_id: str) -> BoxScores:
    rows = rows.with_columns(points_rebounds_assists=pl.col("points") + pl.col("rebounds") + pl.col("assists"))
    lines = rows.unpivot(
        on=[*MARKETS, "points_rebounds_assists"],
        index=["player", "game", "minutes", "dnp"],
        variable_name="market",
        value_name="actual",
    )
    games = rows.select("game", "played", pl.col(nba_id).alias("nba_id")).unique()
    assert lines.height == lines.unique(subset=["player", "game", "market"]).height
    assert games.height == games["game"].n_unique() == games["nba_id"].n_unique()
    return BoxScores(lines, games)
