"""Reading grades that somebody else made: as they are, copies and nulls and all, in our columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.errors import BadRow, InputError
from gradeonce.loading.files import RawFile, read_file
from gradeonce.loading.mapping import Mapped, add_shorthand, map_own_columns, map_with, read_select
from gradeonce.players import lookup_sql
from gradeonce.schema import ACCURACY, OUTCOMES, ColumnType
from gradeonce.statements import fill, quote_identifier, quote_literal, statement, statements
from gradeonce.warehouses.engine import run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NEEDED = ("game_date", "predicted_value")
"""Columns without which a file holds no grades."""

_PARSED = "adopted_rows"
_SAMPLES = 5


@dataclass(frozen=True)
class ReadGrades:
    """Grades that were read. Nothing stands yet.

    Attributes:
        select: SELECT of the columns of our table of grades.
        rows: How many rows the files hold.
        lacking: Our columns that the files do not have.
    """

    select: str
    rows: int
    lacking: tuple[str, ...]


def read_grades(
    engine: DuckDBPyConnection,
    files: Sequence[Path],
    *,
    select: Path | None,
    timezone: str | None,
    league_timezone: str,
    ignore_extra: bool,
    run_id: str,
    adopted_at: datetime,
) -> ReadGrades:
    """Read files of grades into one relation of the engine. No row is left out.

    Args:
        engine: Where it is made.
        files: CSV, Parquet, JSON or JSON lines.
        select: A mapping of the user's own, one SELECT over `{rows}`; None takes the columns as ours.
        timezone: Zone of instants without an offset; None makes those unreadable.
        league_timezone: Where the league's dates are counted.
        ignore_extra: Leave unknown columns out instead of raising.
        run_id: Stands where the files name no run.
        adopted_at: Stands where the files name no instant of grading.

    Raises:
        InputError: If a file cannot be read, a column is unknown or missing, a date is missing, or a value is not of
            its column's type.
    """
    add_shorthand(engine, timezone=timezone, league_timezone=league_timezone)
    mapped = [
        _mapped(engine, read_file(engine, path, f"adopted_raw_{number}"), select, f"adopted_mapped_{number}")
        for number, path in enumerate(files)
    ]
    given = {column.lower() for one in mapped for column in one.columns}
    _check_columns(given, ignore_extra=ignore_extra)
    texts = " UNION ALL ".join(_texts_of(one) for one in mapped)
    parsed = statement(
        __package__,
        "adopted.sql",
        "parsed",
        parsed=_PARSED,
        values=", ".join(_value(column.name, column.type, timezone) for column in ACCURACY.columns),
        texts=", ".join(f"t_{name}" for name in ACCURACY.column_names),
        mapped=texts,
    )
    run(engine, parsed)
    _refuse_unread(engine, given)
    columns = ", ".join(
        f"{made_value(name, given, run_id, adopted_at, lookup=lookup_sql('v_player_name'))} AS {quote_identifier(name)}"
        for name in ACCURACY.column_names
    )
    made = statement(__package__, "adopted.sql", "made", columns=columns, parsed=_PARSED)
    counted = run(engine, f"SELECT count(*) FROM {_PARSED}").fetchall()
    return ReadGrades(made, counted[0][0], tuple(name for name in ACCURACY.column_names if name not in given))


def _mapped(engine: DuckDBPyConnection, raw: RawFile, select: Path | None, relation: str) -> Mapped:
    if select is None:
        return map_own_columns(raw)
    rows = raw.numbered_sql(as_text=True)
    return map_with(engine, raw, read_select(select), title=str(select), relation=relation, references={}, rows=rows)


def _check_columns(given: set[str], *, ignore_extra: bool) -> None:
    extra = sorted(given - set(ACCURACY.column_names))
    if extra and not ignore_extra:
        near = get_close_matches(extra[0], ACCURACY.column_names, n=1, cutoff=0.7)
        meant = f" (did you mean {near[0]}?)" if near else ""
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise InputError(
            f"Grades have no column {quote_identifier(extra[0])}{meant}{more}.",
            state="Nothing was adopted.",
            hint="Leave such columns out with --ignore-extra, or map them with --select.",
        )
    lacking = [name for name in NEEDED if name not in given]
    if not given & {"player_lookup", "player_name"}:
        lacking.append("player_lookup (or player_name)")
    if lacking:
        raise InputError(
            f"These are no grades: {', '.join(lacking)} is missing.",
            state="Nothing was adopted.",
            hint="Map the file's columns onto ours with --select, one SELECT over {rows}.",
        )


def _texts_of(mapped: Mapped) -> str:
    by_name = {column.lower(): column for column in mapped.columns}
    parts = []
    for name in ACCURACY.column_names:
        text = "CAST(NULL AS VARCHAR)"
        if name in by_name:
            text = f"nullif(trim(CAST({quote_identifier(by_name[name])} AS VARCHAR)), '')"
        parts.append(f"{text} AS t_{name}")
    return f"SELECT {', '.join(parts)}, _file, _row FROM ({mapped.select})"


def _contract() -> dict[str, str]:
    return statements("gradeonce.loading", "contract.sql")


def _value(name: str, kind: ColumnType, timezone: str | None) -> str:
    parse = "minutes" if name == "minutes_played" else kind.value
    slots = {"value": f"t_{name}"}
    if kind is ColumnType.INSTANT:
        slots["zone"] = quote_literal(timezone) if timezone else "NULL"
    return f"{fill(_contract()[f'parse_{parse}'], **slots)} AS v_{name}"


def _refuse_unread(engine: DuckDBPyConnection, given: set[str]) -> None:
    checks = {
        column.name: f"t_{column.name} IS NOT NULL AND v_{column.name} IS NULL"
        for column in ACCURACY.columns
        if column.name in given and column.type is not ColumnType.TEXT
    }
    checks["game_date"] = "v_game_date IS NULL"
    unread = " OR ".join(f"({check})" for check in checks.values())
    counted = run(engine, statement(__package__, "adopted.sql", "count_unread", parsed=_PARSED, unread=unread))
    bad = counted.fetchall()[0][0]
    if not bad:
        return
    kinds = {column.name: column.type for column in ACCURACY.columns}
    problems = " UNION ALL ".join(
        f"SELECT _file, _row, {quote_literal(name)} AS column_name, t_{name} AS value_text, "
        f"{_expected(name, kinds[name])} AS reason FROM {_PARSED} WHERE {check}"
        for name, check in checks.items()
    )
    found = run(engine, statement(__package__, "adopted.sql", "unread", problems=problems)).fetchall()
    samples = [BadRow(*row) for row in found]
    shown = "\n".join(f"  {sample}" for sample in samples[:_SAMPLES])
    raise InputError(
        f"{bad:,} rows hold values that cannot be read:\n{shown}\n",
        rows=samples,
        bad_rows=bad,
        state="Nothing was adopted.",
        hint="Pass --timezone UTC (or the zone they are in) if instants carry no offset; map others with --select.",
    )


def _expected(name: str, kind: ColumnType) -> str:
    parse = "minutes" if name == "minutes_played" else kind.value
    return (
        fill(_contract()[f"expected_{parse}"], value=f"t_{name}")
        if kind is ColumnType.INSTANT
        else (_contract()[f"expected_{parse}"])
    )


def made_value(name: str, given: Collection[str], run_id: str, adopted_at: datetime, *, lookup: str) -> str:
    """Return the SQL of a column of ours over what was read (`v_` and its name), and what stands where nothing is said.

    Args:
        name: The column.
        given: Columns of ours that were given.
        run_id: Stands where no run is named.
        adopted_at: Stands where no instant of grading is named.
        lookup: SQL of the lookup of a player's name.
    """
    own = statements("gradeonce.loading", "adopted.sql")
    if name not in own:
        return f"v_{name}"
    outcome = fill(own["outcome"], outcomes=", ".join(quote_literal(one) for one in OUTCOMES))
    instant = adopted_at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    key = (ACCURACY.partition, *ACCURACY.key)
    slots = {
        "outcomes": ", ".join(quote_literal(one) for one in OUTCOMES),
        "outcome": outcome,
        "key_texts": ", ".join(f"coalesce(CAST(v_{part} AS VARCHAR), '')" for part in key),
        "market_or_default": "v_market" if "market" in given else "'points'",
        "lookup": lookup if "player_name" in given else "NULL",
        "run_id": quote_literal(run_id),
        "adopted_at": f"CAST({quote_literal(instant)} AS TIMESTAMP)",
    }
    return fill(own[name], **{slot: text for slot, text in slots.items() if f"{{{slot}}}" in own[name]})
