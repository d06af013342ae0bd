"""The steps of the incident by hand, bare: what a careful person would type, and nothing that gradeonce adds.

    python benchmarks/bare_incident.py DATABASE STEP [DUMP.parquet]

DATABASE is a DuckDB file or the URL of a PostgreSQL server. No lease, no fence, no plan that is checked again, no hash,
no ledger, no revisions, no daily sums.
"""

import sys
import tempfile

KEY = "game_date, player_lookup, game_id, system_id, market, line_value"
DOUBLED = f"SELECT count(*) FROM (SELECT 1 FROM grades GROUP BY {KEY} HAVING count(*) > 1) AS doubled"
DATES = f"SELECT game_date FROM grades GROUP BY {KEY} HAVING count(*) > 1"
NUMBERED = f"row_number() OVER (PARTITION BY {KEY} ORDER BY graded_at, run_id)"
STEPS = {
    "find": DOUBLED,
    "apply": f"""
        DROP TABLE IF EXISTS grades_backup;
        CREATE TABLE grades_backup AS SELECT * FROM grades WHERE game_date IN ({DATES});
        DELETE FROM grades WHERE {{place}} IN (
            SELECT place FROM (
                SELECT {{place}} AS place, {NUMBERED} AS copy FROM grades WHERE game_date IN ({DATES})
            ) AS numbered
            WHERE copy > 1
        )""",
    "verify": f"SELECT count(*), ({DOUBLED}) FROM grades",
    "rollback": """
        DELETE FROM grades WHERE game_date IN (SELECT DISTINCT game_date FROM grades_backup);
        INSERT INTO grades SELECT * FROM grades_backup""",
}


def main(database: str, step: str, dump: str = "") -> None:
    run = on_server if "://" in database else in_file
    print(run(database, step, dump))


def in_file(database: str, step: str, dump: str) -> object:
    import duckdb

    with duckdb.connect(database) as connection:
        if step == "adopt":
            connection.execute(f"CREATE TABLE grades AS FROM '{dump}'")
            return connection.execute("SELECT count(*) FROM grades").fetchone()
        connection.execute("BEGIN")
        for text in STEPS[step].replace("{place}", "rowid").split(";"):
            result = connection.execute(text)
        answer = result.fetchone()
        connection.execute("COMMIT")
        return answer


def on_server(database: str, step: str, dump: str) -> object:
    import psycopg

    with psycopg.connect(database) as connection:
        if step == "adopt":
            import duckdb

            engine = duckdb.connect()
            kinds = {"DATE": "date", "BIGINT": "bigint", "INTEGER": "integer", "BOOLEAN": "boolean", "VARCHAR": "text"}
            found = engine.execute(f"DESCRIBE FROM '{dump}'").fetchall()
            columns = ", ".join(f"{name} {kinds.get(kind, 'numeric')}" for name, kind, *_ in found)
            connection.execute(f"CREATE TABLE grades ({columns})".encode())
            with tempfile.NamedTemporaryFile(suffix=".csv") as file:
                engine.execute(f"COPY (FROM '{dump}') TO '{file.name}' (FORMAT csv, HEADER false)")
                with connection.cursor().copy("COPY grades FROM STDIN (FORMAT csv)") as copy:
                    while block := file.read(1 << 20):
                        copy.write(block)
            return connection.execute("SELECT count(*) FROM grades").fetchone()
        for text in STEPS[step].replace("{place}", "ctid").split(";"):
            cursor = connection.execute(text.encode())
        return cursor.fetchone() if cursor.description else cursor.rowcount


if __name__ == "__main__":
    main(*sys.argv[1:])
