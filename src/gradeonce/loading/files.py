"""Reading files as they are: one table per file, every row kept, nothing interpreted.

CSV and TSV are read as text, so that ids keep their zeros and decimals their digits; JSON scalars become text too and
what is nested stays JSON; Parquet keeps its own types. Errors name the file, and the line where the engine knows it.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.errors import InputError
from gradeonce.statements import quote_identifier, quote_literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
MAX_HEADER_BYTES = 1_000_000
_RESERVED = {"_file", "_row", "_file_number", "_refused"}


@dataclass(frozen=True)
class RawFile:
    """One file, read into a table of the engine.

    Attributes:
        name: The file as it was given, for messages.
        relation: The table; its `rowid + 1` is the number of the data row.
        columns: Column names in file order, each with the engine's type.
        rows: How many data rows.
    """

    name: str
    relation: str
    columns: dict[str, str]
    rows: int

    def numbered_sql(self, *, as_text: bool, optional: Sequence[str] = ()) -> str:
        """Return a SELECT of all columns with `_file` and `_row`.

        Args:
            as_text: Cast everything to text, as presets expect.
            optional: Columns that are null if the file has none of that name.
        """
        columns = self._columns_sql(as_text=as_text)
        lowered = {name.lower() for name in self.columns}
        columns += "".join(f", CAST(NULL AS VARCHAR) AS {quote_identifier(c)}" for c in optional if c not in lowered)
        return f"SELECT {columns}, {quote_literal(self.name)} AS _file, rowid + 1 AS _row FROM {self.relation}"

    def plain_sql(self, *, as_text: bool) -> str:
        """Return a SELECT of the columns alone, for joining to."""
        return f"SELECT {self._columns_sql(as_text=as_text)} FROM {self.relation}"

    def _columns_sql(self, *, as_text: bool) -> str:
        return ", ".join(
            _as_text(name, kind) if as_text and kind != "VARCHAR" else quote_identifier(name)
            for name, kind in self.columns.items()
        )


def read_file(engine: DuckDBPyConnection, path: Path, relation: str) -> RawFile:
    """Read one file into a temporary table.

    Args:
        engine: Where the table is made.
        path: CSV, TSV, Parquet, JSON or JSON lines by its suffix; text formats also gzipped.
        relation: Name for the table.

    Raises:
        InputError: If the file is missing, empty, not UTF-8, not what its name says, or ragged.
    """
    import duckdb

    name, kind = str(path), file_format(path)
    _check_readable(path)
    quoted = quote_literal(re.sub(r"([*?\[])", r"[\1]", name))
    if kind in ("csv", "tsv"):
        source = _csv_source(path, quoted, "\t" if kind == "tsv" else ",")
    elif kind == "parquet":
        source = f"read_parquet({quoted})"
    else:
        layout = "newline_delimited" if kind == "jsonl" else "auto"
        source = f"read_json({quoted}, format = '{layout}', maximum_depth = 1, sample_size = -1, records = true)"
    try:
        columns = _columns(engine, f"SELECT * FROM {source}")
        _check_columns(name, columns)
        picked = ", ".join(_json_text(c) if t == "JSON" else quote_identifier(c) for c, t in columns.items())
        engine.execute(f"CREATE TEMP TABLE {relation} AS SELECT {picked} FROM {source}")
    except duckdb.Error as error:
        raise _translated(name, kind, str(error)) from error
    columns = _columns(engine, f"SELECT * FROM {relation}")
    counted = engine.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return RawFile(name, relation, columns, counted[0] if counted else 0)


def file_format(path: Path) -> str:
    """Return csv, tsv, parquet, json or jsonl, by the file's name.

    Raises:
        InputError: If the name tells no format we read.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
        if FORMATS.get(suffixes[-1] if suffixes else "") == "parquet":
            raise InputError(f"{path}: gzipped Parquet is not read.", hint=f"Unpack it first: gunzip {path}")
    kind = FORMATS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise InputError(
            f"{path}: its name does not say what it holds.",
            hint=f"Files end in {', '.join(FORMATS)}; all but Parquet also in .gz.",
        )
    return kind


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    if not start:
        raise InputError(f"{path}: is empty; not even a header is there.")
    gzipped = start.startswith(b"\x1f\x8b")
    if gzipped != (path.suffix.lower() == ".gz"):
        found = (
            "is gzipped, but its name does not end in .gz" if gzipped else "is not gzipped, but its name ends in .gz"
        )
        raise InputError(f"{path}: {found}.", hint="Rename it.")


