"""What becomes of rows: values read, columns made, bad rows named, repeats dropped, wide box scores made long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gradeonce.errors import InputError, UsageError
from gradeonce.loading import ReadRows, raise_if_bad, read_rows
from gradeonce.schema import LOADED_TABLES

TODAY = date(2026, 2, 1)
GAME = "20260117_LAL_BOS"


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    yield connection
    connection.close()


class Loader:
    """Loads a text as a file `rows.csv`."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    def read(self, kind: str, text: str, **options: Any) -> ReadRows:
        path = self.folder / "rows.csv"
        path.write_text(text, encoding="utf-8")
        return read_rows(self.engine, kind, [path], today=TODAY, **options)

    def rows(self, read: ReadRows, *columns: str) -> list[tuple[Any, ...]]:
        return self.engine.execute(f"SELECT {', '.join(columns)} FROM {read.relation} ORDER BY load_row").fetchall()

    def problems(self, kind: str, text: str, **options: Any) -> list[str]:
        read = self.read(kind, text, **options)
        return [str(sample).removeprefix(f"{self.folder}/") for sample in read.samples]


@pytest.fixture
def loader(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> Loader:
    return Loader(engine, tmp_path)


def prediction(**values: str) -> str:
    """Return a file with one prediction."""
    row = {"system_id": "alpha", "player_name": "A B", "game_id": GAME, "predicted_value": "20", **values}
    return f"{','.join(row)}\n{','.join(row.values())}\n"


@pytest.mark.parametrize("kind", LOADED_TABLES)
def test_relation_has_the_columns_of_its_table_in_order(loader: Loader, kind: str) -> None:
    """All columns of the table but the two stamps that the load itself gives."""
    header = {
        "predictions": "system_id,player_name,game_id,predicted_value",
        "actuals": "player_name,game_id,points",
        "injuries": "player_name,game_id,status",
        "lines": "player_name,game_id,market,bookmaker,line_value",
    }
    read = loader.read(kind, header[kind] + "\n")

    columns = [row[0] for row in loader.engine.execute(f"DESCRIBE {read.relation}").fetchall()]

    assert columns == [name for name in LOADED_TABLES[kind].column_names if name not in ("load_id", "loaded_at")]


def test_prediction_takes_its_defaults(loader: Loader) -> None:
    """Points, active, ACTUAL_PROP; the date from the id, the lookup from the name, an id from the key."""
    read = loader.read("predictions", prediction())

    columns = ("player_lookup", "player_name", "game_date", "market", "is_active", "line_source", "load_row")
    assert loader.rows(read, *columns) == [("ab", "A B", date(2026, 1, 17), "points", True, "ACTUAL_PROP", 1)]
    ((made,),) = loader.rows(read, "prediction_id")
    assert len(made) == 32
    assert loader.rows(loader.read("predictions", prediction(predicted_value="21")), "prediction_id") == [(made,)]
    for other in (
        prediction(line_value="20.5"),
        prediction(created_at="2026-01-17T10:00:00Z"),
        prediction(market="PRA"),
    ):
        assert loader.rows(loader.read("predictions", other), "prediction_id") != [(made,)]
    assert loader.rows(loader.read("predictions", prediction(prediction_id="p1")), "prediction_id") == [("p1",)]


def test_given_lookup_stands_as_it_is(loader: Loader) -> None:
    """`player_lookup` is not put through the rule; a name beside it is only shown."""
    read = loader.read("predictions", prediction(player_lookup="Herb-Jones", player_name="Somebody Else"))

    assert loader.rows(read, "player_lookup", "player_name") == [("Herb-Jones", "Somebody Else")]


def test_aliases_reach_the_lookup(loader: Loader, tmp_path: Path) -> None:
    """Built-in spellings and those of the user's file come to the official name."""
    aliases = tmp_path / "aliases.csv"
    aliases.write_text("alias,player\nThe Brow,Anthony Davis\n", encoding="utf-8")

    read = loader.read(
        "injuries", f"player_name,game_id,status\nHerb Jones,{GAME},out\nThe Brow,{GAME},Out\n", aliases=aliases
    )

    assert loader.rows(read, "player_lookup", "status") == [("herbertjones", "OUT"), ("anthonydavis", "OUT")]


@pytest.mark.parametrize(
    ("written", "market"),
    [
        ("player_points", "points"),
        ("Points", "points"),
        ("player_points_alternate", "points"),
        ("Pts+Rebs+Asts", "points_rebounds_assists"),
        ("PRA", "points_rebounds_assists"),
        ("player_points_rebounds_assists", "points_rebounds_assists"),
        ("player_points_rebounds", "points_rebounds"),
        ("Pts+Asts", "points_assists"),
        ("Rebs+Asts", "rebounds_assists"),
        ("Blks+Stls", "steals_blocks"),
        ("player_blocks_steals", "steals_blocks"),
        ("3-PT Made", "threes"),
        ("player_threes", "threes"),
        ("Blocked Shots", "blocks"),
        ("Turnovers", "turnovers"),
        ("Fantasy Score", "fantasy_score"),
        ("Points - 1st 3 Minutes", "points_1st_3_minutes"),
    ],
)
def test_market_gets_our_name(loader: Loader, written: str, market: str) -> None:
    """What sources call a market becomes ours; one we do not know keeps its words."""
    assert loader.rows(loader.read("predictions", prediction(market=written)), "market") == [(market,)]


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        ("24", "24"),
        ("24.5", "24.5"),
        ("24:30", "24.5"),
        ("9:06", "9.1"),
        ("30:43", "30.716666667"),
        ("PT24M30.00S", "24.5"),
        ("0", "0"),
    ],
)
def test_minutes_are_read_in_three_spellings(loader: Loader, written: str, minutes: str) -> None:
    """A number, mm:ss and ISO 8601 durations are minutes."""
    read = loader.read("actuals", f"player_name,game_id,points,minutes_played\nA B,{GAME},1,{written}\n")

    assert loader.rows(read, "minutes_played") == [(Decimal(minutes),)]


