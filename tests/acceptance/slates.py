"""The real slates: how a user loads each, and what an independent computation says must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from acceptance.command import Command
from acceptance.independent import boxes, offers, picks
from acceptance.independent.grades import grades, with_offers

MAPPINGS = Path(__file__).with_name("mappings")


@dataclass(frozen=True)
class Slate:
    """Predictions of some systems over some dates.

    Attributes:
        start: First game date.
        end: Last game date.
        load: Brings lines and predictions (and box scores, if the book is empty) into a book.
        expected: The grades, computed a second time.
        shares_official: Whether the book with all official box scores will do.
    """

    start: str
    end: str
    load: Callable[[Command, Path], None]
    expected: Callable[[Path], pl.DataFrame]
    shares_official: bool = True


def _load_prizepicks(gradeonce: Command, data: Path) -> None:
    filled = ("--line-from", "lines", "--book", "PrizePicks", "--derive-recommendation")
    gradeonce("load", "lines", data / "lines_prizepicks_2025_26.csv.gz", "--source", "prizepicks.board")
    gradeonce(
        *("load", "predictions", data / "predictions_points_ensemble_2025_26.csv.gz"),
        *("--select", MAPPINGS / "system_a.sql", *filled),
        *("--with", f"players={data / 'players_nba_ids.csv.gz'}"),
        *("--with", f"official={data / 'boxscores_official.csv.gz'}"),
        *("--with", f"schedule={data / 'schedule_2025_26_as_published.csv.gz'}"),
    )
    gradeonce(
        *("load", "predictions", data / "predictions_points_vs_average_2025_26.csv.gz"),
        *("--select", MAPPINGS / "system_b.sql", *filled),
        *("--with", f"teams={data / 'boxscores_bref_accents.csv.gz'}"),
    )


def _expect_prizepicks(data: Path) -> pl.DataFrame:
    box = boxes.official(data)
    board = offers.offered(offers.prizepicks(data), "prizepicks")
    both = pl.concat([picks.system_a(data, box), picks.system_b(data)])
    return grades(with_offers(both, board), box)


def _load_spring_2024(gradeonce: Command, data: Path) -> None:
    projections = data / "projections_points_ev_2024_spring.csv.gz"
    gradeonce(
        *("load", "lines", data / "lines_sportsbooks_points_2024_spring.csv.gz", "--source", "odds_api.player_props")
    )
    gradeonce("load", "predictions", projections, "--select", MAPPINGS / "system_d.sql")
    gradeonce(
        *("load", "predictions", projections, "--select", MAPPINGS / "system_d_projection.sql"),
        *("--line-from", "lines", "--book", "draftkings", "--derive-recommendation"),
    )


def _expect_spring_2024(data: Path) -> pl.DataFrame:
    book = offers.offered(offers.sportsbooks_2024_spring(data), "draftkings")
    attached = with_offers(picks.system_d_projection(data), book)
    return grades(pl.concat([picks.system_d(data), attached], how="diagonal"), boxes.official(data))


def _load_pra(gradeonce: Command, data: Path) -> None:
    gradeonce("load", "lines", data / "lines_sportsbooks_pra.csv.gz", "--source", "odds_api.player_props")
    gradeonce(
        *("load", "predictions", data / "predictions_pra_multi_system.csv.gz"),
        *("--select", MAPPINGS / "pra_runs.sql", "--with", f"official={data / 'boxscores_official.csv.gz'}"),
        *("--line-from", "lines", "--derive-recommendation"),
    )


def _expect_pra(data: Path) -> pl.DataFrame:
    consensus = offers.offered(offers.sportsbooks_pra(data), "consensus")
    return grades(with_offers(picks.pra_runs(data), consensus), boxes.official(data))


def _load_voids(gradeonce: Command, data: Path) -> None:
    gradeonce(
        *("load", "actuals", data / "boxscores_with_dnp.csv.gz", "--source", "nba_api.box_score_traditional_v3"),
        *("--with", f"players={data / 'players_nba_ids.csv.gz'}"),
        *("--with", f"games={data / 'boxscores_official.csv.gz'}"),
    )
    gradeonce(*("load", "lines", data / "lines_sportsbooks_points_2025_26.csv.gz", "--source", "odds_api.player_props"))
    sheet = gradeonce.folder / "trailing_average.parquet"
    _as_sheet(_average_of_autumn(data)).write_parquet(sheet)
    gradeonce("load", "predictions", sheet, "--line-from", "lines", "--derive-recommendation")


def _expect_voids(data: Path) -> pl.DataFrame:
    consensus = offers.offered(offers.sportsbooks_2025_26(data), "consensus")
    return grades(with_offers(_average_of_autumn(data), consensus), boxes.with_dnp(data))


def _average_of_autumn(data: Path) -> pl.DataFrame:
    lines = offers.sportsbooks_2025_26(data).filter(pl.col("date") <= "2025-11-24")
    return picks.trailing_average(lines, boxes.official(data), system="trailing_average")


def _as_sheet(picked: pl.DataFrame) -> pl.DataFrame:
    """Return picks as a user would hand them in: our columns, names as the lines spell them."""
    return picked.select(
        "game_id",
        "market",
        system_id="system",
        player_name="name",
        game_date=pl.col("date").str.to_date(),
        predicted_value="predicted",
    )


def _load_injuries(gradeonce: Command, data: Path) -> None:
    gradeonce("load", "lines", data / "lines_prizepicks_2025_26.csv.gz", "--source", "prizepicks.board")
    gradeonce("load", "injuries", data / "injury_reports_2026.csv.gz", "--source", "nba.injury_report")
    sheet = gradeonce.folder / "average_of_january.jsonl"
    _as_sheet(_average_of_january(data)).write_ndjson(sheet)
    gradeonce("load", "predictions", sheet, "--line-from", "lines", "--book", "prizepicks", "--derive-recommendation")


def _expect_injuries(data: Path) -> pl.DataFrame:
    board = offers.offered(offers.prizepicks(data), "prizepicks")
    return grades(with_offers(_average_of_january(data), board), boxes.official(data), boxes.injury_reports(data))


def _average_of_january(data: Path) -> pl.DataFrame:
    lines = offers.prizepicks(data).filter(pl.col("date").is_between(pl.lit("2026-01-25"), pl.lit("2026-01-27")))
    return picks.trailing_average(lines, boxes.official(data), system="average_of_january")


SLATES = {
    "prizepicks": Slate("2025-12-06", "2026-01-10", _load_prizepicks, _expect_prizepicks),
    "spring_2024": Slate("2024-03-04", "2024-03-31", _load_spring_2024, _expect_spring_2024),
    "pra": Slate("2024-10-24", "2025-01-26", _load_pra, _expect_pra),
    "voids": Slate("2025-10-21", "2025-11-24", _load_voids, _expect_voids, shares_official=False),
    "injuries": Slate("2026-01-25", "2026-01-27", _load_injuries, _expect_injuries),
}
