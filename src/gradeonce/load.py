"""Loading files: read and check them in the engine, then land their rows, all or none, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce.clock import Clock, league_today
from gradeonce.errors import UsageError
from gradeonce.leases import new_holder
from gradeonce.model import EntryDraft
from gradeonce.publish import ignore_steps
from gradeonce.run_id import new_run_id
from gradeonce.schema import LINES, LOADED_TABLES, QUARANTINE, Table
from gradeonce.statements import quote_identifier, quote_literal
from gradeonce.warehouses.base import OnStep, Warehouse

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from gradeonce.config import Settings
    from gradeonce.loading import ReadRows


@dataclass(frozen=True)
class LoadOptions:
    """How files are to be read.

    Attributes:
        source: Name of the preset; `gradeonce` is our own columns.
        select: The user's own mapping instead of a preset.
        on_bad_rows: `fail` (nothing lands) or `quarantine` (good rows land, bad ones are kept with their reasons).
        timezone: Zone of instants that carry no offset; None makes them an error.
        references: Further files a mapping reads, by name.
        ignore_extra: Leave unknown columns out instead of refusing the file.
        line_from: `lines` takes the line of predictions without one from the loaded lines.
        book: Whose lines: a bookmaker's name or `consensus`.
        derive_recommendation: Fill an empty recommendation from prediction against line.
    """

    source: str = "gradeonce"
    select: Path | None = None
    on_bad_rows: str = "fail"
    timezone: str | None = None
    references: Mapping[str, Path] = field(default_factory=dict)
    ignore_extra: bool = False
    line_from: str | None = None
    book: str = "consensus"
    derive_recommendation: bool = False


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes:
        kind: predictions, actuals, injuries or lines.
        status: loaded, nothing_new (every row stood already) or already_loaded (the same content came before).
        load_id: Identity of the load, also in every row it brought.
        files: The files, as given.
        rows_read: Rows in the files.
        rows: Rows that landed in the table (a wide box score becomes one row per market).
        known: Rows left out because the very same row stood already.
        repeated: Rows left out because the file repeats them.
        refused: Rows set aside on purpose, by reason.
        quarantined: Bad rows kept in quarantine.
        partitions: Dates touched.
    """

    kind: str
    status: str
    load_id: str
    files: tuple[str, ...]
    rows_read: int = 0
    rows: int = 0
    known: int = 0
    repeated: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0
    partitions: tuple[str, ...] = ()


def load_files(
    warehouse: Warehouse,
    settings: Settings,
    clock: Clock,
    kind: str,
    files: Sequence[Path],
    options: LoadOptions,
    *,
    on_step: OnStep = ignore_steps,
) -> LoadReport:
    """Load files of one kind in one transaction.

    Raises:
        InputError: If a file breaks its contract and bad rows are not to be quarantined. Nothing landed.
        UsageError: If the options do not fit the kind.
    """
    if kind not in LOADED_TABLES:
        raise UsageError(f"{kind!r} cannot be loaded; expected one of {', '.join(LOADED_TABLES)}.")
    if kind != "predictions" and (options.line_from or options.derive_recommendation):
        raise UsageError("Lines and recommendations are filled in for predictions only.")
    names = tuple(str(file) for file in files)
    content_id = content_of(warehouse, settings, kind, files, options)
    found = warehouse.find_load(content_id)
    if found is not None:
        return LoadReport(kind, "already_loaded", found, names)
    load_id = new_run_id("l", clock.now())
    with warehouse.engine() as engine:
        read = read_and_check(warehouse, engine, settings, clock, kind, files, options)
        on_step("load.read")
        relations = {"rows": (LOADED_TABLES[kind], stamp(engine, read, LOADED_TABLES[kind], load_id, clock))}
        relations |= stamp_quarantine(engine, read, load_id)
        entry = EntryDraft(
            kind="load",
            run_id=load_id,
            status="loaded",
            holder=new_holder("load"),
            details=entry_details(kind, files, options, read),
        )
        landed = warehouse.land(engine, relations, entry, content_id=content_id, on_step=on_step)
    if landed.already:
        return LoadReport(kind, "already_loaded", landed.load_id, names)
    return LoadReport(
        kind=kind,
        status="loaded" if landed.rows else "nothing_new",
        load_id=load_id,
        files=names,
        rows_read=read.rows_read,
        rows=landed.rows,
        known=landed.known,
        repeated=read.repeated,
        refused=dict(read.refused),
        quarantined=read.bad,
        partitions=landed.partitions,
    )