@pytest.mark.parametrize(("written", "value"), [("true", True), ("NO", False), ("1", True), ("0.0", False), ("", None)])
def test_did_not_play_is_yes_no_or_unknown(loader: Loader, written: str, value: bool | None) -> None:
    """An empty `is_dnp` is unknown, not false."""
    read = loader.read("actuals", f"player_name,game_id,points,is_dnp\nA B,{GAME},1,{written}\n")

    assert loader.rows(read, "is_dnp") == [(value,)]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-01-17T19:00:00-05:00", "2026-01-18 00:00:00"),
        ("2026-01-17 19:00:00.5-0500", "2026-01-18 00:00:00.5"),
        ("2026-01-18T00:00:00Z", "2026-01-18 00:00:00"),
        ("2026-01-18 00:00 UTC", "2026-01-18 00:00:00"),
        ("2026-01-18T00:00z", "2026-01-18 00:00:00"),
    ],
)
def test_instant_with_an_offset_becomes_utc(loader: Loader, written: str, utc: str) -> None:
    """The offset counts, whatever zone this machine is in."""
    loader.engine.execute("SET TimeZone = 'Asia/Tokyo'")
    read = loader.read("predictions", prediction(created_at=written))

    assert loader.rows(read, "CAST(created_at AS VARCHAR)") == [(utc,)]


def test_bare_instant_needs_a_zone(loader: Loader) -> None:
    """Without --timezone it is bad, with it it is read there; a mapping's own bare instants too."""
    text = prediction(created_at="2026-01-17 19:00:00")
    read = loader.read("predictions", text)

    with pytest.raises(InputError) as caught:
        raise_if_bad(read, "fail")

    assert "column created_at: '2026-01-17 19:00:00' has no UTC offset" in caught.value.message
    assert caught.value.hint.startswith("Pass --timezone America/New_York if")
    read = loader.read("predictions", text, timezone="America/New_York")
    assert loader.rows(read, "CAST(created_at AS VARCHAR)") == [("2026-01-18 00:00:00",)]


