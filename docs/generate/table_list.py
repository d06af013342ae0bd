"""reference/tables.md and reference/load-columns.md: columns, types and meanings."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

from docstrings import table

import gradeonce
from gradeonce.loading.contract import Field, fields_of
from gradeonce.schema import COMPOSITE_MARKETS, LOADED_TABLES, ROW_TABLES, SMALL_TABLES, VIEWS, SmallTable, Table
from gradeonce.statements import statements

MEANINGS = tomllib.loads(Path(__file__).with_name("columns.toml").read_text(encoding="utf-8"))

TABLES_INTRO = """# Tables

What `gradeonce sql` and `book.sql()` can query ([how to query](../howto/query-with-sql.md)). Types are seven words that
every warehouse maps to its own: `text`, `date`, `instant` (UTC, no offset), `decimal` (exact, 9 places), `sum` (exact,
18 places), `integer`, `boolean`. A *required* column never holds a null.
"""

SMALL_INTRO = """# Small state

Views over the catalog: one row per ledger entry, fence or lease. Instants in them are ISO 8601 texts in UTC.
"""

FIGURES_INTRO = """# Figures

Views with the figures that are asked for most. They are made when they are asked for, from the grades or from the daily
sums that are published with them, so they cannot disagree with either. Every rate stands beside its n and is null
without any. `number` is a floating-point number.
"""

LOAD_INTRO = """# Columns for load

What a file may hold that is loaded as our own columns (the default source). Names are compared without regard to case;
an unknown column is an error unless `--ignore-extra` is given. Empty fields are null. Instants are ISO 8601 with an
offset; bare ones are an error unless `--timezone` is given. Numbers are exact decimals.

Every kind names the player by `player_name` (made into a lookup) or by `player_lookup` (taken as it stands), and the
date by `game_date`, by `tipoff_at`, or by a game id of the form `20260117_LAL_BOS`.
"""

_RULES = {
    "minutes": "0 to 100; `24.5`, `24:30` or `PT24M30S`",
    "line": "0 to 500",
    "quantity": "-200 to 500",
    "confidence": "0 to 1, or up to 100 in percent",
    "price": "American odds: -100 and below, or 100 and above",
    "recommendation": "`OVER`, `UNDER`, `PASS`, `HOLD` or `NO_LINE`",
    "date": "1946 to two years ahead",
    "instant": "1946 to two years ahead",
}


def page() -> str:
    parts = [TABLES_INTRO]
    for one in ROW_TABLES:
        parts += _table(one)
    parts.append(FIGURES_INTRO)
    state = _small_state()
    for name in VIEWS:
        rows = [(f"`{column}`", kind, _meaning(name, column)) for column, kind in state.pop(name)]
        parts += [f"## {name}", MEANINGS[name]["_about"], table(("column", "type", "meaning"), rows)]
    parts.append(SMALL_INTRO)
    for small in SMALL_TABLES:
        parts += _small_table(small)
    for name, columns in state.items():
        rows = [(f"`{column}`", kind, _meaning(name, column)) for column, kind in columns]
        parts += [f"## {name}", MEANINGS[name]["_about"], table(("column", "type", "meaning"), rows)]
    return "\n\n".join(parts)


def load_columns_page() -> str:
    parts = [LOAD_INTRO]
    for kind, one in LOADED_TABLES.items():
        rows = [_load_column(field, one) for field in fields_of(kind).values()]
        parts += [f"## {kind}", table(("column", "type", "must be", "missing or empty", "meaning"), rows)]
        if kind == "actuals":
            sums = "; ".join(f"`{name}` = {' + '.join(parts)}" for name, parts in COMPOSITE_MARKETS.items())
            parts.append(
                "Give box scores long (`market` and `actual_value`) or wide (one column per statistic), not both. Sums "
                f"are made when their parts are there: {sums}."
            )
    return "\n\n".join([*parts, *_market_names()])


def _table(one: Table) -> list[str]:
    facts = [f"Partitioned by `{one.partition}`."]
    if one.key:
        facts.append(f"Key: {', '.join(f'`{name}`' for name in (one.partition, *one.key))} (null-safe).")
    if one.stamps:
        facts.append(f"Stamps (not compared, not hashed): {', '.join(f'`{name}`' for name in one.stamps)}.")
    rows = [
        (f"`{column.name}`", column.type.value, "yes" if column.required else "", _meaning(one.name, column.name))
        for column in one.columns
    ]
    about = MEANINGS[one.name]["_about"]
    return [f"## {one.name}", f"{about} {' '.join(facts)}", table(("column", "type", "required", "meaning"), rows)]


def _small_table(one: SmallTable) -> list[str]:
    rows = [(f"`{column.name}`", column.type.value, _meaning(one.name, column.name)) for column in one.columns]
    about = f"{MEANINGS[one.name]['_about']} Key: {', '.join(f'`{name}`' for name in one.key)}."
    return [f"## {one.name}", about, table(("column", "type", "meaning"), rows)]


def _meaning(name: str, column: str) -> str:
    found = MEANINGS[name].get(column) or (name in VIEWS and MEANINGS["figures"].get(column))
    found = found or MEANINGS["common"].get(column)
    if not found:
        raise SystemExit(f"columns.toml: [{name}] {column} has no meaning yet")
    return str(found)


def _small_state() -> dict[str, list[tuple[str, str]]]:
    with tempfile.TemporaryDirectory() as folder:
        gradeonce.create(folder)
        with gradeonce.open(folder) as book:
            book.leases.records()
            found = book.sql(
                "SELECT table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE database_name = 'temp' AND NOT internal ORDER BY table_name, column_index"
            ).rows
    state: dict[str, list[tuple[str, str]]] = {}
    for name, column, kind in found:
        if name not in {one.name for one in (*ROW_TABLES, *SMALL_TABLES)}:
            words = {"VARCHAR": "text", "BIGINT": "integer", "INTEGER": "integer", "DOUBLE": "number", "DATE": "date"}
            state.setdefault(name, []).append((column, words[kind]))
    return state


def _load_column(field: Field, one: Table) -> tuple[str, ...]:
    kind = "minutes" if field.parse == "minutes" else field.parse
    default = f"`{field.default.strip(chr(39))}`" if field.default else "an error" if field.required else ""
    meanings = {**MEANINGS["common"], **MEANINGS[one.name], **MEANINGS["wide"]}
    return f"`{field.name}`", kind, _RULES.get(field.rule, ""), default, meanings[field.name]


def _market_names() -> list[str]:
    import duckdb

    pairs = duckdb.connect().execute(statements("gradeonce.loading", "markets.sql")["markets"]).fetchall()
    words: dict[str, list[str]] = {}
    for word, market in pairs:
        words.setdefault(market, []).append(word)
    rows = [(f"`{market}`", ", ".join(f"`{word}`" for word in sorted(found))) for market, found in words.items()]
    about = (
        "Market names are put in lower snake case without `player_`, and these words are brought to ours. Any other "
        "word names a market of its own."
    )
    return ["## Market names", about, table(("market", "also known as"), rows)]
