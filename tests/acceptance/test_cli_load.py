"""`gradeonce load` and `sources`: every kind, every format, and every message about a bad row."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from acceptance.command import Command

PICK = {
    "system_id": "alpha",
    "player_name": "Luka Dončić",
    "game_id": "20260117_LAL_BOS",
    "game_date": "2026-01-17",
    "market": "points",
    "predicted_value": "27.5",
    "line_value": "26.5",
    "confidence_score": "70",
    "recommendation": "OVER",
}
BOX = {
    "player_name": "Luka Dončić",
    "game_id": "20260117_LAL_BOS",
    "game_date": "2026-01-17",
    "points": "30",
    "minutes_played": "36:20",
}
INJURY = {
    "player_name": "Luka Dončić",
    "game_date": "2026-01-17",
    "status": "OUT",
    "reported_at": "2026-01-17T20:00:00Z",
}
LINE = {
    "player_name": "Luka Dončić",
    "game_date": "2026-01-17",
    "market": "points",
    "bookmaker": "fanduel",
    "line_value": "26.5",
    "observed_at": "2026-01-17T14:00:00Z",
}
KINDS = {
    "predictions": (PICK, "player_prop_predictions"),
    "actuals": (BOX, "player_game_actuals"),
    "injuries": (INJURY, "injury_reports"),
    "lines": (LINE, "player_prop_lines"),
}
FORMATS = ("csv", "csv.gz", "tsv", "json", "json.gz", "jsonl", "jsonl.gz", "parquet")


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows in the format that the file's name says."""
    name = path.name
    if name.endswith(".parquet"):
        pl.DataFrame(rows).write_parquet(path)
        return path
    if ".json" in name:
        text = json.dumps(rows) if ".jsonl" not in name else "".join(f"{json.dumps(row)}\n" for row in rows)
    else:
        text = pl.DataFrame(rows).write_csv(separator="\t" if ".tsv" in name else ",")
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_lands_in_its_table(book: Command, kind: str) -> None:
    """One row of each kind, and what is said about it."""
    row, table = KINDS[kind]
    write_rows(book.folder / "rows.csv", [row])

    found = book("load", kind, "rows.csv")

    assert found.out.startswith(f"{kind}: 1 rows landed on 1 date(s), 2026-01-17 to 2026-01-17 (l")
    assert found.err == ""
    stored = book.query(f"SELECT player_lookup, CAST(game_date AS VARCHAR) AS day FROM {table}")
    assert stored == [{"player_lookup": "lukadoncic", "day": "2026-01-17"}]


def test_every_format_gives_the_same_rows(book: Command) -> None:
    """CSV, TSV, JSON, JSON lines and Parquet, plain and gzipped: eight systems, one row but for the name."""
    for number, suffix in enumerate(FORMATS):
        write_rows(book.folder / f"picks.{suffix}", [{**PICK, "system_id": f"system {number}"}])
    book.inside("load", "predictions", *(f"picks.{suffix}" for suffix in FORMATS[:4]))
    for suffix in FORMATS[4:]:
        book.inside("load", "predictions", f"picks.{suffix}")

    rows = book.query(
        "SELECT system_id, player_lookup, game_id, game_date, market, predicted_value, line_value, confidence_score, "
        "recommendation FROM player_prop_predictions ORDER BY system_id"
    )

    assert [row.pop("system_id") for row in rows] == [f"system {number}" for number in range(len(FORMATS))]
    assert all(row == rows[0] for row in rows)
    assert rows[0]["predicted_value"] == 27.5


def test_load_as_json(book: Command) -> None:
    """One object; a wide box score of 7 statistics becomes a row for each market and each sum."""
    stats = dict(
        zip(("points", "rebounds", "assists", "threes", "steals", "blocks", "turnovers"), "1234567", strict=True)
    )
    write_rows(book.folder / "box.csv", [{**BOX, **stats}])

    document = book("load", "actuals", "box.csv", "--json").json()

    assert document.pop("load_id").startswith("l20")
    assert document == {
        "schema_version": 1,
        "kind": "actuals",
        "status": "loaded",
        "files": ["box.csv"],
        "rows_read": 1,
        "rows": 12,
        "known": 0,
        "repeated": 0,
        "refused": {},
        "quarantined": 0,
        "partitions": ["2026-01-17"],
    }


