"""Every statement that BigQuery is given is one there: judged by a dry run, or run where a dry run does not look.

What the core asks (rules, grading, reports, explain, looking) is recorded while a book in a folder does it, and judged
in BigQuery's spelling over the empty tables of a book there. They all want a partition filter, so a statement that
passes has one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from acceptance.command import Command
from acceptance.test_golden_cases import CASES, DAY, GIVEN, GOLDEN
from gradeonce.errors import UsageError
from gradeonce.model import Query
from gradeonce.schema import (
    ACCURACY,
    ACTUALS,
    DAILY_PERFORMANCE,
    PREDICTIONS,
    REVISIONS,
    ROW_TABLES,
    SMALL_TABLES,
    VIEWS,
)
from gradeonce.statements import statement, statements
from gradeonce.views import view_texts
from gradeonce.warehouses.bigquery import layout
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.mapped import held
from gradeonce.warehouses.bigquery.rows import columns_of, identified, literal, quoted, scoped, within
from gradeonce.warehouses.bigquery.spelling import spelled
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse
from gradeonce.warehouses.embedded.snapshot import EngineReader
from gradeonce.warehouses.embedded.stage import EmbeddedStage
from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse
from servers import BigQuery

URL = "bigquery://demo/statements"
OWN = "gradeonce.warehouses.bigquery.sql"


@dataclass(frozen=True)
class Asked:
    """A statement of the core's. Any: whatever it binds."""

    sql: str
    params: Mapping[str, Any]


@pytest.fixture(scope="module")
def connection(bigquery: BigQuery) -> Iterator[Connection]:
    """A connection to an empty book that has every table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        BigQueryWarehouse.create(URL)
        found = Connection(URL)
        yield found
        found.delete_dataset()
        found.close()


def recorded(command: Command) -> list[Asked]:
    """Return what the core asks of a warehouse that cannot compare texts, from an empty book to a regraded date."""
    asked: dict[str, Asked] = {}

    def noting(function: Any, place: int) -> Any:
        # Any: methods of several kinds.
        def noted(self: Any, *given: Any, **named: Any) -> Any:
            sql, params = given[place], next(iter(given[place + 1 :]), None)
            found = Asked(sql.sql, sql.params) if isinstance(sql, Query) else Asked(sql, params or {})
            asked[found.sql] = found
            return function(self, *given, **named)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EmbeddedStage, "compares_texts", False)
        for kind, name, place in (
            (EmbeddedStage, "query", 0),
            (EmbeddedStage, "derive", 1),
            (EmbeddedWarehouse, "stage", 1),
            (EngineReader, "query", 0),
        ):
            patch.setattr(kind, name, noting(getattr(kind, name), place))
        use(command)
    # Of the engine's own: how a folder writes JSON differs.
    return [found for found in asked.values() if "to_json" not in found.sql]


def use(command: Command) -> None:
    """Load, grade, correct, grade again, and look at all of it."""
    rows = [",".join(GIVEN), *(",".join(case[name] for name in GIVEN) for case in CASES)]
    path = command.write("predictions.csv", "\n".join(rows) + "\n")
    for arguments in (
        ("init",),
        ("load", "predictions", path),
        ("grade", DAY),
        ("report",),
        ("load", "actuals", GOLDEN / "box_scores.csv"),
        ("load", "injuries", GOLDEN / "injuries.csv"),
        ("grade", DAY, "--dry-run"),
        ("grade", DAY),
        ("load", "actuals", GOLDEN / "box_scores_later.csv"),
        ("grade", DAY, "--dry-run"),
        ("grade", DAY),
        ("report",),
        ("report", "--calibration"),
        ("report", "--compare", "alpha", "beta"),
        ("report", "--by", "market", "--from", DAY, "--to", DAY),
        ("status",),
        ("runs", DAY),
        ("explain", "corrected", DAY),
        ("explain", "nobody", DAY),
        ("explain", "--id", "g001"),
        ("ready", DAY),
    ):
        command.inside(*arguments, code=1 if arguments[0] == "ready" else 0)


def relations(connection: Connection) -> dict[str, str]:
    """Return a SELECT without rows for everything that a statement may name."""
    found = {table.name: held(connection, table).rows() for table in ROW_TABLES}
    marked = "SELECT r.*, '' AS row_key, '' AS row_md5 FROM ({rows}) AS r"
    found |= {name: marked.format(rows=found[ACCURACY.name]) for name in ("staged", "old")}
    found["revisions"] = found[REVISIONS.name]
    daily = DAILY_PERFORMANCE.name
    found[f"staged_{daily}"] = marked.format(rows=found[daily])
    found |= {name: layout.view_text(name, "ledger") for name in ("grading_runs", "loads")}
    return found | {
        name: f"SELECT * FROM {quoted(name)}" for name in (*(t.name for t in SMALL_TABLES), "publish_fences")
    }


def judge(connection: Connection, sql: str, params: Mapping[str, Any]) -> str:
    """Return what BigQuery has against a statement of the core's; empty: nothing."""
    text = spelled(sql, params)
    words = set(re.findall(r"\w+", text))
    needed = {name: select for name, select in relations(connection).items() if name in words}
    try:
        connection.estimate(scoped(text, needed), params, ours=False)
    except UsageError as error:
        return f"{error.message}\n{text}"
    return ""


