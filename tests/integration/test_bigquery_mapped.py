"""Tables of the user's own in BigQuery that stand for ours: in another project, under other names, of other types."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import gradeonce
from builders import land_actuals, ledger_findings
from gradeonce.book import Book
from gradeonce.errors import RefusedForSafety
from gradeonce.schema import ACCURACY, Table
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse
from servers import BigQuery

DAY = "2026-01-01"
URL = "bigquery://demo/mapped_book"

# The emulator writes to one project in a transaction, so what is graded into is in the book's own.
PIPELINE = """
CREATE SCHEMA `demo`.warehouse;
CREATE SCHEMA `their-project`.`analytics`;
CREATE TABLE `their-project`.analytics.predictions (
    system_id STRING NOT NULL, player_lookup STRING NOT NULL, game_id STRING NOT NULL, game_date DATE NOT NULL,
    predicted_points FLOAT64 NOT NULL, current_points_line NUMERIC, recommendation STRING, confidence FLOAT64,
    made_at TIMESTAMP, run_number INT64 NOT NULL
) PARTITION BY game_date OPTIONS (require_partition_filter = TRUE);
CREATE TABLE `their-project`.analytics.box (
    player_lookup STRING NOT NULL, game_id STRING NOT NULL, game_date DATE NOT NULL, points INT64, minutes NUMERIC,
    is_dnp BOOL, seen_at TIMESTAMP
);
INSERT INTO `their-project`.analytics.predictions VALUES
    ('alpha', 'anna', 'game0', '2026-01-01', 20.25, 10.5, 'OVER', 0.75, '2026-01-01 17:00:00+00', 1),
    ('alpha', 'anna', 'game0', '2026-01-01', 21.5, 10.5, 'OVER', 0.75, '2026-01-01 18:00:00+00', 2),
    ('alpha', 'bert', 'game0', '2026-01-01', 20, NULL, 'PASS', NULL, '2026-01-01 17:00:00+00', 3),
    ('alpha', 'carl', 'game0', '2026-01-01', 20, 11, 'UNDER', 0.5, NULL, 4),
    ('alpha', 'carl', 'game0', '2026-01-01', 20, 11, 'UNDER', 0.5, NULL, 4),
    ('alpha', 'dora', 'game0', '2026-01-01', 20, 11, 'UNDER', 0.5, NULL, 5);
INSERT INTO `their-project`.analytics.box VALUES
    ('anna', 'game0', '2026-01-01', 11, 30, NULL, '2026-01-02 05:00:00+00'),
    ('bert', 'game0', '2026-01-01', 11, 30, NULL, NULL), ('carl', 'game0', '2026-01-01', 11, 30, false, NULL),
    ('dora', 'game0', '2026-01-01', 0, NULL, NULL, NULL)
"""

NAMES = {
    "player_prop_predictions": "their-project.analytics.predictions",
    "player_game_actuals": "their-project.analytics.box",
    "prediction_accuracy": "warehouse.grades",
}
COLUMNS = {
    "player_prop_predictions": {
        "predicted_value": "predicted_points",
        "line_value": "current_points_line",
        "confidence_score": "confidence",
        "created_at": "made_at",
    },
    "player_game_actuals": {"actual_value": "points", "minutes_played": "minutes", "recorded_at": "seen_at"},
    "prediction_accuracy": {"line_value": "prop_line", "game_date": "day"},
}


@pytest.fixture
def theirs(bigquery: BigQuery, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A dataset of the user's own in another project, and a connection of his; gone at the end."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    connection = Connection("bigquery://their-project/analytics")
    connection.execute(PIPELINE)
    yield connection
    connection.execute(
        "DROP SCHEMA `their-project`.analytics CASCADE; DROP SCHEMA IF EXISTS `demo`.mapped_book CASCADE"
    )
    connection.close()


def their_table(table: Table, names: dict[str, str], without: str = "") -> str:
    """Return what makes a table with the columns of ours, under the user's names, and one column more."""
    columns = ", ".join(
        f"{names.get(column.name, column.name)} {BIGQUERY_TYPES[column.type]}"
        for column in table.columns
        if column.name != without
    )
    day = names.get(table.partition, table.partition)
    return f"CREATE TABLE `demo`.warehouse.grades ({columns}, note STRING) PARTITION BY {day}"


