"""The whole way in: look, adopt, remove copies, grade again. Each step is one that can be run by itself.

Their table is only ever read. Every step is one commit of the book or none, and begins by looking what was done before;
so whoever dies on the way runs the same again, and ends where he would have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from gradeonce.adopt import AdoptReport, adopt_rows, new_adoption_id
from gradeonce.adopted import adopted_partitions
from gradeonce.backfill import GradeReport, grade_dates
from gradeonce.dedupe import Applied, Deduper, apply_plan, make_plan
from gradeonce.dedupe.choice import Choice, Keep
from gradeonce.dedupe.store import keep_plan
from gradeonce.errors import RefusedForSafety
from gradeonce.grading import Grader
from gradeonce.migrate.columns import Mapped
from gradeonce.migrate.differences import Comparison, compare
from gradeonce.migrate.findings import Findings, find
from gradeonce.migrate.theirs import Theirs, read_theirs, refuse_own
from gradeonce.publish import ignore_steps
from gradeonce.schema import ACCURACY, PREDICTIONS

SAMPLES = 5


@dataclass(frozen=True)
class MigrateOptions:
    """How a table is taken over.

    Attributes:
        columns: Their name of a column by ours, where it is neither ours nor one that many use.
        keep: Which of several copies of a key stays, `earliest` or `latest` by `graded_at`.
        samples: How many rows of each kind are shown.
        apply: Do it; otherwise only say what would be done.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    keep: str = Keep.EARLIEST.value
    samples: int = SAMPLES
    apply: bool = False


@dataclass(frozen=True)
class MigrationReport:
    """What is there, what was done, and how what stood differs from what our rules say.

    Attributes:
        status: plan (nothing was changed), migrated, or already_migrated (there was nothing left to do).
        source: Their table.
        mapped: Which of their columns is which of ours.
        findings: What their table holds.
        to_adopt: Dates that are not in the book yet; after an apply none is.
        comparison: What stood against what our rules say.
        to_grade: Dates that can be graded and are not yet; after an apply those that failed.
        adopted: What was adopted now; None if nothing was.
        removed: What was removed now; None if nothing was.
        graded: What was graded now; None if nothing was.
    """

    status: str
    source: str
    mapped: Mapped
    findings: Findings
    to_adopt: tuple[str, ...]
    comparison: Comparison
    to_grade: tuple[str, ...]
    adopted: AdoptReport | None = None
    removed: Applied | None = None
    graded: GradeReport | None = None


def migrate(
    deduper: Deduper,
    grader: Grader,
    table: str,
    options: MigrateOptions,
    *,
    on_told: Callable[[str], None] = ignore_steps,
) -> MigrationReport:
    """Take a table of grades over, or say what that would do.

    Args:
        deduper: Removes copies from the book.
        grader: Grades the book's dates.
        table: Theirs, e.g. `project.dataset.prediction_accuracy`.
        options: How.
        on_told: Called with a line as each step begins.

    Raises:
        UsageError: If there is no such table, or it holds no grades.
        RefusedForSafety: If values cannot be read, or rows that nobody published stand in the book. What was done
            before stands; nothing is half done.
        LeaseHeld, LeaseLost, PublishConflict, WarehouseError: Of a step. The same holds.
    """
    clock, run_id = deduper.clock, new_adoption_id(deduper.clock)
    theirs = read_theirs(deduper.warehouse, table, options.columns, run_id=run_id, adopted_at=clock.now())
    refuse_own(deduper.warehouse, deduper.settings, theirs)
    on_told(f"looking at {theirs.source}")
    report = _looked_at(deduper, theirs, options)
    deduper.on_step("migrate.looked")
    if not options.apply:
        return report
    _refuse_unread(report)
    adopted = removed = graded = None
    if report.to_adopt:
        on_told(f"adopting {len(report.to_adopt)} date(s)")
        found = report.findings.grades
        adopted = adopt_rows(deduper.warehouse, clock, theirs.select, found, run_id=run_id, on_step=deduper.on_step)
        deduper.on_step("migrate.adopted")
    removed = _without_copies(deduper, report.findings.grades.partitions, options, on_told)
    if report.to_grade:
        on_told(f"grading {len(report.to_grade)} date(s)")
        graded = grade_dates(grader, [date.fromisoformat(day) for day in report.to_grade])
        deduper.on_step("migrate.graded")
    return replace(
        report,
        status="migrated" if adopted or removed or graded else "already_migrated",
        to_adopt=(),
        to_grade=tuple(graded.errors) if graded else (),
        adopted=adopted,
        removed=removed,
        graded=graded,
    )


def _looked_at(deduper: Deduper, theirs: Theirs, options: MigrateOptions) -> MigrationReport:
    """Return what an apply would do. Only questions are asked."""
    warehouse = deduper.warehouse
    standing = {fence.partition for fence in warehouse.all_fences(ACCURACY) if fence.rows}
    predicted = {fence.partition for fence in warehouse.all_fences(PREDICTIONS) if fence.rows}
    ours = standing - set(adopted_partitions(warehouse))
    with warehouse.reader(joins_whole=True) as reader:
        findings = find(reader, theirs, samples=options.samples)
        days = findings.grades.partitions
        comparison = compare(
            reader,
            theirs,
            deduper.settings,
            # Of what is theirs by their own name; the book may hold other rows on the same dates.
            Choice(replace(ACCURACY, name="theirs"), ACCURACY.key, Keep(options.keep), "graded_at"),
            grade=[day for day in days if day in predicted and day not in ours],
            graded=[day for day in days if day in ours],
            samples=options.samples,
        )
    unpredicted = {day: "no predictions are loaded" for day in days if day not in predicted and day not in ours}
    return MigrationReport(
        status="plan",
        source=theirs.source,
        mapped=theirs.mapped,
        findings=findings,
        to_adopt=tuple(day for day in days if day not in standing),
        comparison=replace(
            comparison, held={**unpredicted, **{d: why for d, why in comparison.held.items() if d not in ours}}
        ),
        to_grade=tuple(day for day in comparison.ready if day not in ours),
    )


def _refuse_unread(report: MigrationReport) -> None:
    unread = report.findings.unread
    if unread:
        columns = ", ".join(f"{count} of {name}" for name, count in unread.items())
        raise RefusedForSafety(
            f"{report.source} holds values that cannot be read: {columns}.",
            hint="Name another column with --column, or read a view of the table that puts them right.",
        )


def _without_copies(
    deduper: Deduper, partitions: Sequence[str], options: MigrateOptions, on_told: Callable[[str], None]
) -> Applied | None:
    choice = deduper.choice(keep=options.keep)
    plan = make_plan(deduper.warehouse, deduper.clock, choice, partitions=list(partitions))
    if not plan.partitions:
        return None
    keep_plan(deduper.warehouse, plan)
    deduper.on_step("migrate.planned")
    on_told(f"removing {plan.rows_deleted} copies, after a backup in {plan.backup}")
    applied = apply_plan(deduper, plan.plan_id)
    deduper.on_step("migrate.cleaned")
    return applied
