"""The book: one object through which Python callers, the command line and every other door do the same things."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gradeonce.backfill import GradeReport, Progress, grade_dates
from gradeonce.clock import Clock, SystemClock
from gradeonce.config import Settings, is_url, load_settings
from gradeonce.dates import days_between, parse_day
from gradeonce.errors import RefusedForSafety, UsageError
from gradeonce.grading import Grader, PartitionRun
from gradeonce.leases import LeaseStore, SqliteLeases, new_holder, open_store, store_beside
from gradeonce.model import EntryDraft, Query
from gradeonce.publish import Derived, Published, ignore_steps, publish
from gradeonce.schema import ACCURACY, CHECK_RESULTS, PREDICTIONS, Table
from gradeonce.warehouses.base import OnStep, Reader, Rows, Warehouse
from gradeonce.warehouses.embedded.catalog import CATALOG_FILE
from gradeonce.warehouses.opening import create_warehouse, open_warehouse

if TYPE_CHECKING:
    from gradeonce.adopt import AdoptOptions, AdoptReport
    from gradeonce.alerts import Alert, Announced, Problem
    from gradeonce.alerts.deliver import Sent
    from gradeonce.checks import CheckHistory, CheckReport
    from gradeonce.dedupe import Applied, Backup, Deduper, Dropped, Plan, RolledBack, Verified
    from gradeonce.estimating import CostEstimate
    from gradeonce.load import LoadOptions, LoadReport
    from gradeonce.migrate import MigrateOptions, MigrationReport
    from gradeonce.readiness import Readiness
    from gradeonce.reports import Calibration, Comparison, Explanation, Report
    from gradeonce.staging import ConsolidationReport, StagedBatch, StageReport, Staging, SweepReport
    from gradeonce.status import DateStatus

_log = logging.getLogger(__name__)


class Book:
    """Predictions, actuals and grades in one place. A context manager; one per thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        leases: LeaseStore | None = None,
        on_step: OnStep = ignore_steps,
    ) -> None:
        """Open the book the settings name. Most callers want `gradeonce.open()`.

        Args:
            settings: See `load_settings`.
            clock: Time; None takes the machine's.
            leases: A lease store of your own; None takes the one the settings name.
            on_step: Called with the name of each step; tests stop the process there.

        Raises:
            ConfigError: If there is no book where the settings say.
        """
        self.settings = settings
        self.clock = clock or SystemClock()
        self._on_step = on_step
        self.warehouse: Warehouse = open_warehouse(settings, clock=self.clock)
        self._leases = leases

    @property
    def leases(self) -> LeaseStore:
        """The lease store, for `gradeonce.leases.acquire` and for looking who holds what."""
        if self._leases is None:
            self._leases = leases_of(self.settings, self.clock)
        return self._leases

    def close(self) -> None:
        """Let go of connections; everything done so far is on disk."""
        if self._leases is not None:
            self._leases.close()
        self.warehouse.close()

    def __enter__(self) -> Book:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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

        return load_files(
            self.warehouse,
            self.settings,
            self.clock,
            kind,
            _paths(files),
            options or LoadOptions(),
            on_step=self._on_step,
        )

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
            on_progress: Called after every chunk of dates.

        Returns:
            One run per date. A date that failed is in the report with its error; the other dates are done. Nothing
            that becomes of the alerts changes it; they are in `alerts`.
        """
        is_told = not dry_run and (self.settings.on_grade if alert is None else alert)
        try:
            days = self._days(day, start, end, all_dates)
            report = grade_dates(
                self._grader(), days, dry_run=dry_run, wait_seconds=wait_seconds, on_progress=on_progress
            )
        except Exception as error:
            if is_told:
                self._tell_of_failure(error)
            raise
        return replace(report, alerts=self._tell_of(report)) if is_told else report

    def estimate(
        self,
        day: date | str | None = None,
        *,
        start: date | str | None = None,
        end: date | str | None = None,
        all_dates: bool = False,
        price_per_tebibyte: float | None = None,
    ) -> CostEstimate:
        """Return what `grade` would read, where reading is billed; no input is read and nothing is changed.

        Args:
            day: See `grade`.
            start: See `grade`.
            end: See `grade`.
            all_dates: See `grade`.
            price_per_tebibyte: What reading 1 TiB costs, in any currency; None takes the setting.

        Raises:
            UsageError: If reading costs nothing where the book is.
        """
        from gradeonce.estimating import estimate_dates

        price = self.settings.price_per_tebibyte if price_per_tebibyte is None else price_per_tebibyte
        days = self._days(day, start, end, all_dates)
        return estimate_dates(self._grader(), days, price_per_tebibyte=price)

    def ready(self, day: date | str) -> Readiness:
        """Return whether a date can be graded, and what is missing if not. Nothing is written."""
        from gradeonce.readiness import readiness_of

        return readiness_of(self._grader(), self._require_day(day))

    def announce(
        self, problems: Sequence[Problem], *, scope: Sequence[str] = (), examined_at: datetime | None = None
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

    def alerts(self) -> list[Alert]:
        """Return every alert, open ones and recovered ones, with what each channel took of it; oldest first."""
        from gradeonce.alerts.memory import Memory

        return Memory(self.warehouse).alerts()

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

    def _tell_of(self, report: GradeReport) -> Announced | None:
        from gradeonce.alerts.of_grading import grading_problems

        return self._announce_safely(*grading_problems(report, self.settings))

    def _tell_of_failure(self, error: Exception) -> None:
        from gradeonce.alerts.of_grading import failed_grading

        problem = failed_grading(error)
        if problem is not None:
            self._announce_safely([problem], [])

    def _announce_safely(self, problems: Sequence[Problem], scope: Sequence[str]) -> Announced | None:
        try:
            return self.announce(problems, scope=scope)
        except Exception:  # noqa: BLE001
            # What was graded is graded, and what failed has its own error: neither may be hidden by a fault in here.
            _log.exception("alerting_failed problems=%d", len(problems))
            return None

    def report(
        self,
        *,
        by: str = "system",
        systems: Sequence[str] = (),
        markets: Sequence[str] = (),
        start: date | str | None = None,
        end: date | str | None = None,
    ) -> Report:
        """Return accuracy figures per group: counts that reconcile, win rate with its interval, errors, ROI."""
        from gradeonce.reports import graded_report

        return graded_report(
            self.warehouse,
            self.settings,
            by=by,
            systems=tuple(systems),
            markets=tuple(markets),
            start=self._day(start),
            end=self._day(end),
        )

    def calibration(
        self,
        *,
        systems: Sequence[str] = (),
        markets: Sequence[str] = (),
        start: date | str | None = None,
        end: date | str | None = None,
    ) -> Calibration:
        """Return how often picks were right, by system and decile of confidence."""
        from gradeonce.reports import calibration

        with self.reader() as reader:
            return calibration(reader, systems=systems, markets=markets, start=self._day(start), end=self._day(end))

    def compare(
        self,
        system_a: str,
        system_b: str,
        *,
        markets: Sequence[str] = (),
        start: date | str | None = None,
        end: date | str | None = None,
    ) -> Comparison:
        """Compare two systems on the very same picks, with a paired test."""
        from gradeonce.reports import compare

        with self.reader() as reader:
            return compare(reader, system_a, system_b, markets=markets, start=self._day(start), end=self._day(end))

    def explain(
        self, player: str | None = None, day: date | str | None = None, *, prediction_id: str | None = None
    ) -> Explanation:
        """Return how the picks on a player were graded on a date, or how one prediction was."""
        from gradeonce.reports import explained

        return explained(self.warehouse, self.settings, player=player, day=self._day(day), prediction_id=prediction_id)

    def status(self, *, start: date | str | None = None, end: date | str | None = None) -> list[DateStatus]:
        """Return where every date stands: graded, pending, stale, ungraded or failed."""
        from gradeonce.status import date_statuses

        return date_statuses(self.warehouse, first=self._day(start), last=self._day(end))

    def add_missing_sums(self) -> list[str]:
        """Add the daily sums of dates that were graded before there were any. Return the dates.

        The next grading does the same; the grades themselves stay as they are.
        """
        from gradeonce.aggregates import add_missing_sums

        return add_missing_sums(self.warehouse, clock=self.clock, on_step=self._on_step)

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

    def check_history(self) -> CheckHistory:
        """Return the streaks over all stored results: days without a duplicate, since when a check fails."""
        from gradeonce.checks import check_history

        return check_history(self.warehouse.kept(CHECK_RESULTS).dicts())

    def sql(self, query: str, params: Mapping[str, Any] | None = None) -> Rows:
        """Run a SELECT over the book's tables, each under its own name; nothing can be changed by it."""
        with self.reader() as reader:
            return reader.query(query, params)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Open a consistent view of the whole book for several queries."""
        with self.warehouse.reader() as reader:
            yield reader

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
        from gradeonce.adopt import AdoptOptions, adopt_files, adopt_table

        options = options or AdoptOptions()
        if what in (ACCURACY.name, self.settings.tables.get(ACCURACY.name)):
            return adopt_table(self.warehouse, self.clock, dry_run=options.dry_run, on_step=self._on_step)
        files = [Path(what)] if isinstance(what, str | Path) else [Path(file) for file in what]
        return adopt_files(self.warehouse, self.settings, self.clock, files, options, on_step=self._on_step)

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
            partitions: Only these; None: the whole table.
        """
        from gradeonce.dedupe import make_plan
        from gradeonce.dedupe.beside import plan_beside
        from gradeonce.dedupe.store import keep_plan

        deduper = self._deduper()
        if table is not None and not deduper.knows(table) and self.warehouse.capabilities.shares_tables:
            plan = plan_beside(deduper, table, key=key, keep=keep, by=by)
        else:
            choice = deduper.choice(table, key=key, keep=keep, by=by)
            plan = make_plan(self.warehouse, self.clock, choice, partitions=partitions)
        if plan.partitions:
            keep_plan(self.warehouse, plan)
        return plan

    def dedupe_apply(self, plan_id: str, *, wait_seconds: float | None = None) -> Applied:
        """Do what a plan showed: back the rows up and remove the copies, in one commit; see `dedupe_plan`."""
        from gradeonce.dedupe import apply_plan

        return apply_plan(self._deduper(), plan_id, wait_seconds=wait_seconds)

    def dedupe_verify(self, plan_id: str) -> Verified:
        """Look whether a plan left what it should have, and whether its backup is whole."""
        from gradeonce.dedupe import verify_plan

        return verify_plan(self._deduper(), plan_id)

    def dedupe_rollback(self, plan_id: str, *, dry_run: bool = False, wait_seconds: float | None = None) -> RolledBack:
        """Bring the rows back exactly as they stood before a plan was applied, whatever came in between."""
        from gradeonce.dedupe import roll_back

        return roll_back(self._deduper(), plan_id, dry_run=dry_run, wait_seconds=wait_seconds)

    def dedupe_backups(self) -> list[Backup]:
        """Return the backups that applied plans made, oldest first."""
        from gradeonce.dedupe import list_backups

        return list_backups(self._deduper())

    def dedupe_drop_expired(self, *, dry_run: bool = True) -> Dropped:
        """Drop the backups that are older than `[dedupe] backup_days` and whose plan verifies."""
        from gradeonce.dedupe import drop_expired

        return drop_expired(self._deduper(), dry_run=dry_run)

    def _deduper(self) -> Deduper:
        from gradeonce.dedupe import Deduper

        return Deduper(self.warehouse, self.settings, self._leases_or_none(), self.clock, self._on_step)

    def _leases_or_none(self) -> LeaseStore | None:
        return None if self.settings.store == "off" and self._leases is None else self.leases

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
        from gradeonce.alerts.of_consolidation import consolidation_identity, failed_consolidation
        from gradeonce.staging import consolidate

        try:
            report = consolidate(self._staging(), batch, wait_seconds=wait_seconds)
        except Exception as error:
            if alert:
                self._announce_safely(failed_consolidation(batch, error), [])
            raise
        if alert:
            self._announce_safely([], [consolidation_identity(batch)])
        return report

    def staged(self) -> list[StagedBatch]:
        """Return the batches with rows that nobody has merged yet, and which of them are orphans."""
        from gradeonce.staging import list_batches

        return list_batches(self._staging())

    def stage_sweep(self, batch: str | None = None, *, apply: bool = False) -> SweepReport:
        """Remove what is staged of orphaned batches, or of one batch; without `apply` only say what would go."""
        from gradeonce.staging import sweep

        return sweep(self._staging(), batch, apply=apply)

    def _staging(self) -> Staging:
        from gradeonce.staging import Staging

        return Staging(self.warehouse, self.settings, self._leases_or_none(), self.clock, self._on_step)

    def _grader(self) -> Grader:
        return Grader(self.warehouse, self.settings, self._leases_or_none(), self.clock, self._on_step)

    def _days(
        self, day: date | str | None, start: date | str | None, end: date | str | None, all_dates: bool
    ) -> list[date]:
        given = sum((day is not None, start is not None or end is not None, all_dates))
        if given != 1:
            raise UsageError("Name one date, or a range with a start, or all dates; exactly one of the three.")
        if all_dates:
            return [date.fromisoformat(f.partition) for f in self.warehouse.all_fences(PREDICTIONS) if f.rows]
        if day is not None:
            return [self._require_day(day)]
        if start is None:
            raise UsageError("A range needs a start.")
        return days_between(self._require_day(start), self._require_day("yesterday" if end is None else end))

    def _day(self, day: date | str | None) -> date | None:
        return None if day is None else self._require_day(day)

    def _require_day(self, day: date | str) -> date:
        return day if isinstance(day, date) else parse_day(day, clock=self.clock, timezone=self.settings.timezone)