def _csv_source(path: Path, quoted: str, delimiter: str) -> str:
    header = _header(path, delimiter)
    columns = ", ".join(f"{quote_literal(column)}: 'VARCHAR'" for column in header)
    return (
        f"read_csv({quoted}, auto_detect = false, header = true, delim = {quote_literal(delimiter)}, quote = '\"', "
        f"escape = '\"', nullstr = '', strict_mode = true, columns = {{{columns}}})"
    )


def _header(path: Path, delimiter: str) -> list[str]:
    name = str(path)
    try:
        header = next(csv.reader(io.StringIO(_first_record(path), newline=""), delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not UTF-8.", hint="Save it as UTF-8 and load it again.") from error
    except (OSError, EOFError, csv.Error) as error:
        raise InputError(f"{name}: cannot be read ({error}).") from error
    header = [column.strip() for column in header]
    if not any(header):
        raise InputError(f"{name}: has no header line.")
    if header[0][:1] in ("{", "[", "<"):
        raise InputError(f"{name}: is not CSV; it begins with {header[0][:20]!r}.", hint="Rename it to what it is.")
    if "" in header:
        raise InputError(f"{name}: column {header.index('') + 1} of its header has no name.")
    if double := sorted({column for column in header if header.count(column) > 1}):
        raise InputError(f"{name}: its header names {', '.join(double)} twice.")
    if len(header) == 1 and (other := next((c for c in (";", "\t", "|", ",") if c in header[0]), None)):
        raise InputError(
            f"{name}: its fields are separated by {other!r}, not by {delimiter!r}.",
            hint="Save it with commas as .csv, or with tabs as .tsv.",
        )
    return _told_apart(header)


def _told_apart(header: Sequence[str]) -> list[str]:
    """Number names that differ only in case, as the engine does in Parquet and JSON: to it they are the same."""
    found: list[str] = []
    for column in header:
        lowered, name, number = {name.lower() for name in found}, column, 0
        while name.lower() in lowered:
            number += 1
            name = f"{column}_{number}"
        found.append(name)
    return found


def _first_record(path: Path) -> str:
    """Return the header's line; more than one if a quoted name goes on over a line end."""
    data = b""
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        while line := file.readline(MAX_HEADER_BYTES):
            data += line
            if data.count(b'"') % 2 == 0 or len(data) > MAX_HEADER_BYTES:
                break
    return data.decode("utf-8-sig")


def _columns(engine: DuckDBPyConnection, query: str) -> dict[str, str]:
    return {row[0]: str(row[1]) for row in engine.execute(f"DESCRIBE {query}").fetchall()}


def _check_columns(name: str, columns: dict[str, str]) -> None:
    if taken := sorted(_RESERVED & {column.lower() for column in columns}):
        raise InputError(f"{name}: the column name {taken[0]} is reserved.", hint="Rename the column.")


def _json_text(column: str) -> str:
    quoted = quote_identifier(column)
    return f"json_extract_string({quoted}, '$') AS {quoted}"


def _as_text(column: str, kind: str) -> str:
    quoted = quote_identifier(column)
    nested = kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]")
    value = f"to_json({quoted})" if nested else quoted
    return f"CAST({value} AS VARCHAR) AS {quoted}"


def _translated(name: str, kind: str, text: str) -> InputError:
    line = re.search(r"CSV Error on Line: (\d+)", text)
    where = f" (line {line[1]})" if line else ""
    if "not utf-8" in text or "Invalid unicode" in text:
        return InputError(f"{name}: is not UTF-8{where}.", hint="Save it as UTF-8 and load it again.")
    if fields := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text):
        return InputError(f"{name}: line {line[1] if line else '?'} has {fields[2]} fields, its header {fields[1]}.")
    if "unterminated quote" in text:
        return InputError(f"{name}: line {line[1] if line else '?'} opens a quote that is never closed.")
    if "expected records" in text:
        return InputError(f"{name}: its records are no JSON objects.", hint='Each must be like {"column": value}.')
    if fault := re.search(
        r"Malformed JSON in file .*?, at byte \d+ in (?:line|record/value) (\d+): (.*?)[.\s]*$", text, re.M
    ):
        return InputError(f"{name}: is not valid JSON at record {fault[1]}: {fault[2]}.")
    if kind == "parquet":
        return InputError(f"{name}: is not a Parquet file.", hint="Rename it to what it is.")
    return InputError(f"{name}: cannot be read as {kind}{where}: {text.splitlines()[0][:300]}")