def content_of(
    warehouse: Warehouse,
    settings: Settings,
    kind: str,
    files: Sequence[Path],
    options: LoadOptions,
    **more: str,
) -> str:
    """Return what makes these files, read this way, that content; `more` is whatever else decides where it belongs."""
    from gradeonce import loading

    return loading.content_id(
        kind,
        files,
        source=options.source,
        select=options.select,
        options={**_options_that_matter(warehouse, settings, options), **more},
        references=options.references,
        aliases=settings.aliases_path,
    )


def read_and_check(
    warehouse: Warehouse,
    engine: DuckDBPyConnection,
    settings: Settings,
    clock: Clock,
    kind: str,
    files: Sequence[Path],
    options: LoadOptions,
) -> ReadRows:
    """Read files into the engine, check every row, and fill in what the options ask for. Nothing lands.

    Raises:
        InputError: If a row breaks the contract and bad rows are not to be quarantined.
    """
    from gradeonce import loading

    read = loading.read_rows(
        engine,
        kind,
        files,
        source=options.source,
        select=options.select,
        timezone=options.timezone,
        league_timezone=settings.timezone,
        references=options.references,
        ignore_extra=options.ignore_extra,
        aliases=settings.aliases_path,
        today=league_today(clock, settings.timezone),
    )
    loading.raise_if_bad(read, options.on_bad_rows)
    _fill_in(warehouse, engine, read, options)
    return read


def entry_details(kind: str, files: Sequence[Path], options: LoadOptions, read: ReadRows) -> dict[str, Any]:
    """Return what the ledger says of the files. Any: plain JSON values."""
    return {
        "kind": kind,
        "source": str(options.select or options.source),
        "files_read": [file.name for file in files],
        "rows_read": read.rows_read,
        "repeated": read.repeated,
        "refused": dict(read.refused),
        "quarantined": read.bad,
    }


def _options_that_matter(warehouse: Warehouse, settings: Settings, options: LoadOptions) -> dict[str, str | None]:
    matter = {
        "timezone": options.timezone,
        "league": settings.timezone,
        "ignore_extra": str(options.ignore_extra),
        "on_bad_rows": options.on_bad_rows,
        "derive": str(options.derive_recommendation),
    }
    if options.line_from:
        # The same predictions against other lines are other rows.
        seqs = sum(fence.seq for fence in warehouse.all_fences(LINES))
        matter |= {"line_from": options.line_from, "book": options.book, "lines": str(seqs)}
    return matter


def _fill_in(warehouse: Warehouse, engine: DuckDBPyConnection, read: ReadRows, options: LoadOptions) -> None:
    if options.line_from not in (None, "lines"):
        raise UsageError(f"Lines can be taken from 'lines' only, not from {options.line_from!r}.")
    if options.line_from is None and not options.derive_recommendation:
        return
    from gradeonce.loading.lines import attach_lines, derive_recommendation

    if options.line_from == "lines":
        warehouse.bring(engine, LINES, _partitions_of_lines(warehouse))
        attach_lines(engine, read.relation, LINES.name, book=options.book)
    if options.derive_recommendation:
        derive_recommendation(engine, read.relation)


def _partitions_of_lines(warehouse: Warehouse) -> list[str]:
    # A game keeps its id when it moves, so its lines may lie under another date: whatever that may be, it is wanted.
    if warehouse.capabilities.local_engine:
        return []
    return [fence.partition for fence in warehouse.all_fences(LINES) if fence.rows]


def stamp(engine: DuckDBPyConnection, read: ReadRows, table: Table, load_id: str, clock: Clock, **given: str) -> str:
    """Make a relation of the table's columns from what was read: stamps and `given` texts are the same in every row."""
    at = clock.now().astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    same = {name: quote_literal(text) for name, text in {**given, "load_id": load_id}.items()}
    same["loaded_at"] = f"CAST({quote_literal(at)} AS TIMESTAMP)"
    columns = ", ".join(
        f"{same[name]} AS {quote_identifier(name)}" if name in same else quote_identifier(name)
        for name in table.column_names
    )
    engine.execute(f"CREATE OR REPLACE TEMP TABLE stamped_rows AS SELECT {columns} FROM {read.relation}")
    return "stamped_rows"


def stamp_quarantine(engine: DuckDBPyConnection, read: ReadRows, load_id: str) -> dict[str, tuple[Table, str]]:
    """Make a relation of the bad rows, if there are any, ready to land beside the good ones."""
    if not (read.bad or read.refused):
        return {}
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE stamped_quarantine AS "
        f"SELECT kind, {quote_literal(load_id)} AS load_id, file, file_row, reasons, row_json "
        f"FROM {read.bad_relation}"
    )
    return {"quarantine": (QUARANTINE, "stamped_quarantine")}