def test_same_file_twice_lands_once_and_says_so(book: Command) -> None:
    """The same content under another name is the same content; the ledger has one load."""
    for name in ("picks.csv", "copy.csv"):
        write_rows(book.folder / name, [PICK])
    first = book("load", "predictions", "picks.csv", "--json").json()

    again = book("load", "predictions", "picks.csv")
    copy = book("load", "predictions", "copy.csv", "--json").json()

    load_id = first["load_id"]
    assert again.out == f"predictions: this content was loaded before ({load_id}); nothing landed\n"
    assert (copy["status"], copy["load_id"], copy["rows"]) == ("already_loaded", load_id, 0)
    assert book.query("SELECT count(*) AS n FROM loads") == [{"n": 1}]
    assert book.query("SELECT count(*) AS n FROM player_prop_predictions") == [{"n": 1}]


def test_file_that_adds_to_what_is_known_lands_its_new_rows(book: Command) -> None:
    """A feed that repeats yesterday's rows: the very same row stands once; repeats within the file count too."""
    write_rows(book.folder / "first.csv", [PICK])
    second = {**PICK, "system_id": "beta"}
    write_rows(book.folder / "second.csv", [PICK, second, second])
    book.inside("load", "predictions", "first.csv")

    report = book("load", "predictions", "second.csv", "--json").json()

    assert (report["rows_read"], report["rows"], report["known"], report["repeated"]) == (3, 1, 1, 1)


BAD = [
    (
        "actuals",
        {**BOX, "minutes_played": "-5"},
        "column minutes_played: '-5' is impossible; minutes are 0 to 100",
    ),
    ("predictions", {**PICK, "line_value": "NaN"}, "column line_value: 'NaN' is not a number"),
    ("lines", {**LINE, "line_value": "nan"}, "column line_value: 'nan' is not a number"),
    ("lines", {**LINE, "line_value": ""}, "column line_value: empty where a value is required"),
    ("predictions", {**PICK, "line_value": "-1.5"}, "column line_value: '-1.5' is impossible; a line is 0 to 500"),
    (
        "predictions",
        {**PICK, "confidence_score": "250"},
        "column confidence_score: '250' is impossible; confidence is 0 to 1, or 0 to 100 in percent",
    ),
    ("predictions", {**PICK, "predicted_value": "lots"}, "column predicted_value: 'lots' is not a number"),
    (
        "predictions",
        {**PICK, "predicted_value": "Infinity"},
        "column predicted_value: 'Infinity' is not a number",
    ),
    (
        "predictions",
        {**PICK, "game_date": "17.01.2026"},
        "column game_date: '17.01.2026' is not a date; expected YYYY-MM-DD",
    ),
    (
        "predictions",
        {**PICK, "game_date": "2026-02-30"},
        "column game_date: '2026-02-30' is not a date; expected YYYY-MM-DD",
    ),
    (
        "predictions",
        {**PICK, "recommendation": "MAYBE"},
        "column recommendation: 'MAYBE' is no recommendation; expected OVER, UNDER, PASS, HOLD or NO_LINE",
    ),
    (
        "predictions",
        {**PICK, "created_at": "2026-01-17 15:00"},
        "column created_at: '2026-01-17 15:00' has no UTC offset; expected ISO 8601 with one, such as "
        "2026-01-17T19:00:00-05:00",
    ),
    ("predictions", {**PICK, "system_id": ""}, "column system_id: empty where a value is required"),
    (
        "predictions",
        {**PICK, "player_name": ""},
        "column player_lookup: empty where a player is required; give player_lookup or player_name",
    ),
    (
        "predictions",
        {**PICK, "over_price": "50"},
        "column over_price: '50' is no American odds; expected -100 and below or 100 and above, such as -110 for "
        "decimal odds of 1.91",
    ),
    ("actuals", {**BOX, "points": "999"}, "column points: '999' is impossible; expected -200 to 500"),
    ("actuals", {**BOX, "is_dnp": "perhaps"}, "column is_dnp: 'perhaps' is neither true nor false"),
]


