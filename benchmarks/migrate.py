"""Moving a table of grades in at the size of the incident: what a plan and an apply take, step by step.

    python benchmarks/migrate.py                       # 494,797 rows, 214 keys twice, on a PostgreSQL server of its own
    python benchmarks/migrate.py --keys 50000 --dates 20 --places 5 6 12 --slowest 5
    python benchmarks/migrate.py --bigquery            # the same on an emulator of BigQuery (`make bigquery-emulator`)

Their table has their own names and types of columns. Predictions and box scores of every row are loaded before, so
every row is held against our rules. Seconds in brackets are this process's own work; the server's are not in them.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import duckdb  # noqa: E402
import psycopg  # noqa: E402

import gradeonce  # noqa: E402
from gradeonce.ledger import verify  # noqa: E402
from gradeonce.migrate import MigrateOptions  # noqa: E402
from gradeonce.simulation.incident import simulate_incident  # noqa: E402
from gradeonce.warehouses.bigquery.connection import Connection  # noqa: E402
from servers import BigQuery, Postgres, Server  # noqa: E402

# What a player scored is the same whoever predicted it; in the dump of the incident it is not.
PREPARED = """
CREATE TABLE stood AS
SELECT * REPLACE (
        first(actual_value) OVER game AS actual_value, first(is_voided) OVER game AS is_voided,
        first(minutes_played) OVER game AS minutes_played
    )
FROM '{dump}' WINDOW game AS (PARTITION BY game_date, player_lookup, game_id ORDER BY prediction_id)
"""
THEIRS = """
SELECT game_date, player_lookup, game_id, system_id, CAST(predicted_value AS DOUBLE) AS predicted_points,
    line_value AS current_points_line, recommendation, CAST(confidence_score AS DOUBLE) AS confidence_score,
    CAST(actual_value AS INTEGER) AS actual_points,
    CASE
        WHEN is_voided OR line_value IS NULL OR actual_value = line_value THEN NULL
        ELSE (actual_value > line_value) = (predicted_value > line_value)
    END AS prediction_correct,
    is_voided, CAST(abs(predicted_value - actual_value) AS DOUBLE) AS absolute_error,
    CAST(predicted_value - actual_value AS DOUBLE) AS signed_error,
    abs(predicted_value - actual_value) <= 3 AS within_3_points, graded_at, 1.5 AS pace_adjustment
FROM stood ORDER BY game_date, prediction_id, graded_at
"""
PREDICTIONS = """
SELECT DISTINCT system_id, player_lookup, game_id, game_date, predicted_value, line_value, recommendation,
    confidence_score, prediction_id FROM stood
"""
ACTUALS = """
SELECT DISTINCT player_lookup, game_id, game_date, 'points' AS market, coalesce(actual_value, 0) AS actual_value,
    coalesce(minutes_played, 0) AS minutes_played, is_voided AS is_dnp FROM stood
"""
TYPES = {
    "game_date": ("date", "DATE"), "predicted_points": ("double precision", "FLOAT64"),
    "current_points_line": ("numeric(6, 1)", "NUMERIC"), "confidence_score": ("double precision", "FLOAT64"),
    "actual_points": ("integer", "INT64"), "prediction_correct": ("boolean", "BOOL"), "is_voided": ("boolean", "BOOL"),
    "absolute_error": ("double precision", "FLOAT64"), "signed_error": ("double precision", "FLOAT64"),
    "within_3_points": ("boolean", "BOOL"), "graded_at": ("timestamptz", "TIMESTAMP"),
    "pace_adjustment": ("double precision", "FLOAT64"),
}  # fmt: skip
"""Of their columns, in PostgreSQL and in BigQuery; what is not here is a text."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--keys", type=int, default=494_583)
    options.add_argument("--dates", type=int, default=170)
    options.add_argument("--places", type=int, nargs=3, default=[76, 77, 91], help="dates with copies, by their place")
    options.add_argument("--slowest", type=int, default=0, help="show so many of the server's slowest statements")
    options.add_argument("--plan-only", action="store_true", help="do not apply it")
    options.add_argument("--bigquery", action="store_true", help="in an emulator of BigQuery, of the tests")
    given = options.parse_args()
    kind = "an emulator of BigQuery" if given.bigquery else "PostgreSQL"
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"DuckDB {metadata.version('duckdb')}, {kind}"
    )
    with tempfile.TemporaryDirectory(prefix="gradeonce-migrate-") as name, _server(given) as server:
        folder = Path(name)
        rows, keys = _write(folder, given)
        url, table = (_fill_bigquery if given.bigquery else _fill_postgres)(folder, server)
        with gradeonce.open(url, store="off") as book:
            for kind in ("predictions", "actuals"):
                with _timed(f"load {kind}"):
                    book.load(kind, folder / f"{kind}.parquet")
            with _timed("plan"):
                plan = book.migrate(table)
            found = plan.findings.grades
            print(f"  {found.rows:,} rows, {sum(sum(c.values()) for c in found.duplicates.values())} keys twice")
            print(f"  {plan.comparison.stood:,} keys held against our rules, {plan.comparison.same:,} the same")
            assert (found.rows, plan.comparison.stood) == (rows, keys)
            if not given.plan_only:
                _apply(book, table, rows, keys)
        if given.slowest:
            _show_slowest(server, given.slowest)


