"""Applying a source's preset, or a user's own mapping, to one file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.errors import InputError, UsageError
from gradeonce.loading.contract import STAMPS, fields_of
from gradeonce.loading.files import RawFile
from gradeonce.loading.validate import WIDE
from gradeonce.sources import Source, Variant, looks_like
from gradeonce.statements import fill, quote_identifier, quote_literal, statements

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OWN_COLUMNS = "gradeonce"


@dataclass(frozen=True)
class Mapped:
    """The rows of one file, mapped.

    Attributes:
        select: SELECT of the mapped columns with `_file`, `_row`, `_n` (order in the file, from 1) and `_refused`.
        columns: The mapped columns, without those.
        rows: How many numbers `_n` takes up.
    """

    select: str
    columns: tuple[str, ...]
    rows: int


def add_shorthand(engine: DuckDBPyConnection, *, timezone: str | None, league_timezone: str) -> None:
    """Define the macros that presets share."""
    slots = {
        "timezone": quote_literal(timezone) if timezone else "CAST(NULL AS VARCHAR)",
        "league_timezone": quote_literal(league_timezone),
    }
    for text in statements("gradeonce.sources", "shorthand.sql").values():
        engine.execute(fill(text, **{slot: value for slot, value in slots.items() if f"{{{slot}}}" in text}))


def map_own_columns(raw: RawFile) -> Mapped:
    """Take the file's columns as ours; no table is made, so that large files are read once."""
    select = f"SELECT *, _row AS _n, CAST(NULL AS VARCHAR) AS _refused FROM ({raw.numbered_sql(as_text=False)})"
    return Mapped(select, tuple(raw.columns), raw.rows)


def map_with(
    engine: DuckDBPyConnection,
    raw: RawFile,
    sql: str,
    *,
    title: str,
    relation: str,
    references: Mapping[str, str],
    rows: str,
) -> Mapped:
    """Run a mapping over one file into a temporary table.

    Args:
        engine: Where the file's table is.
        raw: The file.
        sql: The mapping: one SELECT over `{rows}`.
        title: Its name, for messages.
        relation: Name for the table.
        references: Relations by slot.
        rows: SELECT that stands for `{rows}`.

    Raises:
        InputError: If the engine refuses it, or `_file` and `_row` are not among its columns.
    """
    import duckdb

    slots = {"rows": f"({rows})", **references}
    used = {slot: text for slot, text in slots.items() if f"{{{slot}}}" in sql}
    try:
        body = fill(sql.strip().rstrip(";"), **used)
        engine.execute(f"CREATE TEMP TABLE {relation} AS SELECT * FROM (\n{body}\n)")
    except KeyError as error:
        raise InputError(
            f"{title}: the slot {{{error.args[0]}}} is not filled.", hint=f"Give the file: --with {error.args[0]}=FILE."
        ) from error
    except duckdb.Error as error:
        reason = str(error).split("\n\n")[0].strip()
        raise InputError(f"{title} does not run over {raw.name}: {reason}") from error
    columns = [row[0] for row in engine.execute(f"DESCRIBE {relation}").fetchall()]
    if lacking := sorted({"_file", "_row"} - set(columns)):
        raise InputError(
            f"{title}: its SELECT lacks {' and '.join(lacking)}, so no message could name a row.",
            hint="Select `_file, _row` too; where it groups: `any_value(_file) AS _file, max(_row) AS _row`.",
        )
    counted = engine.execute(f"SELECT count(*) FROM {relation}").fetchone()
    refused = "" if "_refused" in columns else ", CAST(NULL AS VARCHAR) AS _refused"
    select = f"SELECT *, row_number() OVER (ORDER BY _row, rowid) AS _n{refused} FROM {relation}"
    mapped = tuple(column for column in columns if column not in ("_file", "_row", "_refused"))
    return Mapped(select, mapped, counted[0] if counted else 0)