APART = {
    # A folder writes the key as JSON in words of its own.
    ("gradeonce.rules", "validate.sql", "first_changes"): ("{}", {"key_json": "'{}'"}, {"dates": [date(2026, 1, 17)]}),
    # Asked only about games that were moved twice.
    ("gradeonce.rules", "select.sql", "picked_on"): (
        "{}", {"grades": ACCURACY.name, "predictions": PREDICTIONS.name},
        {"graded": [date(2026, 1, 17)], "dates": [date(2026, 1, 18)]},
    ),
    # An expression that goes to the comparison of what is staged with what stands.
    ("gradeonce.rules", "revise.sql", "reason"): ("SELECT {} FROM old JOIN staged AS new USING (row_key)", {}, {}),
}  # fmt: skip
"""Statements of the core's that a folder is asked otherwise: what is around them, slots and values."""


def test_every_statement_of_the_core_is_one_there(connection: Connection, tmp_path: Path) -> None:
    """Dry runs accept all of them; no statement of rules and reports was left out."""
    asked = recorded(Command(tmp_path))

    wrong = [said for found in asked if (said := judge(connection, found.sql, found.params))]
    assert not wrong, f"{len(wrong)} of {len(asked)}:\n" + "\n\n".join(wrong)

    whole = "\n".join(" ".join(found.sql.split()) for found in asked)
    missed = [
        (package, filename, name)
        for package in ("gradeonce.rules", "gradeonce.reports")
        for filename in sorted(
            path.name for path in Path(__import__(package, fromlist=[""]).__file__).parent.glob("*.sql")
        )
        for name, text in statements(package, filename).items()
        if not all(" ".join(part.split()) in whole for part in re.split(r"\{\w+\}", text))
    ]
    assert set(missed) == set(APART)
    for (package, filename, name), (around, slots, params) in APART.items():
        assert judge(connection, around.format(statement(package, filename, name, **slots)), params) == ""


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_one_there(connection: Connection, name: str) -> None:
    """A dry run accepts it over the tables that it is made of."""
    assert judge(connection, view_texts()[name], {}) == ""


def test_tables_of_rows_want_a_filter(connection: Connection) -> None:
    """Every one, on the column of its partition; and who gives none is refused."""
    for table in ROW_TABLES:
        found = connection.table(f"demo.statements.{table.name}")
        assert found is not None
        if layout.partition_type(table) == "date":
            assert (found.require_partition_filter, found.time_partitioning.field) == (True, table.partition)
    with pytest.raises(UsageError, match="without a filter"):
        connection.estimate(f"SELECT outcome FROM {ACCURACY.name}", ours=False)


MADE = {("layout.sql", name) for name in ("steps", "step_state", "step_views", "grading_runs", "loads", "add_step")} | {
    ("mapped.sql", "create")
}
"""Statements that `init` ran, or there would be no book."""

