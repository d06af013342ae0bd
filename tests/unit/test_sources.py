"""Presets: the list of them, how a layout is recognised, and each quirk on a file of a few rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gradeonce.errors import InputError, UsageError
from gradeonce.loading import ReadRows, read_rows
from gradeonce.sources import find_source, looks_like, sources

TODAY = date(2026, 2, 1)


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    yield connection
    connection.close()


class Loader:
    """Loads a text through a preset."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    def read(self, kind: str, source: str, text: str, *, suffix: str = ".csv", **options: Any) -> ReadRows:
        path = self.file(f"rows{suffix}", text)
        return read_rows(self.engine, kind, [path], source=source, today=TODAY, **options)

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def rows(self, read: ReadRows, *columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        sql = f"SELECT {', '.join(columns)} FROM {read.relation} WHERE {where} ORDER BY load_row"
        return self.engine.execute(sql).fetchall()


@pytest.fixture
def loader(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> Loader:
    return Loader(engine, tmp_path)


POINTS = "market = 'points'"


def test_every_preset_is_listed_with_what_it_loads() -> None:
    """Names, kinds, one sentence each, and the columns by which each layout is known."""
    listed = {source.name: source for source in sources()}

    assert sorted(listed) == [
        "api_sports.player_statistics",
        "bref.box_scores",
        "gradeonce",
        "nba.injury_report",
        "nba_api.box_score_traditional_v3",
        "nba_api.league_game_log",
        "odds_api.player_props",
        "prizepicks.board",
    ]
    assert listed["gradeonce"].kinds == ("predictions", "actuals", "injuries", "lines")
    assert listed["odds_api.player_props"].kinds == ("lines",)
    assert len(listed["odds_api.player_props"].variants) == 5
    assert all(source.description.endswith(".") for source in listed.values())
    assert all(v.needs and v.notes for s in listed.values() if s.name != "gradeonce" for v in s.variants)
    assert listed["nba_api.box_score_traditional_v3"].variants[1].references == {
        "players": ("id", "full_name"),
        "games": ("game_id", "game_date"),
    }


def test_no_two_sources_take_each_others_files() -> None:
    """The columns that one layout needs are enough for that source alone."""
    for source in sources():
        for variant in source.variants:
            assert [fit.name for fit in looks_like(set(variant.needs))] == [source.name] * bool(variant.needs)


def test_unknown_source_names_the_nearest() -> None:
    """A slip in the name is answered with what was meant."""
    with pytest.raises(UsageError, match=r"Did you mean bref\.box_scores\?"):
        find_source("bref.box_score", "actuals")


LOG_HEADER = (
    "PLAYER_NAME,TEAM_ABBREVIATION,GAME_ID,GAME_DATE,MATCHUP,MIN,PTS,REB,AST,FG3M,STL,BLK,TOV,PLUS_MINUS,SEASON_ID\n"
)


def test_game_log_takes_the_opponent_out_of_the_matchup(loader: Loader) -> None:
    """`LAL @ PHX` is away, `PHX vs. LAL` at home; a game id keeps or gets back its zeros."""
    text = LOG_HEADER + (
        "LeBron James,LAL,0022500001,2025-10-21,LAL @ PHX,35,30,8,9,2,1,0,4,5,22025\n"
        "Devin Booker,PHX,22500001,2025-10-21T00:00:00,PHX vs. LAL,36,25,4,6,3,1,0,2,-5,22025\n"
    )
    read = loader.read("actuals", "nba_api.league_game_log", text)

    assert loader.rows(read, "team_abbr", "opponent_team_abbr", "game_id", "game_date", where=POINTS) == [
        ("LAL", "PHX", "0022500001", date(2025, 10, 21)),
        ("PHX", "LAL", "0022500001", date(2025, 10, 21)),
    ]
    assert loader.rows(read, "CAST(actual_value AS INTEGER)", where="market = 'points_rebounds_assists'") == [
        (47,),
        (35,),
    ]


def test_zero_minutes_in_a_game_log_is_play_and_empty_is_not(loader: Loader) -> None:
    """MIN is rounded: 0 is some seconds, with a point; only an empty MIN is `did not play`."""
    text = LOG_HEADER + (
        "Cam Christie,LAC,0022400600,2025-01-19,LAC @ LAL,0,1,0,0,0,0,0,0,0,22024\n"
        "Somebody Else,LAC,0022400600,2025-01-19,LAC @ LAL,,0,0,0,0,0,0,0,0,22024\n"
    )
    read = loader.read("actuals", "nba_api.league_game_log", text)

    assert loader.rows(read, "CAST(minutes_played AS INTEGER)", "is_dnp", where=POINTS) == [(0, False), (None, True)]


def test_game_id_that_became_a_number_is_the_same_id(loader: Loader) -> None:
    """A column of ids with a gap comes out of pandas as 22200001.0; it was once another game."""
    row = "A {},LAC,{},2022-10-18,LAC @ LAL,30,1,0,0,0,0,0,0,0,22022\n"
    read = loader.read(
        "actuals", "nba_api.league_game_log", LOG_HEADER + row.format("B", "22200001.0") + row.format("C", "22200001")
    )

    assert loader.rows(read, "game_id", where=POINTS) == [("0022200001",)] * 2


STACKED = (
    "team,player,stats.minutes,stats.threePointersMade,stats.reboundsTotal,stats.assists,stats.steals,stats.blocks,"
    "stats.turnovers,stats.points,game_id\n"
    "1610612738,1,23:18,0,4,0,1,3,0,2,0022400001\n"
    "1610612738,2,,0,0,0,0,0,0,0,0022400001\n"
    "1610612747,3,10:00,1,1,1,1,1,1,7,0022400001\n"
    "1610612747,9,10:00,1,1,1,1,1,1,7,0022400001\n"
)


def test_stacked_box_score_joins_names_and_dates_and_collapses_its_double(loader: Loader) -> None:
    """Every row twice counts once; empty minutes are `did not play`; an id nobody knows is set aside."""
    rows = STACKED.splitlines(keepends=True)
    references = {
        "players": loader.file("players.csv", "id,full_name\n1,Al One\n2,Bo Two\n3,Cy Three\n"),
        "games": loader.file("games.csv", "GAME_DATE,GAME_ID\n2025-01-02,0022400001\n2025-01-02,0022400001\n"),
    }

    read = loader.read("actuals", "nba_api.box_score_traditional_v3", "".join(rows + rows[1:]), references=references)

    columns = ("player_lookup", "game_date", "is_dnp", "CAST(minutes_played AS DOUBLE)", "opponent_team_abbr")
    assert loader.rows(read, *columns, "CAST(actual_value AS INTEGER)", where=POINTS) == [
        ("alone", date(2025, 1, 2), False, 23.3, "LAL", 2),
        ("botwo", date(2025, 1, 2), True, None, "LAL", 0),
        ("cythree", date(2025, 1, 2), False, 10.0, "BOS", 7),
    ]
    assert read.repeated == 3
    assert read.refused == {"player id 9 is not among the players": 2}
    assert (read.rows_read, read.rows_kept, read.bad) == (8, 3, 0)


def test_source_says_which_other_files_it_needs(loader: Loader) -> None:
    """Without its references, or with the wrong columns in one, a source names slot and columns."""
    source = "nba_api.box_score_traditional_v3"
    games = loader.file("games.csv", "GAME_DATE,GAME_ID\n2025-01-02,0022400001\n")

    with pytest.raises(InputError, match="also needs a file of players") as caught:
        loader.read("actuals", source, STACKED, references={"games": games})
    assert caught.value.hint == "Give it with --with players=FILE; columns: id, full_name."
    with pytest.raises(UsageError, match=r"prizepicks\.board has no use for a file of games"):
        loader.read("lines", "prizepicks.board", BOARD, references={"games": games})
    with pytest.raises(InputError, match=r"games\.csv: lacks id, full_name, which"):
        loader.read("actuals", source, STACKED, references={"games": games, "players": games})


def test_box_score_frame_of_nba_api(loader: Loader) -> None:
    """The data frame as nba_api gives it: first and family name, ISO minutes, no date of its own."""
    text = (
        "gameId,teamTricode,personId,firstName,familyName,comment,minutes,threePointersMade,reboundsTotal,assists,steals,"
        "blocks,turnovers,points\n"
        "0022400001,BOS,1,Jayson,Tatum,,PT37M12.00S,4,8,6,1,0,2,31\n"
        "0022400001,BOS,2,Al,Horford,DNP - Coach's Decision,,0,0,0,0,0,0,0\n"
        "0022400001,NYK,3,Karl-Anthony,Towns,,24:30,1,7,2,0,0,1,12\n"
    )
    games = loader.file("games.csv", "game_id,game_date\n22400001,2024-10-22\n")

    read = loader.read("actuals", "nba_api.box_score_traditional_v3", text, references={"games": games})

    columns = (
        "player_lookup",
        "is_dnp",
        "CAST(minutes_played AS DOUBLE)",
        "team_abbr",
        "opponent_team_abbr",
        "game_date",
    )
    assert loader.rows(read, *columns, where=POINTS) == [
        ("jaysontatum", False, 37.2, "BOS", "NYK", date(2024, 10, 22)),
        ("alhorford", True, None, "BOS", "NYK", date(2024, 10, 22)),
        ("karlanthonytowns", False, 24.5, "NYK", "BOS", date(2024, 10, 22)),
    ]


def test_bref_maps_its_teams_and_repairs_names(loader: Loader) -> None:
    """PHO, BRK and CHO are PHX, BKN and CHA; `DonÄ\\x8diÄ\\x87` is Dončić; 0.0 minutes is play."""
    broken = "Luka Dončić".encode().decode("latin-1")
    text = (
        "game_date,home,visitor,player_name,team,mp,fg3,trb,ast,stl,blk,tov,pts\n"
        f"2025-10-22,PHO,BRK,{broken},PHO,39.5,4,8,9,1,0,3,33\n"
        "2025-10-22,PHO,BRK,Cam Thomas,BRK,0.0,0,0,0,0,0,0,0\n"
    )
    read = loader.read("actuals", "bref.box_scores", text)

    columns = ("player_lookup", "player_name", "game_id", "team_abbr", "opponent_team_abbr", "is_dnp")
    assert loader.rows(read, *columns, where=POINTS) == [
        ("lukadoncic", "Luka Dončić", "20251022_BKN_PHX", "PHX", "BKN", False),
        ("camthomas", "Cam Thomas", "20251022_BKN_PHX", "BKN", "PHX", False),
    ]


def test_bref_player_table_does_not_know_who_is_at_home(loader: Loader) -> None:
    """Both teams' rows have the same id: the teams in alphabetical order."""
    text = (
        "Player,Tm,Opp,Res,MP,3P,TRB,AST,STL,BLK,TOV,PTS,Data\n"
        "Gui Santos,GSW,LAL,W,2.6466666666666665,0,0,0,0,0,1,0,2025-10-21\n"
        "Austin Reaves,LAL,GSW,L,38,3,4,9,1,0,5,26,2025-10-21\n"
    )
    read = loader.read("actuals", "bref.box_scores", text)

    assert loader.rows(read, "game_id", "CAST(minutes_played AS VARCHAR)", where=POINTS) == [
        ("20251021_GSW_LAL", "2.646666667"),
        ("20251021_GSW_LAL", "38.000000000"),
    ]


API_SPORTS = (
    "firstname,lastname,team,points,minutes,tpm,totReb,assists,steals,turnovers,blocks,date,home_team,away_team\n"
)


def test_api_sports_dates_are_utc_across_the_change_of_clocks(loader: Loader) -> None:
    """Midnight UTC is 7 pm Eastern the day before in winter and 8 pm in summer time, which began on 2024-03-10."""
    text = API_SPORTS + (
        "A,One,Chicago Bulls,1,10,0,1,1,0,0,0,2024-03-09 04:59:00,Chicago Bulls,Dallas Mavericks\n"
        "A,Two,Dallas Mavericks,1,10,0,1,1,0,0,0,2024-03-12 03:59:00,Chicago Bulls,Dallas Mavericks\n"
        "A,Three,LA Clippers,1,10,0,1,1,0,0,0,2024-03-12 04:01:00,LA Clippers,Phoenix Suns\n"
    )
    read = loader.read("actuals", "api_sports.player_statistics", text)

    assert loader.rows(read, "game_id", "game_date", "opponent_team_abbr", where=POINTS) == [
        ("20240308_DAL_CHI", date(2024, 3, 8), "DAL"),
        ("20240311_DAL_CHI", date(2024, 3, 11), "CHI"),
        ("20240312_PHX_LAC", date(2024, 3, 12), "PHX"),
    ]


def test_api_sports_dates_may_say_their_offset(loader: Loader) -> None:
    """As the site's JSON writes them, with a Z; such dates once read as empty."""
    row = "A,{},Chicago Bulls,1,10,0,1,1,0,0,0,{},Chicago Bulls,Dallas Mavericks\n"
    text = API_SPORTS + row.format("One", "2022-11-06T00:30:00.000Z") + row.format("Two", "2022-11-05T20:30:00-04:00")
    read = loader.read("actuals", "api_sports.player_statistics", text)

    assert loader.rows(read, "game_id", where=POINTS) == [("20221105_DAL_CHI",)] * 2


def test_api_sports_keeps_both_readings_of_a_corrected_row_in_order(loader: Loader) -> None:
    """29 read during the game, read again, then 31: two rows, the later one last; 0 minutes leaves play unknown."""
    row = "Bobby,Portis,Milwaukee Bucks,{},{},0,1,1,0,0,0,2024-03-17 17:00:00,Milwaukee Bucks,Phoenix Suns\n"
    text = API_SPORTS + row.format(29, 30) * 2 + row.format(31, 33) + row.replace("Bobby", "Zero").format(0, 0)
    read = loader.read("actuals", "api_sports.player_statistics", text)

    assert loader.rows(read, "CAST(actual_value AS INTEGER)", "is_dnp", where=POINTS) == [
        (29, False),
        (31, False),
        (0, None),
    ]
    assert read.repeated == 1


FLAT = (
    "outcomes_name,outcomes_description,outcomes_price,outcomes_point,id,commence_time,home_team,away_team,bookmakers.key,"
    "bookmakers.title,bookmakers.markets.key,bookmakers.markets.last_update\n"
)
FLAT_ROW = (
    "{},Al One,{},{},e1,2024-03-03T00:10:00Z,Brooklyn Nets,Atlanta Hawks,draftkings,DraftKings,{},"
    "2024-03-02T13:58:29Z\n"
)


def test_two_sides_of_a_line_become_one(loader: Loader) -> None:
    """Over and under meet on book, market and line; an alternate with one side keeps the other empty."""
    text = (
        FLAT
        + FLAT_ROW.format("Over", -105, 16.5, "player_points")
        + FLAT_ROW.format("Under", -125, 16.5, "player_points")
    )
    text += FLAT_ROW.format("Over", 250, 22.5, "player_points_alternate")

    read = loader.read("lines", "odds_api.player_props", text)

    columns = ("game_id", "market", "bookmaker", "CAST(line_value AS DOUBLE)", "over_price", "under_price")
    assert loader.rows(read, *columns) == [
        ("20240302_ATL_BKN", "points", "draftkings", 16.5, -105, -125),
        ("20240302_ATL_BKN", "points", "draftkings", 22.5, 250, None),
    ]
    assert loader.rows(read, "CAST(observed_at AS VARCHAR)", "CAST(tipoff_at AS VARCHAR)")[0] == (
        "2024-03-02 13:58:29",
        "2024-03-03 00:10:00",
    )
    assert (read.rows_read, read.rows_mapped) == (3, 2)


def test_fillers_of_pickem_books_are_no_prices(loader: Loader) -> None:
    """-137 at PrizePicks stands for nothing; overlapping files repeat rows, and a moved line is a second row."""
    header = "player,market,bookmaker,side,line,price,home_team,away_team,game_id,commence_time\n"
    row = "Al One,player_points,{},{},{},{},Utah Jazz,Denver Nuggets,e1,2025-01-01T00:10:00Z\n"
    text = header + row.format("PrizePicks", "Over", 20, -137) + row.format("PrizePicks", "Under", 20, -137)
    text += row.format("PrizePicks", "Over", 20, -137) + row.format("PrizePicks", "Over", 21.5, -137)
    text += row.format("FanDuel", "Over", 20.5, -112)

    read = loader.read("lines", "odds_api.player_props", text)

    columns = ("game_id", "bookmaker", "CAST(line_value AS DOUBLE)", "over_price", "under_price")
    assert loader.rows(read, *columns) == [
        ("20241231_DEN_UTA", "prizepicks", 20.0, None, None),
        ("20241231_DEN_UTA", "prizepicks", 21.5, None, None),
        ("20241231_DEN_UTA", "fanduel", 20.5, -112, None),
    ]


def test_wide_lines_have_both_prices_and_may_miss_one(loader: Loader) -> None:
    """`Away @ Home`, prices written -114.0, one of them empty."""
    text = (
        "event_id,player,market,line,bookmaker,game,game_time,over_odds,under_odds\n"
        "e1,Al One,player_points,32.5,draftkings,Houston Rockets @ Oklahoma City Thunder,2025-10-21T23:35:00Z,-114.0,\n"
    )
    read = loader.read("lines", "odds_api.player_props", text)

    assert loader.rows(read, "game_id", "over_price", "under_price") == [("20251021_HOU_OKC", -114, None)]


def test_wide_lines_of_one_market_unless_the_file_names_it(loader: Loader) -> None:
    """Points + rebounds + assists where no market is said."""
    header = "player_name,event_id,event_date,home_team,away_team,bookmaker,line,timestamp,over_price,under_price"
    row = "Al One,e1,2024-02-03,Philadelphia 76ers,Brooklyn Nets,BetOnline.ag,17.5,2024-02-03T23:05:38Z,-120.0,-125.0"

    read = loader.read("lines", "odds_api.player_props", f"{header}\n{row}\n")
    assert loader.rows(read, "market", "bookmaker", "game_id") == [
        ("points_rebounds_assists", "betonlineag", "20240203_BKN_PHI")
    ]
    read = loader.read("lines", "odds_api.player_props", f"{header},market\n{row},player_points\n")
    assert loader.rows(read, "market") == [("points",)]


def test_native_json_of_the_odds_api_with_decimal_odds(loader: Loader) -> None:
    """Decimal 1.80 is -125, 1.94 is -106, 2.00 is +100, 2.50 is +150; American odds stay."""
    sides = [("Over", 1.8, 11.5), ("Under", 1.94, 11.5), ("Over", 2.5, 14.5), ("Under", -160, 14.5), ("Over", 2, 12.5)]
    outcomes = [{"name": n, "description": "Jaylen Wells", "price": p, "point": line} for n, p, line in sides]
    markets = [{"key": "player_points", "last_update": "2025-03-09T22:50:34Z", "outcomes": outcomes}]
    event = {
        "id": "e1",
        "commence_time": "2025-03-09T23:11:00Z",
        "home_team": "New Orleans Pelicans",
        "away_team": "Memphis Grizzlies",
        "bookmakers": [{"key": "fanduel", "title": "FanDuel", "markets": markets}],
    }
    document = json.dumps({"timestamp": "2025-03-09T22:55:00Z", "data": event})

    read = loader.read("lines", "odds_api.player_props", document, suffix=".json")

    columns = ("game_id", "CAST(line_value AS DOUBLE)", "over_price", "under_price")
    assert loader.rows(read, *columns) == [
        ("20250309_MEM_NOP", 11.5, -125, -106),
        ("20250309_MEM_NOP", 12.5, 100, None),
        ("20250309_MEM_NOP", 14.5, 150, -160),
    ]


@pytest.mark.parametrize(
    ("price", "american"),
    [("1.91", -110), ("1.5", -200), ("2", 100), ("2.05", 105), ("even", 100), ("-110.0", -110), ("+120", 120)],
)
def test_decimal_odds_become_american_in_every_layout(loader: Loader, price: str, american: int) -> None:
    """-100 / (d - 1) below 2, 100 (d - 1) from 2 on: The Odds API gives decimal odds unless it is asked for others."""
    text = FLAT + FLAT_ROW.format("Over", price, 16.5, "player_points")
    read = loader.read("lines", "odds_api.player_props", text)

    assert loader.rows(read, "over_price") == [(american,)]


@pytest.mark.parametrize("price", ["1", "0.5", "-50", "none"])
def test_price_that_is_no_odds_is_told_with_its_row(loader: Loader, price: str) -> None:
    """Decimal odds of 1 pay nothing; in JSON they once stopped the file with a message of the engine's."""
    outcome = {"name": "Over", "description": "Al One", "price": price, "point": 11.5}
    markets = [{"key": "player_points", "last_update": "2025-03-09T22:50:34Z", "outcomes": [outcome]}]
    event = {"commence_time": "2025-03-09T23:11:00Z", "home_team": "A", "away_team": "B"}
    event |= {"bookmakers": [{"key": "fanduel", "markets": markets}]}
    document = json.dumps({"timestamp": "2025-03-09T22:55:00Z", "data": event})
    read = loader.read("lines", "odds_api.player_props", document, suffix=".json")

    assert [(bad.row, bad.column, bad.value) for bad in read.samples] == [(1, "over_price", price)]
    assert "no American odds" in read.samples[0].reason


BOARD = "scrapedAt,player,stat,line,startTimeIso,oddsType,Team,teamCode,Opponent,opponentCode\n"
BOARD_ROW = "{at},{player},{stat},{line},{start},{odds},Miami Heat,MIA,Chicago Bulls,CHI\n"


def board(**values: str) -> str:
    shared = {
        "at": "2026-01-08T12:00:00Z",
        "player": "Al One",
        "stat": "Points",
        "line": "20",
        "start": "2026-01-08T19:40:00.000-05:00",
        "odds": "standard",
    }
    return BOARD_ROW.format(**(shared | values))


def test_board_keeps_whole_numbers_and_moved_lines(loader: Loader) -> None:
    """A line of 20 is a line; a later snapshot that says 21.5 is a second row; the same snapshot twice is one."""
    text = BOARD + board() + board() + board(at="2026-01-08T17:00:00Z", line="21.5")

    read = loader.read("lines", "prizepicks.board", text)

    columns = ("game_id", "CAST(line_value AS DOUBLE)", "CAST(observed_at AS VARCHAR)", "over_price")
    assert loader.rows(read, *columns) == [
        ("20260108_CHI_MIA", 20.0, "2026-01-08 12:00:00", None),
        ("20260108_CHI_MIA", 21.5, "2026-01-08 17:00:00", None),
    ]
    assert read.repeated == 1


def test_board_sets_aside_what_cannot_be_graded_and_says_why(loader: Loader) -> None:
    """Combos, rows without a start time and other pay-outs never fail a load; they are counted and kept."""
    text = BOARD + board(player="Al One + Bo Two") + board(start="") + board(odds="demon") + board(stat="Pts+Rebs")

    read = loader.read("lines", "prizepicks.board", text)

    assert read.refused == {
        "a combo: one line on several players": 1,
        "a demon line, not the standard one": 1,
        "no start time: the game it stands for is unknown": 1,
    }
    assert (read.bad, read.samples) == (0, ())
    assert loader.rows(read, "market") == [("points_rebounds",)]
    kept = loader.engine.execute(f"SELECT file_row, reasons FROM {read.bad_relation}").fetchall()
    assert kept[0] == (1, "a combo: one line on several players")
    assert len(kept) == 3


def test_injury_snapshots_cut_glued_suffixes(loader: Loader) -> None:
    """`Trey MurphyIII` is Trey Murphy; `Zach LaVine` stays; the date is the league's date of the report."""
    text = (
        "report_updated_utc,team,player,status,reason\n"
        "2026-01-26 02:30 UTC,New Orleans Pelicans,Trey MurphyIII,OUT,Back\n"
        "2026-01-26 17:30 UTC,Sacramento Kings,Zach LaVine,Questionable,Hand\n"
        "2026-01-26 17:30 UTC,Sacramento Kings,Derrick JonesJr.,OUT,\n"
        "2026-01-26 17:30 UTC,Portland Trail Blazers,Jusuf NurkićII,OUT,\n"
    )
    read = loader.read("injuries", "nba.injury_report", text)

    columns = ("player_lookup", "status", "game_date", "CAST(reported_at AS VARCHAR)")
    assert loader.rows(read, *columns) == [
        ("treymurphy", "OUT", date(2026, 1, 25), "2026-01-26 02:30:00"),
        ("zachlavine", "QUESTIONABLE", date(2026, 1, 26), "2026-01-26 17:30:00"),
        ("derrickjones", "OUT", date(2026, 1, 26), "2026-01-26 17:30:00"),
        ("jusufnurkic", "OUT", date(2026, 1, 26), "2026-01-26 17:30:00"),
    ]


def test_official_injury_report_has_names_last_first(loader: Loader) -> None:
    """The report's own columns; a team that has not submitted names nobody and is set aside."""
    text = (
        "Game Date,Game Time,Matchup,Team,Player Name,Current Status,Reason\n"
        '01/26/2026,07:00 (ET),LAL@CHI,Los Angeles Lakers,"Dončić, Luka",Out,Injury\n'
        '01/26/2026,07:00 (ET),LAL@CHI,Chicago Bulls,"Jones Jr., Tre",Probable,Ankle\n'
        "01/26/2026,08:00 (ET),BKN@PHX,Brooklyn Nets,,,NOT YET SUBMITTED\n"
    )
    read = loader.read("injuries", "nba.injury_report", text)

    assert loader.rows(read, "player_lookup", "game_id", "status", "game_date") == [
        ("lukadoncic", "20260126_LAL_CHI", "OUT", date(2026, 1, 26)),
        ("trejones", "20260126_LAL_CHI", "PROBABLE", date(2026, 1, 26)),
    ]
    assert read.refused == {"names no player": 1}


def test_file_of_another_layout_names_what_it_lacks_and_what_it_looks_like(loader: Loader) -> None:
    """The wrong source for a file: its missing columns and the right source are named."""
    text = "game_date,home,visitor,player_name,team,mp,fg3,trb,ast,stl,blk,tov,pts\n"

    with pytest.raises(InputError) as caught:
        loader.read("actuals", "nba_api.league_game_log", text)

    assert caught.value.message.endswith(
        "rows.csv: is not nba_api.league_game_log: it lacks team_abbreviation, game_id, matchup, min, reb."
    )
    assert caught.value.hint == "This looks like bref.box_scores: add --source bref.box_scores."


def test_foreign_file_without_a_source_is_told_which_to_name(loader: Loader) -> None:
    """`load actuals board.csv` as our own columns: the answer is the command to type."""
    with pytest.raises(InputError) as caught:
        loader.read("actuals", "gradeonce", BOARD)

    assert caught.value.hint == "This looks like prizepicks.board: gradeonce load lines FILE --source prizepicks.board."


def test_unreadable_instant_names_its_row(loader: Loader) -> None:
    """One bad time among good ones is a bad row, not a failed query."""
    text = BOARD + board() + board(start="soon")

    read = loader.read("lines", "prizepicks.board", text)

    assert read.bad == 1
    assert "rows.csv row 2, column tipoff_at: 'soon' is not an instant" in str(read.samples[0])


def test_teams_we_do_not_know_keep_their_letters(loader: Loader) -> None:
    """A guest of the preseason does not stop a load."""
    text = (
        "event_id,player,market,line,bookmaker,game,game_time,over_odds,under_odds\n"
        "e1,Al One,player_points,10.5,x,Guangzhou Loong-Lions @ Phoenix Suns,2025-10-07T02:00:00Z,-110,-110\n"
    )
    read = loader.read("lines", "odds_api.player_props", text)

    assert loader.rows(read, "game_id") == [("20251006_GUANGZHOULOONGLIONS_PHX",)]