def fitting_variant(source: Source, raw: RawFile, kind: str) -> Variant:
    """Return the layout of the source that the file has.

    Raises:
        InputError: If it has none: it names the columns that are missing, and the source it looks like.
    """
    columns = {column.lower() for column in raw.columns}
    if variant := source.variant_for(columns):
        return variant
    nearest = min(source.variants, key=lambda variant: len(variant.missing(columns)))
    raise InputError(
        f"{raw.name}: is not {source.name}: it lacks {_listed(nearest.missing(columns))}.",
        hint=_fitting_hint(columns, kind) or f"Layouts of {source.name}: `gradeonce sources {source.name}`.",
    )


def check_columns(raw: RawFile, mapped: Mapped, kind: str, *, title: str, ignore_extra: bool) -> list[str]:
    """Return the mapped columns that we know, after making sure that they are enough and no others are there.

    Raises:
        InputError: For an unknown or missing column; it suggests what may have been meant.
    """
    known = fields_of(kind)
    columns = [column.lower() for column in mapped.columns]
    extra = [column for column in columns if column not in known]
    where = raw.name if title == OWN_COLUMNS else f"{title} over {raw.name}"
    absent = _absent(set(columns), kind)
    if (extra and not ignore_extra) or absent:
        hint = _fitting_hint({column.lower() for column in raw.columns}, kind) if title == OWN_COLUMNS else ""
        if absent and not hint:
            hint = f"Columns of {kind}: {', '.join(known)}."
        if extra and not ignore_extra:
            hint = hint or "Load it with --ignore-extra to leave such columns out, or map them with --select."
        parts = [f"{where}: " + "; ".join(_unknown(extra, known, ignore_extra) + absent) + "."]
        raise InputError(parts[0], hint=hint)
    return [column for column in columns if column in known]


def read_select(path: Path) -> str:
    """Return the text of a user's mapping.

    Raises:
        UsageError: If it cannot be read or does not read from `{rows}`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}).") from error
    if "{rows}" not in text:
        raise UsageError(f"{path}: does not read the file.", hint="A mapping is one SELECT ... FROM {rows}.")
    return text


def _absent(columns: set[str], kind: str) -> list[str]:
    known = fields_of(kind)
    absent = [
        f"the column {name} is missing" for name, field in known.items() if field.required and name not in columns
    ]
    if not columns & {"player_lookup", "player_name"}:
        absent.append("player_lookup or player_name is missing")
    if not columns & {"game_date", "tipoff_at", "game_id"}:
        absent.append("game_date or tipoff_at is missing")
    if kind == "actuals":
        long, wide = columns & {"market", "actual_value"}, columns & set(WIDE)
        if long and wide:
            absent.append(f"market or actual_value stand beside {_listed(sorted(wide))}: either long or wide")
        elif len(long) == 1:
            absent.append(f"the column {({'market', 'actual_value'} - long).pop()} is missing")
        elif not long and not wide:
            absent.append("market and actual_value are missing (or points, rebounds, assists, ...)")
    return absent


def _unknown(extra: list[str], known: Collection[str], ignore_extra: bool) -> list[str]:
    if ignore_extra or not extra:
        return []
    parts = []
    for column in extra[:6]:
        near = get_close_matches(column, [*known, *STAMPS], n=1, cutoff=0.7)
        parts.append(f"{quote_identifier(column)}{f' (did you mean {near[0]}?)' if near and near[0] in known else ''}")
    more = f" and {len(extra) - 6} more" if len(extra) > 6 else ""
    return [f"unknown column{'s' if len(extra) > 1 else ''} {', '.join(parts)}{more}"]


def _fitting_hint(columns: set[str], kind: str) -> str:
    fits = looks_like(columns)
    if not fits:
        return ""
    same = [source for source in fits if kind in source.kinds]
    if same:
        return f"This looks like {same[0].name}: add --source {same[0].name}."
    return f"This looks like {fits[0].name}: gradeonce load {fits[0].kinds[0]} FILE --source {fits[0].name}."


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
