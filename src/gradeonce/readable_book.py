"""What a book can be asked. Nothing in here changes a row, a fence, the ledger, or what else it remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gradeonce.clock import Clock, SystemClock
from gradeonce.dates import days_between, parse_day
from gradeonce.errors import UsageError
from gradeonce.grading import Grader
from gradeonce.leases import LeaseStore
from gradeonce.leases.opening import leases_of
from gradeonce.publish import ignore_steps
from gradeonce.schema import CHECK_RESULTS, PREDICTIONS
from gradeonce.warehouses.base import OnStep, Reader, Rows, Warehouse
from gradeonce.warehouses.opening import open_warehouse

if TYPE_CHECKING:
    from gradeonce.alerts import Alert
    from gradeonce.checks import CheckHistory
    from gradeonce.config import Settings
    from gradeonce.dedupe import Backup, Deduper, Verified
    from gradeonce.estimating import CostEstimate
    from gradeonce.readiness import Readiness
    from gradeonce.reports import Calibration, Comparison, Explanation, Report
    from gradeonce.staging import StagedBatch, Staging
    from gradeonce.status import DateStatus


class ReadableBook:
    """A book that is open, and every question to it: reports, explanations, where dates stand, what would be read."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def sql(self, query: str, params: Mapping[str, Any] | None = None) -> Rows:
        """Run a SELECT over the book's tables, each under its own name; nothing can be changed by it."""
        with self.reader() as reader:
            return reader.query(query, params)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Open a consistent view of the whole book for several queries."""
        with self.warehouse.reader() as reader:
            yield reader

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

    def check_history(self) -> CheckHistory:
        """Return the streaks over all stored results: days without a duplicate, since when a check fails."""
        from gradeonce.checks import check_history

        return check_history(self.warehouse.kept(CHECK_RESULTS).dicts())

    def alerts(self) -> list[Alert]:
        """Return every alert, open ones and recovered ones, with what each channel took of it; oldest first."""
        from gradeonce.alerts.memory import Memory

        return Memory(self.warehouse).alerts()

    def staged(self) -> list[StagedBatch]:
        """Return the batches with rows that nobody has merged yet, and which of them are orphans."""
        from gradeonce.staging import list_batches

        return list_batches(self._staging())

    def dedupe_verify(self, plan_id: str) -> Verified:
        """Look whether a plan left what it should have, and whether its backup is whole."""
        from gradeonce.dedupe import verify_plan

        return verify_plan(self._deduper(), plan_id)

    def dedupe_backups(self) -> list[Backup]:
        """Return the backups that applied plans made, oldest first."""
        from gradeonce.dedupe import list_backups

        return list_backups(self._deduper())

    def _grader(self) -> Grader:
        return Grader(self.warehouse, self.settings, self._leases_or_none(), self.clock, self._on_step)

    def _deduper(self) -> Deduper:
        from gradeonce.dedupe import Deduper

        return Deduper(self.warehouse, self.settings, self._leases_or_none(), self.clock, self._on_step)

    def _staging(self) -> Staging:
        from gradeonce.staging import Staging

        return Staging(self.warehouse, self.settings, self._leases_or_none(), self.clock, self._on_step)

    def _leases_or_none(self) -> LeaseStore | None:
        return None if self.settings.store == "off" and self._leases is None else self.leases

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