def test_date_comes_from_the_tip_off_where_the_league_plays(loader: Loader) -> None:
    """7 pm Eastern is the next day in UTC, in winter (five hours) and in summer time (four)."""
    text = (
        "player_name,game_id,market,bookmaker,line_value,tipoff_at\n"
        "A B,0022500001,points,x,1,2026-01-18T00:00:00Z\n"
        "A B,0022500001,points,x,1,2026-03-08T04:30:00Z\n"
        "A B,0022500001,points,x,1,2026-03-09T03:30:00Z\n"
    )

    days = [date(2026, 1, 17), date(2026, 3, 7), date(2026, 3, 8)]
    assert loader.rows(loader.read("lines", text), "game_date") == [(day,) for day in days]
    read = loader.read("lines", text, league_timezone="Europe/Madrid")
    assert loader.rows(read, "game_date")[0] == (date(2026, 1, 18),)


def test_decimals_are_exact_and_leading_zeros_stay(loader: Loader) -> None:
    """18.399999618530273 rounds at the ninth place, in decimal; an id is text."""
    read = loader.read(
        "predictions",
        prediction(predicted_value="18.399999618530273", line_value="20", game_id="0022500001", game_date="2026-01-17"),
    )

    assert loader.rows(read, "predicted_value", "line_value", "game_id") == [
        (Decimal("18.399999619"), Decimal(20), "0022500001")
    ]


BAD = [
    ({"predicted_value": "NaN"}, "predicted_value: 'NaN' is not a number"),
    ({"predicted_value": "1_000"}, "predicted_value: '1_000' is not a number"),
    ({"predicted_value": "9000"}, "predicted_value: '9000' is impossible; expected -200 to 500"),
    ({"predicted_value": ""}, "predicted_value: empty where a value is required"),
    ({"system_id": " "}, "system_id: empty where a value is required"),
    ({"line_value": "Infinity"}, "line_value: 'Infinity' is not a number"),
    ({"line_value": "-1.5"}, "line_value: '-1.5' is impossible; a line is 0 to 500"),
    (
        {"confidence_score": "250"},
        "confidence_score: '250' is impossible; confidence is 0 to 1, or 0 to 100 in percent",
    ),
    (
        {"confidence_score": "-0.1"},
        "confidence_score: '-0.1' is impossible; confidence is 0 to 1, or 0 to 100 in percent",
    ),
    (
        {"game_date": "20226-01-17"},
        "game_date: '20226-01-17' is impossible; dates run from 1946-01-01 to 2028-02-01",
    ),
    ({"game_date": "1899-12-31"}, "game_date: '1899-12-31' is impossible; dates run from 1946-01-01 to 2028-02-01"),
    ({"game_date": "17/01/2026"}, "game_date: '17/01/2026' is not a date; expected YYYY-MM-DD"),
    ({"game_date": "2026-02-30"}, "game_date: '2026-02-30' is not a date; expected YYYY-MM-DD"),
    (
        {"game_id": "0022500001"},
        "game_id: '0022500001' holds no date; give game_date, tipoff_at, or an id like 20260117_LAL_BOS",
    ),
    ({"game_id": "20991301_LAL_BOS"}, "game_id: '20991301_LAL_BOS' holds no date; give game_date, tipoff_at"),
    ({"game_id": "20990101_LAL_BOS"}, "game_id: '20990101_LAL_BOS' is impossible; dates run from 1946-01-01"),
    ({"game_id": ""}, "game_date: empty where a date is required; give game_date or tipoff_at"),
    (
        {"over_price": "-50"},
        "over_price: '-50' is no American odds; expected -100 and below or 100 and above, such as -110",
    ),
    ({"under_price": "0"}, "under_price: '0' is no American odds"),
    ({"under_price": "1.91"}, "under_price: '1.91' is no American odds"),
    (
        {"recommendation": "BUY"},
        "recommendation: 'BUY' is no recommendation; expected OVER, UNDER, PASS, HOLD or NO_LINE",
    ),
    ({"is_active": "perhaps"}, "is_active: 'perhaps' is neither true nor false"),
    ({"created_at": "noon"}, "created_at: 'noon' is not an instant; expected ISO 8601 with an offset"),
    ({"tipoff_at": "2099-01-17T00:00:00Z"}, "tipoff_at: '2099-01-17T00:00:00Z' is impossible; instants run from"),
    ({"player_name": ""}, "player_lookup: empty where a player is required; give player_lookup or player_name"),
    ({"player_name": "A\0B"}, "player_name: 'A␀B' holds a NUL character"),
    ({"player_name": "Никола"}, "player_name: 'Никола' holds no letter from a to z"),
]


