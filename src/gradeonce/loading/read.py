"""Reading files into rows that may land: the path of a load up to the point where the warehouse takes over."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gradeonce.errors import BadRow, InputError, UsageError
from gradeonce.loading.content import content_id
from gradeonce.loading.contract import KINDS
from gradeonce.loading.files import RawFile, read_file
from gradeonce.loading.mapping import (
    OWN_COLUMNS,
    Mapped,
    add_shorthand,
    check_columns,
    fitting_variant,
    map_own_columns,
    map_with,
    read_select,
)
from gradeonce.loading.validate import Contract, Options
from gradeonce.players import lookup_sql, player_aliases, repaired_sql
from gradeonce.sources import Variant, find_source
from gradeonce.statements import quote_literal, statement, statements
from gradeonce.warehouses.engine import run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

YEARS_AHEAD = 2
"""How far in the future a game may lie before its date must be a slip."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class ReadRows:
    """What was read. Nothing has landed yet.

    The source's rows reconcile: rows_mapped = rows_kept + repeated + refused + bad.

    Attributes:
        kind: predictions, actuals, injuries or lines.
        relation: Relation of the engine with the columns of the kind's table, in order, but for `load_id` and
            `loaded_at`; `load_row` rises in file order.
        bad_relation: Relation with kind, file, file_row, reasons, row_json: the rows that are bad or refused.
        content_id: Identity of this content, read this way.
        files: The files as given.
        rows_read: Data rows of the files.
        rows_mapped: Rows that the source made of them (two sides of a line are one).
        rows_kept: Of those, the ones that may land.
        rows: Rows of `relation`: a wide box score becomes a row for each market.
        repeated: Rows left out because the very same row came again later.
        refused: Rows set aside on purpose, by reason; they never fail a load.
        bad: Rows that break the contract.
        samples: The first 20 problems, in file order.
        partitions: Game dates, sorted.
    """

    kind: str
    relation: str
    bad_relation: str
    content_id: str
    files: tuple[str, ...]
    rows_read: int
    rows_mapped: int
    rows_kept: int
    rows: int
    repeated: int
    refused: Mapping[str, int]
    bad: int
    samples: tuple[BadRow, ...]
    partitions: tuple[str, ...]


def read_rows(
    engine: DuckDBPyConnection,
    kind: str,
    files: Sequence[Path],
    *,
    source: str = OWN_COLUMNS,
    select: Path | None = None,
    timezone: str | None = None,
    league_timezone: str = "America/New_York",
    references: Mapping[str, Path] | None = None,
    ignore_extra: bool = False,
    aliases: Path | None = None,
    today: date,
) -> ReadRows:
    """Read files, map their columns onto ours and check every row. Bad rows are counted, not raised.

    Args:
        engine: Where the rows are made, as temporary relations.
        kind: predictions, actuals, injuries or lines.
        files: CSV, TSV, Parquet, JSON or JSON lines, text also gzipped; in order, later readings win.
        source: Preset that maps the columns; the default takes them as ours.
        select: A mapping of the user's own: one SELECT over `{rows}`. Takes the preset's place.
        timezone: Zone of instants without an offset; None makes those bad.
        league_timezone: Where the league's dates are counted.
        references: Further files by slot name, for mappings that join to them.
        ignore_extra: Leave unknown columns out instead of raising.
        aliases: CSV of the user's spellings of players.
        today: Today's date, for what is too far in the future.

    Raises:
        UsageError: If kind, source or zone is unknown, no file is given, or two mappings are.
        InputError: If a file cannot be read, or a column is unknown or missing.
    """
    _check_call(kind, files, source, select, (timezone, league_timezone))
    identity = content_id(
        kind,
        files,
        source=source,
        select=select,
        references=references,
        aliases=aliases,
        options={"timezone": timezone, "league_timezone": league_timezone},
    )
    prefix = f"reading_{next(_numbers)}"
    add_shorthand(engine, timezone=timezone, league_timezone=league_timezone)
    raws = [read_file(engine, path, f"{prefix}_raw_{number}") for number, path in enumerate(files)]
    others = {
        slot: read_file(engine, path, f"{prefix}_with_{number}")
        for number, (slot, path) in enumerate((references or {}).items())
    }
    mapped = [_mapped(engine, raw, kind, source, select, others) for raw in raws]
    title = str(select) if select else source
    columns = [
        check_columns(raw, m, kind, title=title, ignore_extra=ignore_extra) for raw, m in zip(raws, mapped, strict=True)
    ]
    latest = today.replace(year=today.year + YEARS_AHEAD, day=min(today.day, 28))
    contract = Contract(kind, {c for names in columns for c in names}, Options(timezone, league_timezone, latest))
    rows = _Rows(engine, prefix, contract, player_aliases(aliases))
    return rows.read(raws, mapped, identity)


