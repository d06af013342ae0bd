"""A book in BigQuery by the command: the golden cases get the same grades as in a folder, and every command works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from acceptance.command import TIMEOUT_SECONDS, Command
from acceptance.test_golden_cases import CASES, DAY, GIVEN, load_and_grade
from bigquery_edge import Answer, Edge, Sent
from bigquery_locations import Locations
from servers import BigQuery

STANDS = (
    "SELECT table_name, partition, rows, content_hash FROM publish_fences "
    "WHERE table_name IN ('prediction_accuracy', 'system_daily_performance') AND rows > 0 ORDER BY 1, 2"
)
BOOK, FAR_AWAY = "bigquery://demo/golden_cases", "europe-west1"
BILLED, SLOTS, TEBIBYTE = 10 * 1024**2, 250, 1024**4


def billed(sent: Sent, answer: Answer) -> Answer:
    """Let every job have billed the same, and every dry run foresee 1 TiB: the emulator says 0 to both."""
    if "statistics" in answer[1]:
        statistics = answer[1]["statistics"]
        bytes_read = str(TEBIBYTE if sent.job and sent.job.get("dryRun") else 0)
        of_query = {"totalBytesBilled": str(BILLED), "totalBytesProcessed": bytes_read, "totalSlotMs": str(SLOTS)}
        statistics["query"] = {**statistics.get("query", {}), **of_query}
        statistics["totalBytesProcessed"] = bytes_read
    return answer


@dataclass(frozen=True)
class Books:
    """The golden cases, loaded and graded in a folder and in BigQuery, and what went to BigQuery for that."""

    here: Command
    there: Command
    sent: list[Sent]
    locations: Locations


@pytest.fixture(scope="module")
def books(bigquery: BigQuery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """Both books; that in BigQuery was made by two processes at once, far from where jobs run that do not say where."""
    with Edge(bigquery) as edge:
        locations = Locations()
        edge.instead = locations.instead
        edge.after = lambda sent, answer: billed(sent, locations.after(sent, answer))
        there = Command(
            tmp_path_factory.mktemp("there"),
            BIGQUERY_EMULATOR_HOST=edge.url,
            GRADEONCE_WAREHOUSE_BOOK=f"{BOOK}?location={FAR_AWAY}",
            GRADEONCE_LOCK_STORE="off",
        )
        here = Command(tmp_path_factory.mktemp("here"))
        make_twice_at_once(there)
        for command in (here, there):
            load_and_grade(command)
        yield Books(here, there, edge.sent, locations)


def make_twice_at_once(command: Command) -> None:
    """Run `gradeonce init` in two processes, each in a folder of its own."""
    makers = []
    for name in ("one", "two"):
        (command.folder / name).mkdir()
        makers.append(
            subprocess.Popen(
                [sys.executable, "-m", "gradeonce", "init"],
                cwd=command.folder / name,
                env={"PATH": "/usr/bin:/bin", **command.environment},
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                encoding="utf-8",
            )
        )
    for maker in makers:
        told = maker.communicate(timeout=TIMEOUT_SECONDS)[1]
        assert maker.returncode == 0, told


def test_golden_cases_get_the_same_grades(books: Books) -> None:
    """Every value of every grade and of every daily sum; the ledger holds; grading again changes nothing."""
    here, there = (command.inside("sql", STANDS, "--csv").rows() for command in (books.here, books.there))
    assert len(here) == 2
    assert there == here

    assert books.there("grade", DAY, "--json").json()["runs"][0]["status"] == "unchanged"
    books.there.inside("ledger", "verify", "--deep")
    books.there.inside("init", "--check")


def test_the_book_is_where_the_url_says(books: Books) -> None:
    """Every job of every command was sent there; a URL that does not say finds it; one that says otherwise is told."""
    assert set(books.locations.datasets.values()) == {FAR_AWAY}
    assert len(books.locations.jobs) >= 10

    silent, wrong = BOOK, f"{BOOK}?location=US"
    books.there.inside("--book", silent, "init", "--check")
    failed = books.there.inside("--book", wrong, "grade", DAY, code=78)

    assert f"demo.golden_cases is in {FAR_AWAY}, and [warehouse] book says ?location=US" in failed.err
    assert f"?location={FAR_AWAY}" in failed.err
    assert books.locations.refused == []


def test_a_file_is_sent_to_a_table_that_expires(books: Books) -> None:
    """The table is made with its expiration before the load job fills it; nothing is streamed."""
    made = [sent for sent in books.sent if sent.sql.startswith("CREATE TABLE `staging_")]
    assert len(made) >= 4
    assert all("OPTIONS (expiration_timestamp" in sent.sql for sent in made)
    loads = [place for place, sent in enumerate(books.sent) if "/upload/" in sent.path and sent.method == "POST"]
    assert len(loads) == len(made)
    assert all(books.sent.index(table) < load for table, load in zip(made, loads, strict=True))
    assert not [sent.path for sent in books.sent if sent.path.endswith("/insertAll")]


def test_a_run_says_what_it_cost(books: Books) -> None:
    """Bytes billed and slot time since the publish before, newest first."""
    second, first = books.there.inside("runs", "--json", "--last", "2").json()["runs"]

    assert (second["status"], first["status"]) == ("unchanged", "published")
    for run in (first, second):
        queries, rest = divmod(run["bytes_billed"], BILLED)
        assert (rest, run["slot_milliseconds"]) == (0, queries * SLOTS)
        assert 5 <= queries <= 25
    assert "published" in books.there.inside("runs", DAY).out


def test_a_grading_is_estimated_by_dry_runs(books: Books) -> None:
    """Four statements read inputs, a TiB each here; the money is theirs; nothing is run for it."""
    before = len(books.sent)
    found = books.there.inside("grade", DAY, "--estimate", "--price", "6.25", "--json").json()

    assert found == {
        "schema_version": found["schema_version"], "dates": 1, "bytes_read": 4 * TEBIBYTE,
        "price_per_tebibyte": 6.25, "cost": 25.0,
    }  # fmt: skip
    asked = [sent.job.get("dryRun") for sent in books.sent[before:] if sent.job and "prediction" in sent.sql]
    assert asked == [True, True, True]
    told = books.there("grade", "--all", "--estimate", GRADEONCE_WAREHOUSE_PRICE_PER_TEBIBYTE="2").out
    assert told == "1 date(s) with predictions: reads 4,398,046,511,104 bytes, which cost 8.000000 at 2 per TiB\n"
    assert books.there.inside("grade", "2020-01-01", "--estimate").out == "0 date(s) with predictions: reads 0 bytes\n"
    refused = books.here.inside("grade", DAY, "--estimate", code=64)
    assert "reading it costs nothing" in refused.err


def test_bad_rows_stop_a_load(books: Books) -> None:
    """The row and the reason are told, nothing of the file lands, and the same good file twice is no second load."""
    command = books.there
    head, good = ",".join(GIVEN), ",".join(CASES[0][name] for name in GIVEN)
    path = command.write("bad.csv", f"{head}\n{good}\n{good.replace(DAY, 'someday', 1)}\n")

    failed = command("load", "predictions", path, code=1)

    assert "row 2, column game_date: 'someday'" in failed.err
    assert "Nothing was loaded" in failed.err
    assert "loaded before" in command("load", "actuals", Path(__file__).with_name("golden") / "box_scores.csv").out


def test_explain_report_and_sql_show_the_same_as_in_a_folder(books: Books) -> None:
    """Figures, words and rows; only what names the run or tells the time may differ."""
    here, there = (command.inside("report", "--json").json() for command in (books.here, books.there))
    assert there.pop("data_at") > here.pop("data_at")
    assert there == here
    here, there = (command.inside("explain", "overwins", DAY).out for command in (books.here, books.there))
    for word in ("win", "22.5", "27"):
        assert word in there
    assert len(there.splitlines()) == len(here.splitlines())
    query = "SELECT outcome, COUNT(*) AS n FROM prediction_accuracy GROUP BY outcome ORDER BY outcome"
    here, there = (command.inside("sql", query, "--csv").rows() for command in (books.here, books.there))
    assert there == here
    query = "SELECT system_id, picks, wins, CAST(round(mae * 1000000) AS INTEGER) AS mae FROM system_summary ORDER BY 1"
    here, there = (command.inside("sql", query, "--csv").rows() for command in (books.here, books.there))
    assert there == here
    failed = books.there.inside("sql", "SELECT nothing FROM prediction_accuracy", code=64)
    assert "not valid" in failed.err


def test_leases_need_a_place_of_their_own(bigquery: BigQuery, tmp_path: Path) -> None:
    """With no lock store named, the message says where leases may live."""
    command = Command(
        tmp_path, BIGQUERY_EMULATOR_HOST=bigquery.url, GRADEONCE_WAREHOUSE_BOOK="bigquery://demo/no_leases"
    )

    failed = command("grade", "2026-01-17", code=78)

    assert "[lock] store" in failed.err


@pytest.mark.parametrize("url", ["bigquery://demo", "bigquery:///book", "bigquery://demo/a/b"])
def test_a_book_needs_a_project_and_a_dataset(tmp_path: Path, url: str) -> None:
    """Anything else is a mistake in the configuration."""
    failed = Command(tmp_path, GRADEONCE_WAREHOUSE_BOOK=url).inside("init", code=78)

    assert "bigquery://PROJECT/DATASET" in failed.err