PARTS = {
    *(("state.sql", "declare_read_at"), ("state.sql", "declare_last_at"), ("state.sql", "begin"), ("state.sql", "end")),
    *(("rows.sql", "row_text"), ("beside.sql", "key_text")),
}
"""What is only a part of others: around a transaction, inside `identified`, the key of a table beside the book's."""


def filled(text: str, slots: Mapping[str, str]) -> str:
    """Return a statement with its slots filled; slots that it has not are none of its business."""
    for slot, value in slots.items():
        text = text.replace(f"{{{slot}}}", value)
    return text


def own_cases(connection: Connection) -> dict[tuple[str, str], tuple[dict[str, str], dict[str, Any]]]:
    """Return slots and values of BigQuery's own statements. Any: whatever they bind."""
    table, place = ACCURACY, held(connection, ACCURACY)
    days = [DAY]
    marked = f"({identified(table, f'({place.rows(days)})', key=(table.partition, *table.key))})"
    versions = f"({identified(ACTUALS, f'({held(connection, ACTUALS).rows(days)})', key=ACTUALS.version_of)})"
    own = held(connection, REVISIONS).name
    both = {"table": place.name, "columns": columns_of(table), "staged": marked}
    facts = statements(OWN, "rows.sql")["facts"].format(partition="`game_date`", relation=marked)
    said = {"partition": "`game_date`", "table": literal(table.name), "new": marked, "old": marked}
    json = {"key_json": "'{}'", "old_json": "'{}'", "new_json": "'{}'", "row_json": "'{}'"}
    step = {"version": "v", "at": "2026-01-01T00:00:00+00:00"}
    head = {"number": 1, "entry_hash": "e", "old_number": 0, "old_hash": "0" * 64}
    none: dict[str, str] = {}
    now = {"moment": ""}
    beside = statements(OWN, "beside.sql")
    copies = {
        "table": place.name,
        "within": place.within(days),
        "key_text": beside["key_text"].replace("{parts}", "t.`outcome`"),
        "backup": f"({place.rows(days)})",
        "columns": columns_of(table),
        "order": "t.`outcome`",
        "by": "`outcome`",
    }
    doubled = filled(beside["doubled"], {**copies, "order": "k.decides"})
    digest = filled(beside["standing_digest"], copies)
    return {
        **{
            ("beside.sql", name): (copies, {})
            for name in ("backup_digest", "standing_digest", "take_out", "put_kept", "put_back", "restorable")
        },
        ("beside.sql", "doubled"): ({**copies, "order": "k.decides"}, {}),
        **{("beside.sql", name): ({**copies, "doubled": doubled}, {}) for name in ("by_copies", "digests", "samples")},
        ("beside.sql", "back_up"): ({**copies, "backup": "`a_backup`"}, {}),
        ("beside.sql", "refuse_others"): ({"expected": "0"}, {}),
        ("beside.sql", "refuse_changed"): ({"digest": digest, "expected": hashlib.md5(b"").hexdigest()}, {}),
        ("layout.sql", "steps_done"): (none, {}),
        ("mapped.sql", "mapped"): (none, {}),
        ("mapped.sql", "remember"): (
            {"name": "'n'", "physical": "'p'", "columns": "'{}'", "is_external": "TRUE", "is_table": "TRUE",
             "definition": "'d'"}, {},
        ),
        ("mapped.sql", "fences"): (
            {"table": "'t'", "partition": "`game_date`", "rows": held(connection, ACTUALS).rows()}, {},
        ),
        ("rows.sql", "identified"): (
            {"columns": "r.`outcome`", "row_key": "''", "row_text": "r.`outcome`", "relation": marked}, {},
        ),
        ("rows.sql", "facts"): ({"partition": "`game_date`", "relation": marked}, {}),
        ("rows.sql", "staged_facts"): ({"facts": facts}, {}),
        ("rows.sql", "revisions"): ({**said, **json, "reason": "'why'"}, {"run_id": "r"}),
        ("rows.sql", "row_revisions"): (
            {**said, **json, "reason": "'why'", "row_text": "r.`outcome`", "columns": columns_of(table)},
            {"run_id": "r"},
        ),
        ("rows.sql", "row_sums"): ({"relation": marked}, {}),
        ("rows.sql", "revised"): ({"revisions": f"({held(connection, REVISIONS).rows()})"}, {}),
        ("rows.sql", "put"): ({**both, "into": place.listed, "within": within(table, days)}, {}),
        ("rows.sql", "put_carried"): (
            {**both, "columns": place.listed, "old": marked, "within": within(table, days, of="n."),
             "values": ", ".join(f"n.{quoted(name)}" for name in table.column_names)}, {},
        ),
        ("rows.sql", "sharing"): (
            {"table": place.rows(), "partition": "`game_date`", "column": "`game_id`", "other": place.rows(days)}, {},
        ),
        ("rows.sql", "unknown_rows"): ({"new": marked, "standing": marked}, {}),
        ("rows.sql", "unknown_versions"): ({"new": versions, "standing": versions}, {}),
        ("state.sql", "fences"): (now, {"table": "t"}),
        ("state.sql", "all_fences"): (now, {}),
        ("state.sql", "known_fences"): (none, {"table": "t"}),
        ("state.sql", "create_fences"): (none, {"table": "t", "partitions": days}),
        ("state.sql", "remember_table"): (none, {"name": "t", "definition": "d"}),
        ("state.sql", "forget_fences"): (none, {"table": "t"}),
        ("state.sql", "forget_table"): (none, {"table": "t"}),
        ("state.sql", "now_and_tables"): (none, {}),
        ("state.sql", "head"): (none, {}),
        ("state.sql", "move_head"): (none, head),
        ("state.sql", "advance_fences"): (none, {**step, "moves": "[]", "stepping": 0}),
        ("state.sql", "watch_fences"): (none, {"watches": "[]", "watching": 0}),
        ("state.sql", "standing"): ({"name": "'t'", "partition": "`game_date`", "rows": place.rows(days)}, {}),
        ("state.sql", "counted"): (
            {"standing": "SELECT '' AS table_name, '' AS part, 0 AS row_count"}, {"moves": "[]"},
        ),
        ("state.sql", "add_to_fences"): ({"table": "'t'", "revisions": f"(SELECT * FROM {own} WHERE FALSE)"}, step),
        ("state.sql", "add_load"): (none, {**step, "content_id": "c"}),
        ("state.sql", "find_load"): (none, {"content_id": "c"}),
        ("state.sql", "add_entries"): (none, {"entries": "[]"}),
        ("state.sql", "found_entries"): (none, {"number": 1, "hashes": ["h"]}),
        ("state.sql", "entries"): (now, {}),
    }  # fmt: skip