def _server(given: argparse.Namespace) -> Server:
    if given.bigquery:
        return BigQuery(Path(os.environ["LOCAL_BQ_VENV"]))
    return Postgres(
        settings=("fsync=off", "shared_buffers=128MB", "log_min_duration_statement=200", "log_line_prefix=@@")
    )


def _apply(book: gradeonce.Book, table: str, rows: int, keys: int) -> None:
    steps: list[tuple[float, str]] = []
    with _timed("apply"):
        done = book.migrate(
            table,
            MigrateOptions(apply=True),
            on_told=lambda line: steps.append((time.monotonic(), line)),
        )
    ended = time.monotonic()
    for (began, line), (until, _) in zip(steps, [*steps[1:], (ended, "")], strict=True):
        print(f"  {until - began:6.1f} s  {line}")
    assert done.removed is not None
    assert done.removed.rows_deleted == rows - keys
    assert book.sql("SELECT count(*) FROM prediction_accuracy").rows == [(keys,)]
    with _timed("ledger verify --deep"):
        verify(book.warehouse, deep=True)
    with _timed("apply again"):
        assert book.migrate(table, MigrateOptions(apply=True)).status == "already_migrated"


def _write(folder: Path, given: argparse.Namespace) -> tuple[int, int]:
    incident = simulate_incident(
        folder / "incident.parquet", keys=given.keys, dates=given.dates, places=tuple(given.places)
    )
    with duckdb.connect() as engine:
        engine.execute(PREPARED.format(dump=incident.path))
        for name, select in (("predictions", PREDICTIONS), ("actuals", ACTUALS)):
            engine.execute(f"COPY ({select}) TO '{folder / name}.parquet'")
        engine.execute(f"COPY ({THEIRS}) TO '{folder / 'theirs.csv'}'")
    return incident.rows, incident.keys


def _columns(folder: Path, place: int) -> dict[str, str]:
    """Return their columns in order, with their types."""
    with (folder / "theirs.csv").open(encoding="utf-8") as file:
        names = file.readline().strip().split(",")
    return {name: TYPES[name][place] if name in TYPES else ("text", "STRING")[place] for name in names}


def _fill_postgres(folder: Path, server: Server) -> tuple[str, str]:
    gradeonce.create(server.url)
    columns = ", ".join(f"{name} {kind}" for name, kind in _columns(folder, 0).items())
    with psycopg.connect(server.url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE public.old_grades ({columns})".encode())
        with cursor.copy("COPY public.old_grades FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write((folder / "theirs.csv").read_bytes())
    return server.url, "public.old_grades"


def _fill_bigquery(folder: Path, server: Server) -> tuple[str, str]:
    from google.cloud import bigquery

    os.environ["BIGQUERY_EMULATOR_HOST"] = server.url
    url, table = "bigquery://demo/moved_in", "demo.old_nba.prediction_accuracy"
    gradeonce.create(url)
    connection = Connection("bigquery://demo/old_nba")
    connection.make_dataset()
    schema = [bigquery.SchemaField(name, kind) for name, kind in _columns(folder, 1).items()]
    config = bigquery.LoadJobConfig(source_format="CSV", skip_leading_rows=1, schema=schema)
    with (folder / "theirs.csv").open("rb") as file:
        connection.client.load_table_from_file(file, table, job_config=config).result()
    connection.close()
    return url, table


@contextmanager
def _timed(name: str) -> Iterator[None]:
    began, worked = time.monotonic(), time.process_time()
    yield
    print(f"{name:24} {time.monotonic() - began:6.1f} s ({time.process_time() - worked:.1f} s)", flush=True)


def _show_slowest(server: Server, count: int) -> None:
    """Print the statements that took longest, by what the server wrote of them."""
    text = (server.folder / "log.txt").read_text(errors="replace")
    found = re.findall(
        r"@@LOG:  duration: ([\d.]+) ms  (?:execute \S+|statement|parse \S+): (.*?)(?=@@|\Z)", text, re.S
    )
    for milliseconds, statement in sorted(found, key=lambda one: -float(one[0]))[:count]:
        print(f"\n{float(milliseconds) / 1000:.1f} s  {' '.join(statement.split())[:1500]}")


if __name__ == "__main__":
    main()
