"""The book: one object through which Python callers, the command line and every other door do the same things.

What it can be asked is in `readable_book.py`; here is what changes it. Each is a door to the operation that does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce.backfill import GradeReport, Progress, grade_dates
from gradeonce.clock import Clock
from gradeonce.config import Settings, load_settings, named_book
from gradeonce.errors import UsageError
from gradeonce.grading import PartitionRun
from gradeonce.leases import LeaseStore
from gradeonce.model import Query
from gradeonce.publish import Derived, Published, ignore_steps, publish
from gradeonce.readable_book import ReadableBook
from gradeonce.schema import ACCURACY, Table
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.opening import create_warehouse

if TYPE_CHECKING:
    from gradeonce.adopt import AdoptOptions, AdoptReport
    from gradeonce.alerts import Announced, Problem
    from gradeonce.alerts.deliver import Sent
    from gradeonce.checks import CheckReport
    from gradeonce.collecting import CollectReport
    from gradeonce.dedupe import Applied, Dropped, Plan, RolledBack
    from gradeonce.load import LoadOptions, LoadReport
    from gradeonce.migrate import MigrateOptions, MigrationReport
    from gradeonce.staging import ConsolidationReport, StageReport, SweepReport


class Book(ReadableBook):
    """Predictions, actuals and grades in one place. A context manager; one per thread."""

    def load(
        self, kind: str, files: Sequence[str | Path] | str | Path, options: LoadOptions | None = None
    ) -> LoadReport:
        """Load files of one kind: predictions, actuals, injuries or lines.

        Args:
            kind: What the files hold.
            files: One path or several; CSV, Parquet, JSON or JSON lines, plain or gzipped.
            options: How to read them; None reads our own columns.

        Returns:
            What landed, what was left out and why. The same content twice lands once.

        Raises:
            InputError: If a row breaks the contract; nothing landed.
        """
        from gradeonce.load import LoadOptions, load_files

        report = load_files(
            self.warehouse,
            self.settings,
            self.clock,
            kind,
            _paths(files),
            options or LoadOptions(),
            on_step=self._on_step,
        )
        self._collect_when_due()
        return report

    def grade(
        self,
        day: date | str | None = None,
        *,
        start: date | str | None = None,
        end: date | str | None = None,
        all_dates: bool = False,
        dry_run: bool = False,
        wait_seconds: float | None = None,
        alert: bool | None = None,
        on_progress: Callable[[Progress, Sequence[PartitionRun]], None] | None = None,
    ) -> GradeReport:
        """Grade one date, a range of dates, or every date that has predictions.

        Args:
            day: A date, `YYYY-MM-DD`, `today` or `yesterday` (where the league plays).
            start: First date of a range.
            end: Last date of the range; None: yesterday.
            all_dates: Every date that has predictions.
            dry_run: Only say what would change.
            wait_seconds: How long to wait for a lease; None takes the setting.
            alert: Whether to tell the channels of `[alerts]` what failed and what is well again; None takes the
                setting. A dry run tells nobody.
            on_progress: Called after every chunk of dates, by the thread that called this.

        Returns:
            One run per date. A date that failed is in the report with its error; the other dates are done. Nothing
            that becomes of the alerts changes it; they are in `alerts`.
        """

        def grade() -> GradeReport:
            days = self._days(day, start, end, all_dates)
            report = grade_dates(
                self._grader(), days, dry_run=dry_run, wait_seconds=wait_seconds, on_progress=on_progress
            )
            if not dry_run:
                self._collect_when_due()
            return report

        if dry_run or not (self.settings.on_grade if alert is None else alert):
            return grade()
        from gradeonce.alerts.of_grading import grade_and_tell

        return grade_and_tell(grade, self.announce, self.settings)

    def check(
        self,
        day: date | str | None = None,
        *,
        start: date | str | None = None,
        end: date | str | None = None,
        only: Sequence[str] = (),
        alert: bool = False,
    ) -> CheckReport:
        """Run the data-quality checks over a range of game dates and store their results.

        Args:
            day: One date; as for `grade`.
            start: First date of a range; None: six days before its end.
            end: Last date of it; None: yesterday.
            only: Names of the checks to run; empty: all that the settings do not skip.
            alert: Tell the channels of `[alerts]` what is new and what is over.

        Returns:
            One result per check. A check that broke is a result with its error; the others are done.
        """
        from gradeonce.checks import check_book

        if day is not None and (start is not None or end is not None):
            raise UsageError("Name one date, or a range; not both.")
        first, last = (day, day) if day is not None else (start, end)
        return check_book(
            self.warehouse,
            self.settings,
            self.clock,
            lambda: self.leases,
            first=self._day(first),
            last=self._day(last),
            only=only,
            alert=alert,
        )

    def add_missing_sums(self) -> list[str]:
        """Add the daily sums of dates that were graded before there were any. Return the dates.

        The next grading does the same; the grades themselves stay as they are.
        """
        from gradeonce.aggregates import add_missing_sums

        return add_missing_sums(self.warehouse, clock=self.clock, on_step=self._on_step)

    def publish(
        self,
        table: Table,
        query: Query,
        partitions: Sequence[str],
        *,
        run_id: str,
        tokens: Mapping[str, int] | None = None,
        derived: Sequence[Derived] = (),
        holder: str = "",
    ) -> dict[str, Published]:
        """Replace partitions of a table of your own, exactly once; see `gradeonce.publish.publish`."""
        return publish(
            self.warehouse,
            table,
            query,
            partitions,
            run_id=run_id,
            tokens=tokens,
            derived=derived,
            holder=holder,
            clock=self.clock,
            on_step=self._on_step,
        )

    def adopt(
        self, what: str | Path | Sequence[str | Path] = ACCURACY.name, options: AdoptOptions | None = None
    ) -> AdoptReport:
        """Bring in grades that somebody else made, as they stand: copies, nulls and all, marked as unverified.

        Args:
            what: A file or several (CSV, Parquet, JSON or JSON lines), or the name of the table of grades, for rows
                that others have put into it.
            options: How to read files, and whether to only say what is there.

        Returns:
            What was found. The same files twice are adopted once.

        Raises:
            RefusedForSafety: If grades stand on one of the dates. Nothing was adopted.
        """
        from gradeonce.adopt import AdoptOptions, adopt

        return adopt(self.warehouse, self.settings, self.clock, what, options or AdoptOptions(), on_step=self._on_step)

    def migrate(
        self, table: str, options: MigrateOptions | None = None, *, on_told: Callable[[str], None] = ignore_steps
    ) -> MigrationReport:
        """Take over a table of grades that others kept beside the book; only say what that would do, unless told.

        Args:
            table: Theirs, e.g. `project.dataset.prediction_accuracy`. It is only ever read.
            options: Its columns, which copy of a key stays, and whether to do it.
            on_told: Called with a line as each step begins.

        Returns:
            What it holds, what was done, and how what stood differs from what our rules say, by rule.
        """
        from gradeonce.migrate import MigrateOptions, migrate

        return migrate(self._deduper(), self._grader(), table, options or MigrateOptions(), on_told=on_told)

    def dedupe_plan(
        self,
        table: str | None = None,
        *,
        key: Sequence[str] = (),
        keep: str | None = None,
        by: str | None = None,
        partitions: Sequence[str] | None = None,
    ) -> Plan:
        """Look for keys that stand more than once, and remember what would be done about them; nothing is changed.

        Args:
            table: A table of the book or, on a server, any other of its database; None: our grades.
            key: Columns that make rows copies of each other; empty takes the table's key.
            keep: Which copy stays, `earliest` or `latest`; for our grades earliest, if None.
            by: Column that tells earliest from latest; for our grades `graded_at`, if None.
            partitions: Only these, of a table of the book; None: the whole table.

        Raises:
            UsageError: If there is no such table, or it is not said what is a copy and which one stays.
        """
        from gradeonce.dedupe import plan_table

        return plan_table(self._deduper(), table, key=key, keep=keep, by=by, partitions=partitions)

    def dedupe_apply(self, plan_id: str, *, wait_seconds: float | None = None) -> Applied:
        """Do what a plan showed: back the rows up and remove the copies, in one commit; see `dedupe_plan`."""
        from gradeonce.dedupe import apply_plan

        return apply_plan(self._deduper(), plan_id, wait_seconds=wait_seconds)

    def dedupe_rollback(self, plan_id: str, *, dry_run: bool = False, wait_seconds: float | None = None) -> RolledBack:
        """Bring the rows back exactly as they stood before a plan was applied, whatever came in between."""
        from gradeonce.dedupe import roll_back

        return roll_back(self._deduper(), plan_id, dry_run=dry_run, wait_seconds=wait_seconds)

    def dedupe_drop_expired(self, *, dry_run: bool = True) -> Dropped:
        """Drop the backups that are older than `[dedupe] backup_days` and whose plan verifies."""
        from gradeonce.dedupe import drop_expired

        return drop_expired(self._deduper(), dry_run=dry_run)

    def stage_write(
        self,
        files: Sequence[str | Path] | str | Path,
        *,
        batch: str,
        worker: str,
        options: LoadOptions | None = None,
    ) -> StageReport:
        """Put files of predictions into a staging of the worker's own, where no other worker is waited for.

        Args:
            files: One path or several, as `load` reads them.
            batch: What they belong to; `stage_consolidate` merges all of a batch.
            worker: Who writes; two workers may stage the same content, one worker only once.
            options: How to read them; None reads our own columns.

        Returns:
            What was staged. The same content of the same worker and batch twice is staged once.

        Raises:
            InputError: If a row breaks the contract; nothing was staged.
        """
        from gradeonce.load import LoadOptions
        from gradeonce.staging import write

        return write(self._staging(), _paths(files), batch=batch, worker=worker, options=options or LoadOptions())

    def stage_consolidate(
        self, batch: str, *, wait_seconds: float | None = None, alert: bool = False
    ) -> ConsolidationReport:
        """Merge all that is staged of a batch into the predictions, exactly once: the latest row of each key.

        Args:
            batch: The batch.
            wait_seconds: How long to wait for the lease of a date; None takes the setting.
            alert: Tell the channels of `[alerts]` if it fails, and if it is well again.

        Returns:
            What was merged, what was left out and why. Rows that are staged meanwhile wait for the next call.

        Raises:
            ValidationFailed: If no row would be merged although rows wait that do not stand yet; the staging is kept.
            LeaseHeld, LeaseLost, PublishConflict, WarehouseError: Nothing was merged, the staging is kept.
        """
        from gradeonce.staging import consolidate

        def merge() -> ConsolidationReport:
            return consolidate(self._staging(), batch, wait_seconds=wait_seconds)

        if not alert:
            return merge()
        from gradeonce.alerts.of_consolidation import consolidate_and_tell

        return consolidate_and_tell(merge, self.announce, batch)

    def stage_sweep(self, batch: str | None = None, *, apply: bool = False) -> SweepReport:
        """Remove what is staged of orphaned batches, or of one batch; without `apply` only say what would go."""
        from gradeonce.staging import sweep

        return sweep(self._staging(), batch, apply=apply)

    def gc(self, *, apply: bool = False) -> CollectReport:
        """Remove files that no reader sees: leftovers of runs that died, and rows that were replaced long ago.

        How long each is kept is in `[warehouse]`. `load` and `grade` do this by themselves once a day.

        Args:
            apply: Remove them; without it only say what would go.

        Raises:
            WarehouseError: If a file cannot be removed; nobody reads it, and the next call comes by it again.
        """
        from gradeonce.collecting import collect

        return collect(self.warehouse, self.settings, self.clock, apply=apply, on_step=self._on_step)

    def _collect_when_due(self) -> None:
        from gradeonce.collecting import collect_when_due

        collect_when_due(self.warehouse, self.settings, self.clock, on_step=self._on_step)

    def break_lease(self, key: str, *, token: int, reason: str = "") -> str:
        """Release the lease of a holder that is certainly gone, and say so in the ledger. Return who held it.

        Args:
            key: Of the lease, e.g. `grading/2026-01-17`.
            token: Of the claim that was seen; any other is left alone.
            reason: Why, for the ledger.

        Raises:
            RefusedForSafety: If no claim on the key carries that token; nothing was released.
        """
        from gradeonce.broken_lease import break_lease

        return break_lease(self.warehouse, self.leases, key, token=token, reason=reason)

    def announce(
        self,
        problems: Sequence[Problem],
        *,
        scope: Sequence[str] = (),
        examined_at: datetime | Mapping[str, datetime] | None = None,
    ) -> Announced:
        """Tell the channels of `[alerts]` what is new about these problems and what is over.

        See `gradeonce.alerts.announce`.
        """
        from gradeonce.alerts import announce

        return announce(
            self.warehouse,
            self.settings,
            self.clock,
            problems,
            scope=scope,
            examined_at=examined_at,
            on_step=self._on_step,
        )

    def retry_alerts(self) -> Announced:
        """Send what channels have not taken yet, and announce nothing new."""
        from gradeonce.alerts.announce import retry

        return retry(self.warehouse, self.settings, self.clock, on_step=self._on_step)

    def test_alerts(self, *, channels: Sequence[str] = ()) -> list[Sent]:
        """Send one alert of each kind, marked as a test, and keep nothing of it.

        Args:
            channels: Names of the channels to try; empty: all of them.

        Returns:
            What became of each message; after the first that a channel does not take, it is left alone.

        Raises:
            ConfigError: If no channel is set.
            UsageError: If there is no channel of such a name.
        """
        from gradeonce.alerts.samples import try_channels

        return try_channels(self.settings, self.clock, channels)


def _paths(files: Sequence[str | Path] | str | Path) -> list[Path]:
    return [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]


def open_book(
    path: str | Path | None = None,
    *,
    config: str | Path | None = None,
    clock: Clock | None = None,
    leases: LeaseStore | None = None,
    on_step: OnStep = ignore_steps,
    **settings: Any,
) -> Book:
    """Open a book.

    Args:
        path: Its folder or URL; None takes it from the settings (`gradeonce.toml` here or in a parent folder).
        config: A settings file; None looks for one.
        clock: Time; None takes the machine's.
        leases: A lease store of your own, which threads may share; None takes the one the settings name.
        on_step: Called with the name of each step as it is reached, by the thread that reached it.
        **settings: Any setting by its name, e.g. `ttl_seconds=30`. Any: each has its own type and is checked.

    Raises:
        ConfigError: If a setting is wrong or there is no book.
    """
    flags = {**settings, "book": named_book(path)} if path is not None else settings
    loaded = load_settings(Path(config) if config else None, flags=flags)
    return Book(loaded, clock=clock, leases=leases, on_step=on_step)


def create_book(path: str | Path, *, allow_network_filesystem: bool = False) -> bool:
    """Create a book in a folder or database if it holds none. Return whether it was created now."""
    book = Settings(book=named_book(path), allow_network_filesystem=allow_network_filesystem)
    return create_warehouse(book)