def test_every_statement_of_our_own_is_one_there(connection: Connection) -> None:
    """A single statement by a dry run; what has conditions by running it in a transaction that is taken back."""
    cases = own_cases(connection)
    files = ("beside.sql", "layout.sql", "mapped.sql", "rows.sql", "state.sql")
    assert set(files) == {path.name for path in Path(layout.__file__).with_name("sql").glob("*.sql")}
    names = {(filename, name) for filename in files for name in statements(OWN, filename)}
    assert names == {*cases, *MADE, *PARTS}

    before = connection.query(statements(OWN, "state.sql")["head"], ours=False).rows[0][:2]
    for (filename, name), (slots, params) in cases.items():
        text = filled(statements(OWN, filename)[name], slots)
        if ";\n" not in text and not text.startswith(("IF", "SELECT n.read_at")):
            connection.estimate(text, params, ours=False)
            continue
        declared = "DECLARE read_at STRING DEFAULT 'now';\n" if "read_at" in text else ""
        # What looks at the rows of the statement before it has one here that touches none.
        begun = "BEGIN TRANSACTION;\nDELETE FROM mapped_tables WHERE FALSE"
        connection.execute(f"{declared}{begun};\n{text};\nROLLBACK TRANSACTION", params)
    assert connection.query(statements(OWN, "state.sql")["head"], ours=False).rows[0][:2] == before