def outcomes(book: Book) -> list[tuple[Any, ...]]:
    return book.sql(
        "SELECT player_lookup, outcome, line_value, absolute_error, confidence_decile "
        "FROM prediction_accuracy ORDER BY player_lookup"
    ).rows


@pytest.mark.usefixtures("all_bigquery")
def test_a_pipelines_predictions_are_graded_into_a_table_of_its_own(theirs: Connection) -> None:
    """Nothing is loaded; what moves is noticed; a correction changes one row; the ledger holds over the table."""
    # What is missing is told line by line, and init refuses with the same.
    theirs.execute(their_table(ACCURACY, COLUMNS["prediction_accuracy"], without="filter_reason"))
    wrong = {**COLUMNS, "player_game_actuals": {"actual_value": "goals", "minutes_played": "minutes"}}
    BigQueryWarehouse.create(URL)
    lacking = BigQueryWarehouse.missing(URL, names=NAMES, columns=wrong)
    assert lacking == [
        "player_prop_predictions: their-project.analytics.predictions does not stand for it yet, or not as it now is; "
        "`gradeonce init` sees to it",
        "player_game_actuals: their-project.analytics.box has no column goals, which [columns] names for actual_value",
        "prediction_accuracy: warehouse.grades has no column filter_reason (name yours in [columns], or: "
        "ALTER TABLE `demo`.`warehouse`.`grades` ADD COLUMN `filter_reason` STRING)",
    ]
    with pytest.raises(RefusedForSafety, match="has no column goals"):
        BigQueryWarehouse.create(URL, names=NAMES, columns=wrong)
    theirs.execute("ALTER TABLE `demo`.warehouse.grades ADD COLUMN `filter_reason` STRING")

    assert BigQueryWarehouse.create(URL, names=NAMES, columns=COLUMNS) is True
    assert BigQueryWarehouse.create(URL, names=NAMES, columns=COLUMNS) is False
    assert BigQueryWarehouse.missing(URL, names=NAMES, columns=COLUMNS) == []
    with gradeonce.open(URL, store="off", threads=1) as book:
        assert book.grade(DAY).worst_error is None
        # 21.5 was predicted last; carl's prediction stands twice and counts once; dora has 0 points and no minutes.
        assert outcomes(book) == [
            ("anna", "win", Decimal("10.5"), Decimal("10.5"), 8),
            ("bert", "no_bet", None, Decimal(9), None),
            ("carl", "push", Decimal(11), Decimal(9), 6),
            ("dora", "void", Decimal(11), Decimal(20), 6),
        ]
        assert [(status.state, status.prediction_rows) for status in book.status()] == [("graded", 6)]
        assert ledger_findings(book.warehouse) == ()

        theirs.execute("UPDATE box SET points = 12, seen_at = CURRENT_TIMESTAMP() WHERE player_lookup = 'carl'")
        assert [status.reasons for status in book.status()] == [("box scores were loaded since",)]
        assert book.grade(DAY).runs[0].revised == 1
        with pytest.raises(
            RefusedForSafety, match="Something else fills the table that stands for player_game_actuals"
        ):
            land_actuals(book, 1, 1, points=3)
        assert ledger_findings(book.warehouse) == ()

    stands = theirs.query(
        "SELECT player_lookup, outcome, prop_line, note FROM `demo`.warehouse.grades WHERE day = $day ORDER BY 1",
        {"day": DAY},
    )
    assert [(player, outcome) for player, outcome, _, _ in stands.rows] == [
        ("anna", "win"), ("bert", "no_bet"), ("carl", "loss"), ("dora", "void"),
    ]  # fmt: skip
    # The view of our name shows the same to whoever looks at the dataset.
    seen = theirs.query("SELECT COUNT(*) FROM `demo`.mapped_book.prediction_accuracy WHERE game_date = '2026-01-01'")
    assert seen.rows == [(4,)]