def _check_call(
    kind: str, files: Sequence[Path], source: str, select: Path | None, zones: Sequence[str | None]
) -> None:
    if kind not in KINDS:
        raise UsageError(f"There is nothing to load called {kind!r}.", hint=f"Expected one of {', '.join(KINDS)}.")
    if not files:
        raise UsageError("No file was given.")
    if select is not None and source != OWN_COLUMNS:
        raise UsageError("--source and --select exclude each other.", hint="Give one of them.")
    for zone in zones:
        try:
            ZoneInfo(zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise UsageError(
                f"There is no timezone {zone!r}.", hint="Expected a name like America/New_York."
            ) from error


def _mapped(
    engine: DuckDBPyConnection,
    raw: RawFile,
    kind: str,
    source: str,
    select: Path | None,
    references: Mapping[str, RawFile],
) -> Mapped:
    relation = f"{raw.relation}_mapped"
    relations = {slot: f"({other.plain_sql(as_text=select is None)})" for slot, other in references.items()}
    if select is not None:
        sql = read_select(select)
        _check_no_stray(str(select), references, {slot for slot in references if f"{{{slot}}}" in sql})
        rows = raw.numbered_sql(as_text=False)
        return map_with(engine, raw, sql, title=str(select), relation=relation, references=relations, rows=rows)
    preset = find_source(source, kind)
    _check_no_stray(source, references, {slot for variant in preset.variants for slot in variant.references})
    if source == OWN_COLUMNS:
        return map_own_columns(raw)
    variant = fitting_variant(preset, raw, kind)
    _check_references(source, variant, references)
    rows = raw.numbered_sql(as_text=True, optional=variant.optional)
    return map_with(engine, raw, variant.sql, title=source, relation=relation, references=relations, rows=rows)


def _check_no_stray(title: str, given: Mapping[str, RawFile], used: Collection[str]) -> None:
    if stray := [slot for slot in given if slot not in used]:
        joins = f"It joins to: {', '.join(sorted(used))}." if used else "It joins to no other file."
        raise UsageError(f"{title} has no use for a file of {stray[0]}.", hint=joins)


def _check_references(source: str, variant: Variant, given: Mapping[str, RawFile]) -> None:
    for slot, columns in variant.references.items():
        hint = f"Give it with --with {slot}=FILE; columns: {', '.join(columns)}."
        if slot not in given:
            raise InputError(f"The source {source} also needs a file of {slot}.", hint=hint)
        has = {column.lower() for column in given[slot].columns}
        if missing := [column for column in columns if column not in has]:
            raise InputError(f"{given[slot].name}: lacks {', '.join(missing)}, which {source} needs.", hint=hint)


class _Rows:
    """The relations of one reading, made one after the other."""

    def __init__(self, engine: DuckDBPyConnection, prefix: str, contract: Contract, aliases: Mapping[str, str]) -> None:
        self.engine = engine
        self.prefix = prefix
        self.contract = contract
        self.aliases = aliases

    def read(self, raws: Sequence[RawFile], mapped: Sequence[Mapped], identity: str) -> ReadRows:
        self._make_texts(mapped)
        self._make_typed()
        ((rows_mapped, bad, refused_rows),) = self._run("verdicts")
        refused = dict(self._run("refused")) if refused_rows else {}
        samples = self._make_bad_rows(raws, any_unfit=bool(bad or refused_rows))
        if bad or refused_rows:
            self._run("drop_unfit")
        repeated = self._drop_repeated()
        self._make_rows()
        ((rows, partitions),) = self._run("summary")
        return ReadRows(
            kind=self.contract.kind,
            relation=self._name("rows"),
            bad_relation=self._name("bad"),
            content_id=identity,
            files=tuple(raw.name for raw in raws),
            rows_read=sum(raw.rows for raw in raws),
            rows_mapped=rows_mapped,
            rows_kept=rows_mapped - bad - refused_rows - repeated,
            rows=rows,
            repeated=repeated,
            refused=refused,
            bad=bad,
            samples=samples,
            partitions=tuple(partitions or ()),
        )

    def _make_texts(self, mapped: Sequence[Mapped]) -> None:
        selects, before = [], 0
        for number, m in enumerate(mapped):
            selects.append(
                f"SELECT {self.contract.texts_sql(m.columns)}, _n + {before} AS _n, {number} AS _file_number, "
                f"_file, _row, _refused FROM ({m.select})"
            )
            before += m.rows
        run(self.engine, f"CREATE TEMP VIEW {self._name('texts')} AS {' UNION ALL '.join(selects)}")

    def _make_typed(self) -> None:
        self._run(
            "names",
            {"aliases": list(self.aliases), "players": list(self.aliases.values())},
            repaired=repaired_sql("spelling"),
            lookup=lookup_sql("repaired", repair=False),
        )
        markets = statements("gradeonce.loading", "markets.sql")
        self._run("markets", word=markets["market_word"].replace("{value}", "spelling"), known=markets["markets"])
        self._run("checked", made=self.contract.made_sql(), parsed=self.contract.parsed_sql())
        self._run("typed", columns=", ".join(self.contract.kept), broken=self.contract.broken_sql())

    def _make_bad_rows(self, raws: Sequence[RawFile], *, any_unfit: bool) -> tuple[BadRow, ...]:
        if not any_unfit:
            self._run("no_bad_rows")
            return ()
        self._run(
            "problems",
            problem_list=self.contract.problems_sql(),
            refusal=self.contract.refusal_sql(),
            broken=self.contract.broken_sql(),
        )
        originals = " UNION ALL ".join(
            f"SELECT {number} AS file_number, original.rowid + 1 AS file_row, to_json(original) AS row_json "
            f"FROM {raw.relation} AS original WHERE original.rowid + 1 IN "
            f"(SELECT _row FROM {self._name('problems')} WHERE _file_number = {number})"
            for number, raw in enumerate(raws)
        )
        self._run("bad_rows", kind=quote_literal(self.contract.kind), originals=originals)
        samples = self._run("samples")
        return tuple(BadRow(file, row, column, value, reason) for file, row, column, value, reason in samples)

    def _drop_repeated(self) -> int:
        columns = ", ".join(self.contract.kept)
        ((rows, distinct),) = self._run("count_repeated", columns=columns)
        if rows == distinct:
            return 0
        ((dropped,),) = self._run("drop_repeated", columns=columns)
        return int(dropped)

    def _make_rows(self) -> None:
        columns = ", ".join(self.contract.stored)
        if not self.contract.is_wide:
            self._run("narrow", columns=columns)
            return
        markets = self.contract.markets()
        self._run(
            "long",
            columns=columns,
            stats=self.contract.stats_sql(),
            places=str(len(markets)),
            all_stats=", ".join(markets),
        )

    def _name(self, what: str) -> str:
        return f"{self.prefix}_{what}"

    def _run(self, name: str, params: Mapping[str, Any] | None = None, /, **slots: str) -> list[tuple[Any, ...]]:
        # Any: rows of whatever shape the statement returns, and values that the engine can bind.
        body = statements("gradeonce.loading", "rows.sql")[name]
        relations = ("names", "markets", "texts", "checked", "typed", "problems", "bad", "rows")
        slots |= {r: self._name(r) for r in relations if f"{{{r}}}" in body}
        sql = statement("gradeonce.loading", "rows.sql", name, **slots)
        return run(self.engine, sql, params).fetchall()
