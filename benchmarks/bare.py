"""The same grading with no safety: one DuckDB file, DELETE and INSERT. What a careful person would write by hand.

    python benchmarks/bare.py DATABASE QUERY.sql PARAMS.json

No lease, no fence, no validation, no ledger, no revisions, no versions: two runs at once may double rows.
"""

import json
import sys
from datetime import date
from pathlib import Path

import duckdb

database, query, params = sys.argv[1:4]
values = json.loads(Path(params).read_text(encoding="utf-8"))
values["dates"] = [date.fromisoformat(day) for day in values["dates"]]
connection = duckdb.connect(database)
connection.execute("BEGIN")
connection.execute(
    "DELETE FROM prediction_accuracy WHERE game_date IN (SELECT unnest($dates))", {"dates": values["dates"]}
)
connection.execute(f"INSERT INTO prediction_accuracy {Path(query).read_text(encoding='utf-8')}", values)
connection.execute("COMMIT")
graded = connection.execute(
    "SELECT count(*), count(*) FILTER (outcome = 'win'), avg(absolute_error) FILTER (outcome <> 'void') "
    "FROM prediction_accuracy WHERE game_date IN (SELECT unnest($dates))",
    {"dates": values["dates"]},
).fetchone()
print(graded)
connection.close()
