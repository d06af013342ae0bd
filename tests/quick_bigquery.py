"""The BigQuery emulator with quicker look-ups; run by the Python of its own environment, with its own options.

To find one table, the emulator lists every table of every project, for which it opens the statistics of each: half of
the time of a statement, where a book has twenty tables. Here it asks its catalog for the one. Nothing else is changed,
and `pytest --plain-bigquery` runs the emulator as it is published.
"""

from __future__ import annotations

from typing import Any

import duckdb
from local_bigquery.cli import main
from local_bigquery.engine import database
from local_bigquery.jobs import query

_TABLES = """
SELECT t.table_name, 'TABLE', CAST(coalesce(s.record_count, 0) AS BIGINT)
FROM {catalog}.ducklake_table AS t
JOIN {catalog}.ducklake_schema AS d USING (schema_id)
LEFT JOIN {catalog}.ducklake_table_stats AS s ON s.table_id = t.table_id
WHERE d.schema_name = $1 AND d.end_snapshot IS NULL AND t.end_snapshot IS NULL
    AND t.table_name = coalesce($2, t.table_name)
UNION ALL
SELECT v.view_name, 'VIEW', 0
FROM {catalog}.ducklake_view AS v
JOIN {catalog}.ducklake_schema AS d USING (schema_id)
WHERE d.schema_name = $1 AND d.end_snapshot IS NULL AND v.end_snapshot IS NULL
    AND v.view_name = coalesce($2, v.view_name)
ORDER BY 1
"""

_REQUIRED = """
SELECT c.column_name
FROM {catalog}.ducklake_column AS c
JOIN {catalog}.ducklake_table AS t USING (table_id)
JOIN {catalog}.ducklake_schema AS d USING (schema_id)
WHERE d.schema_name = $1 AND t.table_name = $2 AND NOT c.nulls_allowed AND c.parent_column IS NULL
    AND d.end_snapshot IS NULL AND t.end_snapshot IS NULL AND c.end_snapshot IS NULL
"""

_slow_objects, _slow_fetch, _slow_execute = database.objects, database.fetch, query.execute


def _objects(project_id: str, dataset_id: str, table_id: str | None = None) -> list[tuple[str, str, int]]:
    if project_id != "emulator":
        catalog = database.quote(f"__ducklake_metadata_{project_id}")
        return database.fetch(_TABLES.format(catalog=catalog), [dataset_id, table_id])
    if table_id is None:
        return _slow_objects(project_id, dataset_id)
    # The answer to a query, which is in a table of its own.
    try:
        rows = database.fetch(f"SELECT count(*) FROM {database.quote(project_id, dataset_id, table_id)}")
    except duckdb.CatalogException:
        return []
    return [(table_id, "TABLE", rows[0][0])]


def _fetch(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    if params is None or not sql.startswith("SELECT column_name FROM duckdb_columns()"):
        return _slow_fetch(sql, params)
    project_id, *names = params
    if project_id == "emulator":
        return []
    return _slow_fetch(_REQUIRED.format(catalog=database.quote(f"__ducklake_metadata_{project_id}")), names)


class _FreshCursor:
    """A cursor that was made for one job: no temporary table can be in it yet. Any: it passes on whatever there is."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def sql(self, text: str, *args: Any, **options: Any) -> Any:
        if text == "SELECT table_name FROM duckdb_tables() WHERE temporary":
            text = "SELECT '' AS table_name WHERE false"
        return self._cursor.sql(text, *args, **options)


def _execute(cursor: Any, *args: Any, session: Any = None, **options: Any) -> Any:
    own = cursor if session else _FreshCursor(cursor)
    return _slow_execute(own, *args, session=session, **options)


if __name__ == "__main__":
    database.objects, database.fetch, query.execute = _objects, _fetch, _execute
    main()