@pytest.mark.parametrize(("values", "problem"), BAD)
def test_bad_value_names_file_row_column_value_and_what_was_expected(
    loader: Loader, values: dict[str, str], problem: str
) -> None:
    """One sentence for each thing that may be wrong with a prediction."""
    found = loader.problems("predictions", prediction(**values))

    assert f"rows.csv row 1, column {problem}" in "\n".join(found)


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (
            "actuals",
            f"player_name,game_id,points,minutes_played\nA B,{GAME},1,-3\n",
            "minutes_played: '-3' is impossible",
        ),
        ("actuals", f"player_name,game_id,points,minutes_played\nA B,{GAME},1,101\n", "minutes are 0 to 100"),
        (
            "actuals",
            f"player_name,game_id,points,minutes_played\nA B,{GAME},1,DNP\n",
            "expected a number, mm:ss or PT24M30S",
        ),
        ("actuals", f"player_name,game_id,points\nA B,{GAME},many\n", "points: 'many' is not a number"),
        (
            "actuals",
            f"player_name,game_id,market,actual_value\nA B,{GAME},,1\n",
            "market: empty where a value is required",
        ),
        ("lines", f"player_name,game_id,market,bookmaker,line_value\nA B,{GAME},pts,,1\n", "bookmaker: empty"),
        ("injuries", f"player_name,game_id,status\nA B,{GAME},\n", "status: empty where a value is required"),
        ("injuries", "player_name,game_id,status\nA B,0022500001,OUT\n", "game_id: '0022500001' holds no date"),
    ],
)
def test_bad_value_of_other_kinds(loader: Loader, kind: str, text: str, problem: str) -> None:
    """Box scores, lines and injuries are held to the same."""
    assert problem in "\n".join(loader.problems(kind, text))


@pytest.mark.parametrize(
    ("kind", "header", "message"),
    [
        (
            "predictions",
            "system_id,player_name,game_id,predicted_value,confidnce_score",
            'unknown column "confidnce_score" (did you mean confidence_score?)',
        ),
        ("predictions", "system_id,player_name,game_id,predicted_value,load_id", 'unknown column "load_id"'),
        ("predictions", "system_id,player_name,game_id", "the column predicted_value is missing"),
        ("predictions", "system_id,game_id,predicted_value", "player_lookup or player_name is missing"),
        ("injuries", "player_name,status", "game_date or tipoff_at is missing"),
        ("actuals", "player_name,game_id", "market and actual_value are missing (or points, rebounds, assists, ...)"),
        ("actuals", "player_name,game_id,market", "the column actual_value is missing"),
        (
            "actuals",
            "player_name,game_id,market,actual_value,points",
            "market or actual_value stand beside points: either long or wide",
        ),
    ],
)
def test_wrong_columns_are_named(loader: Loader, kind: str, header: str, message: str) -> None:
    """Unknown and missing columns stop a file before its rows are looked at."""
    with pytest.raises(InputError) as caught:
        loader.read(kind, header + "\n")

    assert caught.value.message == f"{loader.folder}/rows.csv: {message}."


def test_extra_columns_may_be_ignored(loader: Loader) -> None:
    """The hint names the option, and the option works."""
    text = prediction(weather="rain")
    with pytest.raises(InputError, match="--ignore-extra"):
        loader.read("predictions", text)

    assert loader.read("predictions", text, ignore_extra=True).rows == 1


