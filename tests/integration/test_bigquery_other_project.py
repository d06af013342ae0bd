"""A book whose predictions, box scores and grades are in tables of another project, in another part of the world.

The emulator keeps grades and all else; see `bigquery_projects` for what stands in for the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.command import Command
from acceptance.test_bigquery_grades import STANDS
from acceptance.test_golden_cases import DAY, GOLDEN, load_and_grade
from bigquery_edge import Edge
from bigquery_locations import Locations
from bigquery_projects import THEIRS, OtherProject
from gradeonce.schema import ACCURACY, ACTUALS, PREDICTIONS, Table
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.state import as_script
from servers import BigQuery

FAR_AWAY = "europe-west4"
SETTINGS = f"""
[tables]
player_prop_predictions = "{THEIRS}.nba_predictions.player_prop_predictions"
player_game_actuals = "{THEIRS}.nba_raw.player_game_summary"
prediction_accuracy = "{THEIRS}.nba_predictions.prediction_accuracy"

[columns.player_prop_predictions]
line_value = "current_points_line"
predicted_value = "predicted_points"

[columns.player_game_actuals]
actual_value = "points"
"""
RENAMED = {
    "line_value": "current_points_line",
    "predicted_value": "predicted_points",
    "actual_value": "points",
}


def made(name: str, table: Table, *, renamed: bool) -> str:
    """Return what makes a table of theirs, as their pipeline did."""
    names = RENAMED if renamed else {}
    columns = ", ".join(f"`{names.get(c.name, c.name)}` {BIGQUERY_TYPES[c.type]}" for c in table.columns)
    return f"CREATE TABLE {name} ({columns}) PARTITION BY game_date OPTIONS (require_partition_filter = TRUE)"


@pytest.fixture(scope="module")
def project(bigquery: BigQuery) -> Iterator[tuple[OtherProject, Locations, Edge]]:
    """The other project with its tables, and the way to it."""
    theirs = [
        "CREATE SCHEMA `demo`.nba_raw",
        "CREATE SCHEMA `demo`.nba_predictions",
        made("`demo`.nba_raw.player_game_summary", ACTUALS, renamed=True),
        made("`demo`.nba_predictions.player_prop_predictions", PREDICTIONS, renamed=True),
        made("`demo`.nba_predictions.prediction_accuracy", ACCURACY, renamed=False),
    ]
    with pytest.MonkeyPatch.context() as patch, Edge(bigquery) as edge:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        connection = Connection("bigquery://demo/nba_raw")
        connection.execute(as_script(theirs))
        other, locations = OtherProject("nba_raw", "nba_predictions"), Locations()
        locations.datasets |= dict.fromkeys(other.datasets, FAR_AWAY)
        edge.instead = lambda sent: other.instead(sent) or locations.instead(sent)
        edge.passed_as = other.passed_as
        edge.after = lambda sent, answer: other.after(sent, locations.after(sent, answer))
        yield other, locations, edge
        for dataset in (*other.datasets, "our_ledger", "elsewhere"):
            Connection(f"bigquery://demo/{dataset}").delete_dataset()
        connection.close()


def command(folder: Path, edge: Edge, book: str) -> Command:
    """Return the command with their tables in its settings."""
    found = Command(folder, BIGQUERY_EMULATOR_HOST=edge.url, GRADEONCE_WAREHOUSE_BOOK=book, GRADEONCE_LOCK_STORE="off")
    found.write("gradeonce.toml", SETTINGS)
    return found


@pytest.mark.usefixtures("all_bigquery")
def test_a_book_over_tables_of_another_project(
    project: tuple[OtherProject, Locations, Edge], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Loaded, graded and shown as in a folder; the ledger and all that is staged are ours, and every job is."""
    other, locations, edge = project
    here = Command(tmp_path_factory.mktemp("here"))
    there = command(tmp_path_factory.mktemp("there"), edge, f"bigquery://demo/our_ledger?location={FAR_AWAY}")

    assert "the dataset our_ledger holds no book" in there.inside("init", "--check", code=1).out
    load_and_grade(there)
    load_and_grade(here)
    there.inside("init", "--check")

    assert there.inside("sql", STANDS, "--csv").rows() == here.inside("sql", STANDS, "--csv").rows()
    reports = [one.inside("report", "--json").json() for one in (here, there)]
    assert reports[0].pop("data_at") != reports[1].pop("data_at")
    assert reports[0] == reports[1]
    assert there.inside("grade", DAY, "--json").json()["runs"][0]["status"] == "unchanged"
    assert there.inside("grade", DAY, "--dry-run", "--json").json()["runs"][0]["status"] == "unchanged"
    there.inside("grade", DAY, "--estimate")
    there.inside("explain", "overwins", DAY)
    there.inside("ledger", "verify", "--deep")
    there.inside("dedupe", "plan", "--table", f"{THEIRS}.nba_predictions.prediction_accuracy")
    assert "loaded before" in there.inside("load", "actuals", GOLDEN / "box_scores.csv").out

    # Each table was named as theirs, quoted; nothing was asked of theirs but their tables, no job run or paid there.
    assert (other.refused, locations.refused) == ([], [])
    assert other.named == {
        ("nba_raw", "player_game_summary"),
        ("nba_predictions", "player_prop_predictions"),
        ("nba_predictions", "prediction_accuracy"),
    }
    jobs = [sent for sent in edge.sent if sent.job]
    assert len(jobs) > 40
    assert all("/projects/demo/" in sent.path for sent in jobs)
    staged = [name for sent in jobs for name in sent.sql.split() if "staging_" in name and THEIRS in name]
    assert staged == []
    loads = [sent for sent in edge.sent if "/upload/" in sent.path and sent.method == "POST"]
    filled = {sent.body["configuration"]["load"]["destinationTable"]["datasetId"] for sent in loads}
    assert (len(loads) >= 4, filled) == (True, {"our_ledger"})
    commits = [sent.sql for sent in jobs if "COMMIT TRANSACTION" in sent.sql and f"DELETE FROM `{THEIRS}`" in sent.sql]
    assert len(commits) == 1
    assert "UPDATE ledger_head" in commits[0]


@pytest.mark.usefixtures("all_bigquery")
def test_tables_in_another_location_are_told_line_by_line(
    project: tuple[OtherProject, Locations, Edge], tmp_path: Path
) -> None:
    """No statement reaches both, so `init` makes nothing; a book that is told nowhere goes where they are."""
    _, locations, edge = project
    there = command(tmp_path, edge, "bigquery://demo/elsewhere?location=US")

    lines = there.inside("init", "--check", code=1).out
    failed = there.inside("init", code=6)

    assert lines.count(f"is in {FAR_AWAY} and the book in US: no statement reaches both") == 3
    assert f"is in {FAR_AWAY} and the book in US" in failed.err
    assert "elsewhere" not in locations.datasets
    assert "the book in" not in there.inside("--book", "bigquery://demo/elsewhere", "init", "--check", code=1).out
    there.inside("--book", "bigquery://demo/elsewhere", "init")
    assert locations.datasets["elsewhere"] == FAR_AWAY
