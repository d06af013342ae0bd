"""Adopting grades that somebody else made: brought in as they stand, fenced, in the ledger, and marked as unverified.

No lease is taken: rows are put only where none stand, and the fence decides against whoever publishes there meanwhile.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce.adopted import adopted_partitions
from gradeonce.clock import Clock
from gradeonce.errors import RefusedForSafety, UsageError
from gradeonce.leases import new_holder
from gradeonce.model import Copies, Fence, Query
from gradeonce.publish import Judgement, ignore_steps, publish
from gradeonce.rules.derived import derived_from_grades
from gradeonce.run_id import new_run_id
from gradeonce.schema import ACCURACY, OUTCOMES
from gradeonce.statements import quote_identifier, quote_literal, statement
from gradeonce.warehouses.base import OnStep, Rows, Stage, Warehouse

if TYPE_CHECKING:
    from gradeonce.config import Settings

KIND = "adopt"
"""Kind of the ledger entries."""

_KEY = ", ".join(quote_identifier(name) for name in (ACCURACY.partition, *ACCURACY.key))
_COLUMNS = ", ".join(quote_identifier(name) for name in ACCURACY.column_names)


@dataclass(frozen=True)
class AdoptReport:
    """What was found and adopted.

    Attributes:
        status: adopted, already_adopted (the same content came before, or everything has a fence), or dry_run.
        run_id: The run, in the ledger and in rows that named none; empty if nothing was adopted.
        source: The files, or the table.
        rows: Rows adopted.
        partitions: Their dates.
        duplicates: Keys that stand more than once, by date and number of copies.
        null_keys: Rows with a null in a column of the key (the line aside, which may be none), by column.
        two_scales: Systems whose confidence is on two scales: rows up to 1, and rows above.
        outcomes: Rows by outcome.
        lacking: Columns of ours that the files do not have.
        skipped: Dates left out, because a fence stands there already.
    """

    status: str
    run_id: str = ""
    source: str = ""
    rows: int = 0
    partitions: tuple[str, ...] = ()
    duplicates: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    null_keys: Mapping[str, int] = field(default_factory=dict)
    two_scales: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def duplicated_keys(self) -> int:
        """How many keys stand more than once."""
        return sum(keys for by_copies in self.duplicates.values() for keys in by_copies.values())


@dataclass(frozen=True)
class AdoptOptions:
    """How files are to be read.

    Attributes:
        select: A mapping of the user's own: one SELECT over `{rows}`; None takes the columns as ours.
        timezone: Zone of instants that carry no offset; None makes them an error.
        ignore_extra: Leave unknown columns out instead of refusing the file.
        dry_run: Only say what is there.
    """

    select: Path | None = None
    timezone: str | None = None
    ignore_extra: bool = False
    dry_run: bool = False


def adopt(
    warehouse: Warehouse,
    settings: Settings,
    clock: Clock,
    what: str | Path | Sequence[str | Path],
    options: AdoptOptions,
    *,
    on_step: OnStep = ignore_steps,
) -> AdoptReport:
    """Adopt the rows of our table of grades if `what` is its name, ours or the user's; else files.

    Raises:
        UsageError: If options say how files are read, and there are none.
        InputError, RefusedForSafety: See `adopt_files`.
    """
    if what in (ACCURACY.name, settings.tables.get(ACCURACY.name)):
        if options != AdoptOptions(dry_run=options.dry_run):
            raise UsageError(
                "A mapping, a time zone and further columns are for files; a table is taken as it stands.",
                hint=f"gradeonce adopt {ACCURACY.name}",
            )
        return adopt_table(warehouse, clock, dry_run=options.dry_run, on_step=on_step)
    files = [Path(what)] if isinstance(what, str | Path) else [Path(file) for file in what]
    return adopt_files(warehouse, settings, clock, files, options, on_step=on_step)


def adopt_files(
    warehouse: Warehouse,
    settings: Settings,
    clock: Clock,
    files: Sequence[Path],
    options: AdoptOptions,
    *,
    on_step: OnStep = ignore_steps,
) -> AdoptReport:
    """Bring a dump of grades into the book, on dates where no grades stand.

    Raises:
        InputError: If a file cannot be read as grades. Nothing was adopted.
        RefusedForSafety: If grades stand on one of the dates. Nothing was adopted.
    """
    from gradeonce import loading
    from gradeonce.loading.grades import read_grades

    source = ", ".join(file.name for file in files)
    read_how = {"timezone": options.timezone, "ignore_extra": str(options.ignore_extra)}
    content_id = loading.content_id("adopted grades", files, select=options.select, options=read_how)
    found = _adopted_before(warehouse, content_id)
    if found:
        return AdoptReport("already_adopted", found, source)
    run_id = new_adoption_id(clock)
    with tempfile.TemporaryDirectory(prefix="gradeonce-") as folder:
        dump = Path(folder) / "grades.parquet"
        with warehouse.engine() as engine:
            read = read_grades(
                engine,
                files,
                select=options.select,
                timezone=options.timezone,
                league_timezone=settings.timezone,
                ignore_extra=options.ignore_extra,
                run_id=run_id,
                adopted_at=clock.now(),
            )
            engine.execute(f"COPY ({read.select}) TO {quote_literal(str(dump))} (FORMAT parquet)")

            def ask(sql: str) -> Rows:
                cursor = engine.execute(sql)
                return Rows(tuple(column[0] for column in cursor.description or ()), cursor.fetchall())

            report = look_at_grades(ask, f"read_parquet({quote_literal(str(dump))})", source, read.lacking)
        on_step("adopt.read")
        fences = warehouse.fences(ACCURACY, report.partitions)
        try:
            _refuse_graded(warehouse, fences)
            _refuse_loose(warehouse, report.partitions)
            if options.dry_run:
                return _as(report, "dry_run", "")
            query = Query(f"SELECT {_COLUMNS} FROM adopted_grades", files={"adopted_grades": (ACCURACY, dump)})
            _publish(warehouse, clock, query, report, fences, run_id, content_id, Copies.ALLOWED, on_step)
        except RefusedForSafety:
            # Asked again: what stands there now may be these very files, adopted by somebody else since we looked.
            found = _adopted_before(warehouse, content_id)
            if not found:
                raise
            return AdoptReport("already_adopted", found, source)
    return _as(report, "adopted", run_id)


def adopt_table(
    warehouse: Warehouse, clock: Clock, *, dry_run: bool = False, on_step: OnStep = ignore_steps
) -> AdoptReport:
    """Take over the grades that stand in the book's table without a fence, where they stand.

    Raises:
        UsageError: If nobody but gradeonce can have put rows there.
    """
    if not warehouse.capabilities.shares_tables:
        raise UsageError(
            "In a book in a folder, nobody else can have put grades.", hint="Adopt a file: gradeonce adopt dump.parquet"
        )
    with warehouse.reader() as reader:
        found = statement(__package__, "adopt.sql", "partitions", rows=ACCURACY.name)
        partitions = [partition for (partition,) in reader.query(found).rows]
    fences = warehouse.fences(ACCURACY, partitions)
    loose = {partition: fence for partition, fence in fences.items() if not fence.rows}
    skipped = tuple(partition for partition in partitions if partition not in loose)
    if not loose:
        return AdoptReport("already_adopted", source=ACCURACY.name, skipped=skipped)
    dates = ", ".join(f"CAST({quote_literal(partition)} AS DATE)" for partition in loose)
    with warehouse.reader() as reader:
        rows = f"(SELECT * FROM {ACCURACY.name} WHERE game_date IN ({dates})) AS found"
        report = look_at_grades(reader.query, rows, ACCURACY.name, (), skipped)
    if dry_run:
        return _as(report, "dry_run", "")
    run_id = new_adoption_id(clock)
    query = Query(f"SELECT {_COLUMNS} FROM {ACCURACY.name}", inputs={ACCURACY.name: tuple(loose)})
    _publish(warehouse, clock, query, report, loose, run_id, "", Copies.IN_PLACE, on_step)
    return _as(report, "adopted", run_id)


def adopt_rows(
    warehouse: Warehouse,
    clock: Clock,
    select: str,
    found: AdoptReport,
    *,
    run_id: str,
    on_step: OnStep = ignore_steps,
) -> AdoptReport:
    """Copy grades that the warehouse can read into the book, as they stand, on those of their dates that hold none.

    Args:
        select: SELECT of all columns of a grade.
        found: What is known of its rows: source, dates, duplicates.
        run_id: The run, in the ledger.

    Raises:
        RefusedForSafety: If rows stand on one of the dates that nobody published. Nothing was adopted.
    """
    fences = warehouse.fences(ACCURACY, found.partitions)
    free = {partition: fence for partition, fence in fences.items() if not fence.rows}
    skipped = tuple(partition for partition in found.partitions if partition not in free)
    if not free:
        return replace(found, status="already_adopted", partitions=(), rows=0, skipped=skipped)
    _refuse_loose(warehouse, list(free))
    dates = ", ".join(f"CAST({quote_literal(partition)} AS DATE)" for partition in free)
    query = Query(f"SELECT {_COLUMNS} FROM ({select}) AS theirs WHERE game_date IN ({dates})")
    rows = _publish(warehouse, clock, query, found, free, run_id, "", Copies.ALLOWED, on_step)
    return replace(found, status="adopted", run_id=run_id, partitions=tuple(free), rows=rows, skipped=skipped)


def _publish(
    warehouse: Warehouse,
    clock: Clock,
    query: Query,
    report: AdoptReport,
    fences: Mapping[str, Fence],
    run_id: str,
    content_id: str,
    copies: Copies,
    on_step: OnStep,
) -> int:
    details: dict[str, Any] = {"adopted": True, "source": report.source}
    if content_id:
        details["content_id"] = content_id

    def judge(stage: Stage) -> dict[str, Judgement]:
        return {
            partition: Judgement({**details, "duplicated_keys": sum(report.duplicates.get(partition, {}).values())})
            for partition in fences
        }

    published = publish(
        warehouse,
        ACCURACY,
        query,
        list(fences),
        run_id=run_id,
        holder=new_holder(KIND),
        kind=KIND,
        derived=derived_from_grades(),
        judge=judge,
        copies=copies,
        expected=fences,
        clock=clock,
        on_step=on_step,
    )
    return sum(one.rows for one in published.values())


def look_at_grades(
    ask: Callable[[str], Rows], rows: str, source: str, lacking: tuple[str, ...], skipped: tuple[str, ...] = ()
) -> AdoptReport:
    """Return what is odd about grades in a relation; nothing is changed.

    Args:
        ask: Runs a SELECT.
        rows: The relation, aliased if it is a subquery.
        source: What it is called.
        lacking: Columns of ours that it does not have.
        skipped: Dates left out of it.
    """
    # A line of none is a pick without a line; any other part of the key that is null names nothing.
    parts = [name for name in ACCURACY.key if name != "line_value"]
    counts = ", ".join(f"count(*) FILTER (WHERE {quote_identifier(name)} IS NULL)" for name in parts)
    total, _, _, _, *nulls = ask(_sql("overview", rows=rows, null_counts=counts)).rows[0]
    duplicates: dict[str, dict[int, int]] = {}
    for partition, copies, keys in ask(_sql("duplicates", rows=rows, key=_KEY)).rows:
        duplicates.setdefault(partition, {})[copies] = keys
    return AdoptReport(
        status="",
        source=source,
        rows=total,
        partitions=tuple(partition for (partition,) in ask(_sql("partitions", rows=rows)).rows),
        duplicates=duplicates,
        null_keys={name: count for name, count in zip(parts, nulls, strict=True) if count},
        two_scales={system: (low, high) for system, low, high in ask(_sql("two_scales", rows=rows)).rows},
        outcomes=_in_order(dict(ask(_sql("outcomes", rows=rows)).rows)),
        lacking=lacking,
        skipped=skipped,
    )


def _in_order(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in (*OUTCOMES, *sorted(set(counts) - set(OUTCOMES))) if name in counts}


def _as(report: AdoptReport, status: str, run_id: str) -> AdoptReport:
    return replace(report, status=status, run_id=run_id)


def _refuse_graded(warehouse: Warehouse, fences: Mapping[str, Fence]) -> None:
    standing = [partition for partition, fence in fences.items() if fence.rows]
    if not standing:
        return
    adopted = set(adopted_partitions(warehouse))
    whose = "adopted grades of another dump" if set(standing) <= adopted else "our own grades"
    more = f" and {len(standing) - 3} more" if len(standing) > 3 else ""
    raise RefusedForSafety(
        f"On {', '.join(standing[:3])}{more} stand {whose} already.",
        hint="Leave these dates out of the dump; what stands is never replaced by an adoption.",
    )


def _refuse_loose(warehouse: Warehouse, partitions: Sequence[str]) -> None:
    """Raise if rows stand there that nobody published: they would have to go, and nobody has looked at them."""
    if not warehouse.capabilities.shares_tables:
        return
    dates = ", ".join(f"CAST({quote_literal(partition)} AS DATE)" for partition in partitions)
    with warehouse.reader() as reader:
        count = reader.query(f"SELECT count(*) FROM {ACCURACY.name} WHERE game_date IN ({dates})").rows[0][0]
    if count:
        raise RefusedForSafety(
            f"{count} rows that gradeonce never published stand on these dates in {ACCURACY.name}.",
            hint=f"Adopt those where they stand: gradeonce adopt {ACCURACY.name}",
        )


def _adopted_before(warehouse: Warehouse, content_id: str) -> str:
    with warehouse.reader() as reader:
        rows = reader.query(
            "SELECT run_id FROM ledger WHERE kind = $kind AND details LIKE $mark ORDER BY number LIMIT 1",
            {"kind": KIND, "mark": f'%"content_id":"{content_id}"%'},
        ).rows
    return str(rows[0][0]) if rows else ""


def new_adoption_id(clock: Clock) -> str:
    """Return the identity of an adoption."""
    return new_run_id("adopted-", clock.now())


def _sql(name: str, **slots: str) -> str:
    return statement(__package__, "adopt.sql", name, **slots)