def test_bad_rows_stop_the_load_or_are_kept_aside(loader: Loader) -> None:
    """`fail` shows them and says what to type; `quarantine` keeps them as they stood and lets the others through."""
    text = prediction() + "beta,A B,20260117_LAL_BOS,many\n" + "beta,A B,20260117_LAL_BOS,\n"
    read = loader.read("predictions", text)

    with pytest.raises(InputError) as caught:
        raise_if_bad(read, "fail")

    assert caught.value.message.startswith("2 of 3 rows are bad:\n")
    assert "rows.csv row 2, column predicted_value: 'many' is not a number" in caught.value.message
    assert caught.value.hint.endswith("--on-bad-rows quarantine.")
    assert (caught.value.bad_rows, len(caught.value.rows)) == (2, 2)
    raise_if_bad(read, "quarantine")
    assert (read.rows_read, read.rows_kept, read.rows, read.bad) == (3, 1, 1, 2)
    kept = loader.engine.execute(f"SELECT kind, file_row, reasons, row_json FROM {read.bad_relation}").fetchall()
    assert [row[:3] for row in kept] == [
        ("predictions", 2, "predicted_value: 'many' is not a number"),
        ("predictions", 3, "predicted_value: empty where a value is required"),
    ]
    assert json.loads(kept[0][3]) == {
        "system_id": "beta",
        "player_name": "A B",
        "game_id": GAME,
        "predicted_value": "many",
    }
    with pytest.raises(UsageError, match="Expected fail or quarantine"):
        raise_if_bad(read, "ignore")


def test_exact_repeats_collapse_to_the_last(loader: Loader) -> None:
    """A feed that says A, B, A again means A: of exact repeats the last stays, so the later reading wins."""
    header = "player_name,game_id,game_date,market,actual_value\n"
    a, b = f"A B,{GAME},,points,29\n", f"A B,{GAME},,points,31\n"

    read = loader.read("actuals", header + a + a + b + a + b)

    assert (read.rows_read, read.repeated, read.rows) == (5, 3, 2)
    assert loader.rows(read, "actual_value", "load_row") == [(Decimal(29), 4), (Decimal(31), 5)]


def test_rows_that_differ_in_one_column_only_are_not_repeats(loader: Loader) -> None:
    """A null and a value are different; so are two names of one player."""
    header = "player_name,game_id,market,actual_value,team_abbr\n"

    read = loader.read("actuals", f"{header}A B,{GAME},points,1,\nA B,{GAME},points,1,LAL\nB A,{GAME},points,1,\n")

    assert (read.repeated, read.rows) == (0, 3)


def test_wide_box_score_becomes_a_row_for_each_market(loader: Loader) -> None:
    """5 statistics of a row make 5 markets and the 4 sums whose parts are all there."""
    header = "player_name,game_id,points,rebounds,assists,steals,threes\n"

    read = loader.read("actuals", f"{header}A B,{GAME},10,5,3,1,2\n")

    assert {market: int(value) for market, value in loader.rows(read, "market", "actual_value")} == {
        "points": 10,
        "rebounds": 5,
        "assists": 3,
        "threes": 2,
        "steals": 1,
        "points_rebounds_assists": 18,
        "points_rebounds": 15,
        "points_assists": 13,
        "rebounds_assists": 8,
    }


def test_zeros_sum_to_zero_and_nulls_to_null(loader: Loader) -> None:
    """Who did not play keeps his zeros or his nulls; a sum of nulls is null, not zero."""
    header = "player_name,game_id,points,rebounds,is_dnp\n"

    read = loader.read("actuals", f"{header}Zero Row,{GAME},0,0,true\nNull Row,{GAME},,,true\n")

    assert loader.rows(read, "player_lookup", "market", "actual_value") == [
        ("zerorow", "points", Decimal(0)),
        ("zerorow", "rebounds", Decimal(0)),
        ("zerorow", "points_rebounds", Decimal(0)),
        ("nullrow", "points", None),
        ("nullrow", "rebounds", None),
        ("nullrow", "points_rebounds", None),
    ]