@pytest.fixture(scope="module")
def empty_book(empty_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A book that stays empty, because nothing of a bad file lands."""
    command = Command(tmp_path_factory.mktemp("bad"))
    shutil.copytree(empty_folder, command.folder, dirs_exist_ok=True)
    return command


@pytest.mark.parametrize(("kind", "row", "problem"), BAD, ids=[problem for _, _, problem in BAD])
def test_bad_value_names_file_row_column_and_value(
    empty_book: Command, kind: str, row: dict[str, str], problem: str
) -> None:
    """The second of two rows is bad: the message quotes it and says what to do."""
    good = KINDS[kind][0]
    write_rows(empty_book.folder / "rows.csv", [{**dict.fromkeys(row, ""), **good}, row])

    found = empty_book.inside("load", kind, "rows.csv", code=1)

    assert found.out == ""
    assert [line for line in found.err.splitlines() if line] == [
        "error: 1 of 2 rows is bad:",
        f"  rows.csv row 2, {problem}",
        "       Nothing was loaded.",
        (
            "  next: Pass --timezone America/New_York if the instants are Eastern time, or the zone that they are in."
            if "UTC offset" in problem
            else "  next: Fix the file, or load the good rows and keep the bad ones aside: --on-bad-rows quarantine."
        ),
    ]


def test_date_in_year_20226_is_impossible(empty_book: Command) -> None:
    """The value is quoted, and the range of possible dates is told."""
    write_rows(empty_book.folder / "rows.csv", [{**PICK, "game_date": "20226-01-17"}])

    found = empty_book("load", "predictions", "rows.csv", code=1)

    assert found.err.splitlines()[1].startswith(
        "  rows.csv row 1, column game_date: '20226-01-17' is impossible; dates run from 1946-01-01 to 20"
    )


def test_unknown_column_is_named_with_what_may_be_meant(empty_book: Command) -> None:
    """Extra columns are an error, unless they are to be left out."""
    row = {**PICK, "colour": "red", "confidense_score": "1"}
    write_rows(empty_book.folder / "rows.csv", [row])

    found = empty_book("load", "predictions", "rows.csv", code=1)

    assert found.err.splitlines() == [
        'error: rows.csv: unknown columns "colour", "confidense_score" (did you mean confidence_score?).',
        "       Nothing was loaded.",
        "  next: Load it with --ignore-extra to leave such columns out, or map them with --select.",
    ]


def test_missing_column_is_named(empty_book: Command) -> None:
    """What a kind needs and a file lacks."""
    write_rows(empty_book.folder / "rows.csv", [{k: v for k, v in PICK.items() if k != "predicted_value"}])

    assert "the column predicted_value is missing" in empty_book.inside("load", "predictions", "rows.csv", code=1).err


def test_foreign_layout_is_recognised(empty_book: Command) -> None:
    """A file that some preset would read says which."""
    header = "PLAYER_NAME,TEAM_ABBREVIATION,GAME_ID,GAME_DATE,MATCHUP,MIN,PTS,REB,AST"
    empty_book.write("log.csv", f"{header}\nLuka Doncic,LAL,0022500600,2026-01-17,LAL @ BOS,36,30,9,11\n")

    found = empty_book("load", "actuals", "log.csv", code=1)

    assert "  next: This looks like nba_api.league_game_log: add --source nba_api.league_game_log." in found.err


def test_several_bad_rows_are_counted_and_the_first_ones_shown(empty_book: Command) -> None:
    """Seven bad rows of eight: five are shown."""
    write_rows(empty_book.folder / "rows.csv", [PICK] + [{**PICK, "line_value": f"x{n}"} for n in range(7)])

    lines = [line for line in empty_book("load", "predictions", "rows.csv", code=1).err.splitlines() if line]

    assert lines[0] == "error: 7 of 8 rows are bad:"
    assert lines[1:6] == [f"  rows.csv row {n + 2}, column line_value: 'x{n}' is not a number" for n in range(5)]
    assert lines[6] == "  ..."


def test_error_as_json(empty_book: Command) -> None:
    """The same in one object on stdout."""
    write_rows(empty_book.folder / "rows.csv", [{**PICK, "line_value": "NaN"}])

    error = empty_book("load", "predictions", "rows.csv", "--json", code=1).json()["error"]

    assert (error["kind"], error["exit_code"], error["state"]) == ("InputError", 1, "Nothing was loaded.")
    assert "rows.csv row 1, column line_value: 'NaN' is not a number" in error["message"]


def test_nothing_of_a_bad_file_lands(empty_book: Command) -> None:
    """Not even its good rows: after all the bad files above, tables and ledger are empty."""
    write_rows(empty_book.folder / "rows.csv", [PICK, {**PICK, "line_value": "NaN"}])
    empty_book("load", "predictions", "rows.csv", code=1)

    counts = [f"(SELECT count(*) FROM {table})" for _, table in KINDS.values()]
    assert empty_book.query(f"SELECT {' + '.join(counts)} AS n, (SELECT count(*) FROM ledger) AS entries") == [
        {"n": 0, "entries": 0}
    ]


def test_quarantine_keeps_bad_rows_with_their_reasons(book: Command) -> None:
    """Good rows land, bad ones are kept as they stood and counted; the ledger knows both numbers."""
    bad = {**PICK, "line_value": "NaN", "confidence_score": "250"}
    write_rows(book.folder / "rows.csv", [PICK, bad])

    report = book("load", "predictions", "rows.csv", "--on-bad-rows", "quarantine", "--json").json()
    (kept,) = book.query("SELECT kind, load_id, file, file_row, reasons, row_json FROM quarantined_rows")

    assert (report["status"], report["rows"], report["quarantined"]) == ("loaded", 1, 1)
    assert json.loads(kept.pop("row_json")) == bad
    assert kept == {
        "kind": "predictions",
        "load_id": report["load_id"],
        "file": "rows.csv",
        "file_row": 2,
        "reasons": "confidence_score: '250' is impossible; confidence is 0 to 1, or 0 to 100 in percent; "
        "line_value: 'NaN' is not a number",
    }
    details = json.loads(book.query("SELECT details FROM loads")[0]["details"])
    assert (details["rows_read"], details["quarantined"]) == (2, 1)


def test_quarantine_says_where_to_look(book: Command) -> None:
    """The person is told the query that shows the bad rows; it works."""
    write_rows(book.folder / "rows.csv", [PICK, {**PICK, "line_value": "NaN"}])

    found = book("load", "predictions", "rows.csv", "--on-bad-rows", "quarantine")

    assert '  1 bad rows in quarantine; gradeonce sql "FROM quarantined_rows"' in found.out.splitlines()
    assert len(book.query("FROM quarantined_rows")) == 1


def test_bare_instants_need_a_timezone(book: Command) -> None:
    """With --timezone a bare instant means that zone, across DST: 15:00 in January is 20:00 UTC."""
    write_rows(book.folder / "rows.csv", [{**PICK, "created_at": "2026-01-17 15:00:00"}])

    book.inside("load", "predictions", "rows.csv", "--timezone", "America/New_York")

    assert book.query("SELECT created_at FROM player_prop_predictions") == [{"created_at": "2026-01-17T20:00:00Z"}]


def test_mapping_of_ones_own(book: Command) -> None:
    """--select reads any layout with one SELECT over {rows}; --ignore-extra leaves out what is not ours."""
    book.write("odd.csv", "who,when,pts\nLuka Dončić,2026-01-17,27.5\n")
    book.write(
        "mapping.sql",
        "SELECT 'mine' AS system_id, who AS player_name, pts AS predicted_value, _file, _row, "
        "game_code(\"when\", 'LA Lakers', 'Boston Celtics') AS game_id FROM {rows}",
    )

    book.inside("load", "predictions", "odd.csv", "--select", "mapping.sql")

    assert book.query("SELECT system_id, player_lookup, game_id, market FROM player_prop_predictions") == [
        {"system_id": "mine", "player_lookup": "lukadoncic", "game_id": "20260117_LAL_BOS", "market": "points"}
    ]


def test_line_and_recommendation_are_filled_in(book: Command) -> None:
    """The last line before the prediction's instant; above it is OVER. A later line does not count."""
    later = {**LINE, "line_value": "29.5", "observed_at": "2026-01-17T18:00:00Z"}
    write_rows(book.folder / "lines.csv", [LINE, later])
    bare = {k: v for k, v in PICK.items() if k not in ("line_value", "recommendation")}
    write_rows(book.folder / "picks.csv", [{**bare, "created_at": "2026-01-17T15:00:00Z"}])
    book.inside("load", "lines", "lines.csv")

    book.inside(
        "load", "predictions", "picks.csv", "--line-from", "lines", "--book", "FanDuel", "--derive-recommendation"
    )

    assert book.query("SELECT line_value, bookmaker, recommendation FROM player_prop_predictions") == [
        {"line_value": 26.5, "bookmaker": "fanduel", "recommendation": "OVER"}
    ]
    other = book("load", "predictions", "picks.csv", "--line-from", "lines", "--book", "nobody", code=64)
    assert "No line of 'nobody' is loaded." in other.err
    assert "Loaded: fanduel, or consensus for all of them." in other.err


def test_missing_file_is_named(empty_book: Command) -> None:
    """A slip in the name of a file is said in words."""
    found = empty_book("load", "predictions", "none.csv", code=1)

    assert found.err.splitlines()[0] == "error: none.csv: cannot be read (No such file or directory)."


def test_sources_are_listed(gradeonce: Command) -> None:
    """Every preset that the issue names, each with what it loads; of one, its text."""
    listed = {source["name"]: source["kinds"] for source in gradeonce("sources", "--json").json()["sources"]}

    assert listed == {
        "api_sports.player_statistics": ["actuals"],
        "bref.box_scores": ["actuals"],
        "gradeonce": ["predictions", "actuals", "injuries", "lines"],
        "nba.injury_report": ["injuries"],
        "nba_api.box_score_traditional_v3": ["actuals"],
        "nba_api.league_game_log": ["actuals"],
        "odds_api.player_props": ["lines"],
        "prizepicks.board": ["lines"],
    }
    assert all(name in gradeonce("sources").out for name in listed)
    assert "FROM {rows}" in gradeonce("sources", "prizepicks.board").out
    assert "There is no source 'prizepick'." in gradeonce("sources", "prizepick", code=64).err