def _paths(files: Sequence[str | Path] | str | Path) -> list[Path]:
    return [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]


def leases_of(settings: Settings, clock: Clock) -> LeaseStore:
    """Open the lease store of a book. Switched off, there is still the book's own to look at, with what was claimed.

    Raises:
        ConfigError: If the settings name none that can be.
    """
    if settings.book_is_url and settings.store in ("sqlite", "off"):
        return store_beside(settings.book, settings.schema)
    catalog = settings.book_path / CATALOG_FILE
    return open_store(settings.store, catalog=catalog, clock=clock) or SqliteLeases(catalog, clock=clock)


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
        leases: A lease store of your own; None takes the one the settings name.
        on_step: Called with the name of each step as it is reached.
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


def named_book(book: str | Path) -> str:
    """Return a book as settings name it: the URL of a server as it is, a folder as an absolute path."""
    return book if isinstance(book, str) and is_url(book) else str(Path(book).expanduser().resolve())


def break_lease(book: Book, key: str, *, token: int, reason: str = "") -> str:
    """Release somebody else's lease and leave a line in the ledger. Return who held it.

    Raises:
        RefusedForSafety: If no claim on the key carries that token; nothing was released.
    """
    record = next((record for record in book.leases.records() if record.key == key), None)
    if record is None or record.released_at is not None or not book.leases.break_claim(key, token=token):
        stands = "it is not held" if record is None or record.released_at else f"it now carries token {record.token}"
        raise RefusedForSafety(
            f"The lease {key} was not released: {stands}, not token {token}.",
            hint="Look again with `gradeonce locks list`.",
        )
    book.warehouse.append_entries(
        [
            EntryDraft(
                kind="lease_broken",
                run_id=new_holder("break"),
                status="released",
                token=token,
                holder=record.holder,
                details={"key": key, "reason": reason},
            )
        ]
    )
    return record.holder