def test_statistic_missing_beside_others_is_no_row(loader: Loader) -> None:
    """An empty cell of a player who played must not read as `did not play`."""
    read = loader.read("actuals", f"player_name,game_id,points,rebounds\nA B,{GAME},10,\n")

    assert loader.rows(read, "market", "actual_value") == [("points", Decimal(10))]


def test_long_box_score_stays_as_it_is(loader: Loader) -> None:
    """One row is one row; no sums are made."""
    read = loader.read("actuals", f"player_name,game_id,market,actual_value\nA B,{GAME},pts,1\nA B,{GAME},reb,2\n")

    assert loader.rows(read, "market") == [("points",), ("rebounds",)]


def test_several_files_are_one_load_in_their_order(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Rows number on over the files, columns may stand in another order, problems name their own file."""
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(f"player_name,game_id,market,actual_value\nA B,{GAME},points,1\n", encoding="utf-8")
    second.write_text(
        f"game_id,actual_value,player_name,market\n{GAME},2,A B,points\n{GAME},x,A B,points\n", encoding="utf-8"
    )

    read = read_rows(engine, "actuals", [first, second], today=TODAY)

    rows = engine.execute(f"SELECT actual_value, load_row FROM {read.relation} ORDER BY load_row").fetchall()
    assert rows == [(Decimal(1), 1), (Decimal(2), 2)]
    assert str(read.samples[0]) == f"{second} row 2, column actual_value: 'x' is not a number"
    assert engine.execute(f"SELECT file, file_row FROM {read.bad_relation}").fetchall() == [(str(second), 2)]


def test_mapping_of_the_user_sees_native_types_and_other_files(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """`--select` runs one SELECT over `{rows}` and may join to files given by name."""
    rows, teams, mapping = (tmp_path / name for name in ("r.parquet", "t.csv", "m.sql"))
    engine.execute(f"COPY (SELECT 7 AS who, 10.25 AS guess, TIMESTAMP '2026-01-17 12:00' AS seen) TO '{rows}'")
    teams.write_text("id,name\n7,Ann Bee\n", encoding="utf-8")
    mapping.write_text(
        """-- my mapping
        SELECT 'mine' AS system_id, name AS player_name, 'g' AS game_id, CAST(seen AS DATE) AS game_date,
            guess + 1 AS predicted_value, timezone('UTC', seen) AS created_at, _file, _row
        FROM {rows} JOIN {people} ON CAST(id AS INTEGER) = who;""",
        encoding="utf-8",
    )

    read = read_rows(engine, "predictions", [rows], select=mapping, references={"people": teams}, today=TODAY)

    sql = f"SELECT player_lookup, predicted_value, CAST(created_at AS VARCHAR) FROM {read.relation}"
    assert engine.execute(sql).fetchall() == [("annbee", Decimal("11.25"), "2026-01-17 12:00:00")]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT nothing AS market, _file, _row FROM {rows}", "does not run over"),
        (
            "SELECT * FROM {rows} JOIN {games} USING (id)",
            "the slot {games} is not filled. Nothing was loaded. Give the file",
        ),
        ("SELECT 1 AS market FROM {rows}", "its SELECT lacks _file and _row"),
        ("SELECT 1 AS market", "does not read the file"),
        ("SELECT *, 1 AS colour FROM {rows}", 'unknown column "colour"'),
    ],
)
def test_wrong_mapping_is_named(engine: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str, message: str) -> None:
    """A mapping that cannot run, or leaves out what messages need, says so by its file's name."""
    path, mapping = tmp_path / "rows.csv", tmp_path / "mapping.sql"
    path.write_text(f"player_name,game_id,market,actual_value\nA B,{GAME},points,1\n", encoding="utf-8")
    mapping.write_text(sql, encoding="utf-8")

    with pytest.raises((InputError, UsageError)) as caught:
        read_rows(engine, "actuals", [path], select=mapping, today=TODAY)

    assert str(caught.value).startswith(str(mapping))
    assert message in str(caught.value)
