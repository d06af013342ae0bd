"""Betting lines, read a second time, and which of them a prediction was made against.

An offers frame has the columns player, name, market, date, game (null: not read), book, line, over, under, seen,
tipoff and place (order in the file).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from acceptance.independent.boxes import as_nba, game_of, read
from acceptance.independent.names import with_player

PRIZEPICKS_MARKETS = {
    "Points": "points",
    "Rebounds": "rebounds",
    "Assists": "assists",
    "3-PT Made": "threes",
    "Steals": "steals",
    "Blocked Shots": "blocks",
    "Turnovers": "turnovers",
}


def prizepicks(folder: Path) -> pl.DataFrame:
    """Read the board: single players, standard lines, games whose start is known."""
    rows = read(folder, "lines_prizepicks_2025_26").with_row_index("place")
    rows = rows.filter(
        ~pl.col("player").str.contains(" + ", literal=True),
        pl.col("startTimeIso").is_not_null(),
        pl.col("oddsType").is_null() | (pl.col("oddsType") == "standard"),
        pl.col("stat").is_in(list(PRIZEPICKS_MARKETS)),
    )
    tipoff = pl.col("startTimeIso").str.to_datetime(time_zone="UTC")
    rows = as_nba(folder, rows.rename({"player": "name"}), "Team", "Opponent")
    return _offers(
        rows,
        game=game_of(_league_date(tipoff), pl.col("Team"), pl.col("Opponent")),
        market=pl.col("stat").replace_strict(PRIZEPICKS_MARKETS),
        tipoff=tipoff,
        seen=pl.col("scrapedAt").str.to_datetime(time_zone="UTC"),
        date=_league_date(tipoff),
        book=pl.lit("prizepicks"),
        over=pl.lit(None, pl.Float64),
        under=pl.lit(None, pl.Float64),
    )


def sportsbooks_2024_spring(folder: Path) -> pl.DataFrame:
    """Read the points lines of spring 2024: a row a side."""
    rows = read(folder, "lines_sportsbooks_points_2024_spring").with_row_index("place")
    sides = ["outcomes_description", "commence_time", "home_team", "bookmakers.key", "outcomes_point"]
    price = pl.col("outcomes_price").cast(pl.Float64)
    rows = rows.group_by(*sides, "bookmakers.markets.last_update").agg(
        over=price.filter(pl.col("outcomes_name") == "Over").last(),
        under=price.filter(pl.col("outcomes_name") == "Under").last(),
        place=pl.col("place").max(),
    )
    tipoff = pl.col("commence_time").str.to_datetime(time_zone="UTC")
    return _offers(
        rows.rename({"outcomes_point": "line", "outcomes_description": "name"}),
        game=pl.lit(None, pl.String),
        market=pl.lit("points"),
        tipoff=tipoff,
        seen=pl.col("bookmakers.markets.last_update").str.to_datetime(time_zone="UTC"),
        date=_league_date(tipoff),
        book=pl.col("bookmakers.key"),
        over=pl.col("over"),
        under=pl.col("under"),
    )


def sportsbooks_2025_26(folder: Path) -> pl.DataFrame:
    """Read the points lines of autumn 2025: both prices in a row, nothing says when they were seen."""
    rows = read(folder, "lines_sportsbooks_points_2025_26").with_row_index("place")
    tipoff = pl.col("game_time").str.to_datetime(time_zone="UTC")
    teams = pl.col("game").str.split(" @ ")
    rows = rows.with_columns(away=teams.list.get(0), home=teams.list.get(1)).rename({"player": "name"})
    return _offers(
        as_nba(folder, rows, "away", "home"),
        game=game_of(_league_date(tipoff), pl.col("away"), pl.col("home")),
        market=pl.lit("points"),
        tipoff=tipoff,
        seen=pl.lit(None, pl.Datetime(time_zone="UTC")),
        date=_league_date(tipoff),
        book=pl.col("bookmaker"),
        over=pl.col("over_odds").cast(pl.Float64),
        under=pl.col("under_odds").cast(pl.Float64),
    )


def sportsbooks_pra(folder: Path) -> pl.DataFrame:
    """Read the lines of points + rebounds + assists: dates are Eastern, tip-offs are not given."""
    rows = read(folder, "lines_sportsbooks_pra").with_row_index("place")
    return _offers(
        rows.rename({"player_name": "name"}),
        game=pl.lit(None, pl.String),
        market=pl.lit("points_rebounds_assists"),
        tipoff=pl.lit(None, pl.Datetime(time_zone="UTC")),
        seen=pl.col("timestamp").str.to_datetime(time_zone="UTC"),
        date=pl.col("event_date"),
        book=pl.col("bookmaker").str.to_lowercase().str.replace_all("[^a-z0-9_]", ""),
        over=pl.col("over_price").cast(pl.Float64),
        under=pl.col("under_price").cast(pl.Float64),
    )


def offered(offers: pl.DataFrame, book: str) -> pl.DataFrame:
    """Return one line per player, market and date: the main line of a book's last reading, or the consensus of all.

    The main line of several is the one whose prices are nearest to even, of equals the middle one, else the last of the
    file. The consensus is the median of the books' main lines, moved to the nearest that is offered, of two the lower.
    """
    pick = ["player", "market", "date"]
    timely = offers.filter(
        pl.col("seen").is_null() | pl.col("tipoff").is_null() | (pl.col("seen") <= pl.col("tipoff")),
        (pl.col("book") == book) | (book == "consensus"),
    )
    last = timely.filter(pl.col("seen").is_null() | (pl.col("seen") == pl.col("seen").max().over(*pick, "book")))
    uneven = last.with_columns(uneven=(_chance(pl.col("over")) - _chance(pl.col("under"))).abs())
    middle = pl.when(pl.col("uneven").is_not_null()).then(pl.col("line")).median().over(*pick, "book", "uneven")
    main = (
        uneven.with_columns(aside=(pl.col("line") - middle).abs())
        .sort("uneven", "aside", "place", descending=[False, False, True], nulls_last=True)
        .unique(subset=[*pick, "book"], keep="first", maintain_order=True)
    )
    if book != "consensus":
        return main.select(*pick, "line", "over", "under", "book")
    common = (
        main.with_columns(away=(pl.col("line") - pl.col("line").median().over(pick)).abs())
        .filter(pl.col("away") == pl.col("away").min().over(pick))
        .filter(pl.col("line") == pl.col("line").min().over(pick))
    )
    return common.group_by(*pick, "line").agg(
        over=_middle_price("over"), under=_middle_price("under"), book=pl.lit("consensus").first()
    )


def _middle_price(side: str) -> pl.Expr:
    """Return the median price of those given, by what it pays; of two middle ones the one that pays less."""
    price = pl.col(side)
    pays = pl.when(price < 0).then(-100 / price).otherwise(price / 100)
    ranked = price.sort_by(pays).filter(price.sort_by(pays).is_not_null())
    return ranked.get((ranked.len() - 1) // 2, null_on_oob=True)


def _chance(price: pl.Expr) -> pl.Expr:
    return pl.when(price < 0).then(-price / (100 - price)).otherwise(100 / (100 + price))


def _league_date(instant: pl.Expr) -> pl.Expr:
    return instant.dt.convert_time_zone("America/New_York").dt.strftime("%Y-%m-%d")


def _offers(rows: pl.DataFrame, **columns: pl.Expr) -> pl.DataFrame:
    names = ["player", "name", "market", "date", "game", "book", "line", "over", "under", "seen", "tipoff", "place"]
    return with_player(rows, "name").with_columns(line=pl.col("line").cast(pl.Float64), **columns).select(names)
