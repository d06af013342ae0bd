"""One run, end to end: lease, stage, validate, compare, commit, release; several dates at once are one publish."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from gradeonce import rules
from gradeonce.clock import Clock
from gradeonce.errors import GradeonceError, PublishConflict
from gradeonce.leases import LeaseEvent, LeaseStore, new_holder
from gradeonce.model import EntryDraft, Query
from gradeonce.partition_leases import hold_partitions, lease_key
from gradeonce.publish import ATTEMPTS, Judgement, Published, PublishStatus, fences_of, ignore_steps, publish
from gradeonce.rules.derived import derived_from_grades
from gradeonce.run_id import new_run_id
from gradeonce.schema import ACCURACY, ACTUALS, INJURIES, PREDICTIONS
from gradeonce.staged_grades import NO_COUNTS, OutcomeChange, described_id, judge_staged, staged_changes
from gradeonce.warehouses.base import Estimator, OnStep, Stage, Warehouse

if TYPE_CHECKING:
    from gradeonce.config import Settings

_log = logging.getLogger(__name__)

_UNLOCKED = "the lock store was out of reach: graded without a lease, the fence kept it safe"

_TABLES = {"predictions": PREDICTIONS.name, "actuals": ACTUALS.name, "injuries": INJURIES.name}


@dataclass(frozen=True)
class PartitionRun:
    """What grading one date did.

    Attributes:
        partition: The date, ISO.
        status: published, unchanged, pending (no box score is final yet), nothing_to_grade or failed.
        run_id: Identity of the run, also in every row it wrote.
        token: Fencing token it used; 0 when nothing was published.
        counts: predictions and the seven outcomes, which add up to it.
        revised: Rows added, removed or changed against what stood before.
        mae: Mean absolute error of those who played; None without any.
        bias: Mean of prediction minus actual; positive is over-prediction; None without any.
        n: Predictions behind mae and bias.
        games: Games that were predicted.
        games_final: Of these, how many have a final box score.
        lock_wait_seconds: How long it waited for the lease.
        duration_seconds: How long the publish it was part of took.
        notes: What a person should know, one sentence each.
        excluded: Predictions that do not count, by reason.
        error: What went wrong, for status failed.
        changes: What a dry run would change.
        is_unlocked: Whether the lock store was out of reach, so that the fence alone kept others apart.
    """

    partition: str
    status: str
    run_id: str = ""
    token: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: dict(NO_COUNTS))
    revised: int = 0
    mae: float | None = None
    bias: float | None = None
    n: int = 0
    games: int = 0
    games_final: int = 0
    lock_wait_seconds: float = 0.0
    duration_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    changes: tuple[OutcomeChange, ...] = ()
    is_unlocked: bool = False


class _Further(Exception):
    """Further dates belong to those in hand. Nothing was published, and their leases are needed, too."""

    def __init__(self, dates: Collection[str]) -> None:
        super().__init__(", ".join(sorted(dates)))
        self.dates = frozenset(dates)


@dataclass(frozen=True)
class Grader:
    """Grades dates of one book.

    Attributes:
        warehouse: Where everything is.
        settings: The settings.
        leases: Lease store; None grades under the fence alone.
        clock: Time.
        on_step: Called as each step is reached.
        holder: Who grades, in leases and ledger.
    """

    warehouse: Warehouse
    settings: Settings
    leases: LeaseStore | None
    clock: Clock
    on_step: OnStep = ignore_steps
    holder: str = field(default_factory=lambda: new_holder("grade"))

    def grade(self, days: Sequence[date], *, wait_seconds: float | None = None) -> list[PartitionRun]:
        """Grade these dates in one publish: all of them or, when it raises, none.

        Returns:
            A run for each date, and one for each other date that shares a game with them and changed.

        Raises:
            LeaseHeld: If somebody else holds the lease of one of the dates.
            LeaseLost, PublishConflict, ValidationFailed, InputError, WarehouseError: See `publish`.
        """
        partitions = [day.isoformat() for day in sorted(days)]
        return self._with_linked(partitions, lambda linked: self._grade(partitions, linked, wait_seconds))

    def _grade(
        self, partitions: Sequence[str], linked: Sequence[str], wait_seconds: float | None
    ) -> list[PartitionRun]:
        waits: dict[str, float] = {}
        taken_over: set[str] = set()

        def observe(event: LeaseEvent) -> None:
            if event.kind == "acquired":
                waits[event.key] = event.seconds
                if event.took_over:
                    taken_over.add(event.key)

        with hold_partitions(
            self.warehouse,
            self.leases,
            self.settings,
            self.clock,
            ACCURACY,
            sorted([*partitions, *linked]),
            holder=self.holder,
            wait_seconds=wait_seconds,
            observer=observe,
        ) as held:
            self.on_step("grade.leased")
            runs = self._publish(
                partitions, linked, tokens=held.tokens, guard=held.guard, waits=waits, taken_over=taken_over
            )
        self.on_step("grade.released")
        if held.tokens is None and self.leases is not None:
            return [replace(run, is_unlocked=True, notes=(*run.notes, _UNLOCKED)) for run in runs]
        return runs

    def preview(self, days: Sequence[date]) -> list[PartitionRun]:
        """Do everything but the commit, and say what it would have changed."""
        partitions = [day.isoformat() for day in sorted(days)]
        return self._with_linked(
            partitions,
            lambda linked: self._publish(partitions, linked, tokens=None, guard=None, waits={}, dry_run=True),
        )

    def _with_linked(
        self, partitions: Sequence[str], grade: Callable[[Sequence[str]], list[PartitionRun]]
    ) -> list[PartitionRun]:
        """Grade these dates with those that are linked to them, and once more with those that turn out to be."""
        found: frozenset[str] = frozenset()
        for _ in range(ATTEMPTS):
            try:
                return grade(sorted({*self.linked(partitions), *found} - set(partitions)))
            except _Further as further:
                found |= further.dates
                _log.info("grade_again first=%s further=%s", partitions[0], further)
        raise PublishConflict("Games are moved between dates all the time.", hint="Run the same command again.")

    def bytes_to_read(self, estimator: Estimator, days: Sequence[date]) -> int:
        """Return the bytes that grading these dates in one publish would read from the inputs; nothing is read.

        What other dates share games with them is found by reading, so those dates are not in it.
        """
        partitions = [day.isoformat() for day in days]
        query = self._query(partitions, rules.RuleSettings.of(self.settings), "estimate", elsewhere=())
        # Predictions twice: before the leases are taken, and once the fences were read.
        shared = sum(
            times * estimator.sharing(table, "game_id", PREDICTIONS, partitions)
            for table, times in ((PREDICTIONS, 2), (ACTUALS, 1))
        )
        return estimator.staging(query) + shared

    def linked(self, partitions: Sequence[str]) -> list[str]:
        """Return the other dates for which one of these dates' games was predicted: the game moved, its id stayed.

        A business key does not hold the date, so such dates are graded together, or a key could stand on two of them.
        """
        return sorted(set(self.warehouse.sharing(PREDICTIONS, "game_id", PREDICTIONS, partitions)) - set(partitions))

    def record_failure(self, day: date, error: GradeonceError) -> None:
        """Leave a trace of a run that failed in the ledger."""
        self.warehouse.append_entries(
            [
                EntryDraft(
                    kind="grade",
                    run_id=new_run_id("g", self.clock.now()),
                    table=ACCURACY.name,
                    partition=day.isoformat(),
                    status="failed",
                    holder=self.holder,
                    details={"error": error.message, "error_kind": type(error).__name__},
                )
            ]
        )

    def _publish(
        self,
        asked: Sequence[str],
        linked: Sequence[str],
        *,
        tokens: Mapping[str, int] | None,
        guard: Callable[[], None] | None,
        waits: Mapping[str, float],
        taken_over: Collection[str] = (),
        dry_run: bool = False,
    ) -> list[PartitionRun]:
        for attempt in range(1, ATTEMPTS + 1):
            # Linked dates that hold grades are graded again with ours; those that hold none must hold none until then.
            fences = fences_of(self.warehouse, ACCURACY, linked, makes=not dry_run)
            standing = {p for p, fence in fences.items() if fence.rows}
            partitions = sorted([*asked, *standing])
            watched = [partition for partition in linked if partition not in standing]
            try:
                runs = self._publish_once(
                    asked,
                    partitions,
                    watched,
                    tokens=tokens,
                    guard=guard,
                    waits=waits,
                    taken_over=taken_over,
                    dry_run=dry_run,
                )
            except PublishConflict:
                if not watched or attempt == ATTEMPTS:
                    raise
                continue
            return [run for run in runs if run.partition in asked or run.status == PublishStatus.PUBLISHED]
        raise AssertionError("unreachable")

    def _publish_once(
        self,
        asked: Sequence[str],
        partitions: Sequence[str],
        watched: Sequence[str],
        *,
        tokens: Mapping[str, int] | None,
        guard: Callable[[], None] | None,
        waits: Mapping[str, float],
        taken_over: Collection[str] = (),
        dry_run: bool = False,
    ) -> list[PartitionRun]:
        started = self.clock.monotonic()
        run_id = new_run_id("g", self.clock.now())
        # A game that moved keeps its id, so its box score is looked for wherever that id occurs.
        elsewhere = self.warehouse.sharing(ACTUALS, "game_id", PREDICTIONS, partitions)
        query = self._query(partitions, rules.RuleSettings.of(self.settings), run_id, elsewhere=elsewhere)
        changes: dict[str, list[OutcomeChange]] = {}

        def look(stage: Stage, replaced: Sequence[str], compared: Sequence[str]) -> None:
            changes.update(staged_changes(stage, replaced, compared))

        def judged(stage: Stage) -> dict[str, Judgement]:
            seconds = round(self.clock.monotonic() - started, 6)
            waited = {p: waits.get(lease_key(ACCURACY, p), 0.0) for p in partitions}
            late = {p for p in partitions if lease_key(ACCURACY, p) in taken_over}
            return judge_staged(stage, partitions, query, waited, seconds, taken_over=late)

        def refuse_further() -> None:
            # A game may have been moved since the dates were chosen: a key of it could then come to stand on two dates.
            further = set(self.linked(asked)) - {*partitions, *watched}
            further.update(self._picked_beyond(asked, partitions, watched))
            if further:
                raise _Further(further)

        published = publish(
            self.warehouse,
            ACCURACY,
            query,
            partitions,
            run_id=run_id,
            tokens=tokens,
            watched=watched,
            holder=self.holder,
            kind="grade",
            validations=rules.validations(),
            derived=derived_from_grades(),
            judge=judged,
            reason_sql=rules.reason_sql(),
            on_based=refuse_further,
            guard=guard,
            dry_run=look if dry_run else None,
            clock=self.clock,
            on_step=self.on_step,
        )
        duration = self.clock.monotonic() - started
        return [
            replace(_run(published[partition], run_id, waits, duration), changes=tuple(changes.get(partition, ())))
            for partition in partitions
        ]

    def _picked_beyond(self, asked: Sequence[str], partitions: Sequence[str], watched: Sequence[str]) -> list[str]:
        """Return the dates that hold a grade of a pick which is made on ours, too, and that are not among them.

        Those that share a game with the dates asked for are among them; this is about games of the others.
        """
        others = sorted(set(partitions) - set(asked))
        beyond = set(self.linked(others)) - {*partitions, *watched} if others else set()
        if not beyond:
            return []
        graded = [f.partition for f in self.warehouse.all_fences(ACCURACY) if f.rows and f.partition in beyond]
        if not graded:
            return []
        with self.warehouse.reader({ACCURACY.name: tuple(graded), PREDICTIONS.name: tuple(others)}) as reader:
            return [partition for (partition,) in reader.query(*rules.picked_on(others, graded)).rows]

    def _query(
        self, partitions: Sequence[str], rule_settings: rules.RuleSettings, run_id: str, *, elsewhere: Sequence[str]
    ) -> Query:
        days = [date.fromisoformat(partition) for partition in partitions]
        span = max(1, rule_settings.moved_game_days)
        near = {(day + timedelta(days=offset)).isoformat() for day in days for offset in range(-span, span + 1)}
        near.update(elsewhere)
        return Query(
            sql=rules.grading_sql(_TABLES),
            params=rules.grading_params(rule_settings, days, run_id=run_id, graded_at=self.clock.now()),
            inputs={
                PREDICTIONS.name: tuple(partitions),
                ACTUALS.name: tuple(sorted(near)),
                INJURIES.name: tuple(sorted(near)),
            },
        )


def _run(published: Published, run_id: str, waits: Mapping[str, float], duration: float) -> PartitionRun:
    details = published.details
    counts = details.get("counts", NO_COUNTS)
    first = published.status is PublishStatus.PUBLISHED and published.revised.total == 0
    return PartitionRun(
        partition=published.partition,
        status=_status_word(published, counts),
        run_id=run_id,
        token=published.token if published.status is not PublishStatus.HELD_BACK else 0,
        counts=counts,
        revised=0 if first else published.revised.total,
        mae=details.get("mae"),
        bias=details.get("bias"),
        n=details.get("n", 0),
        games=details.get("games", 0),
        games_final=details.get("games_final", 0),
        lock_wait_seconds=round(waits.get(lease_key(ACCURACY, published.partition), 0.0), 6),
        duration_seconds=round(duration, 6),
        notes=tuple(_notes(details)),
        excluded=details.get("excluded", {}),
    )


def _status_word(published: Published, counts: Mapping[str, int]) -> str:
    if published.status is not PublishStatus.HELD_BACK:
        return published.status.value
    return "pending" if counts["predictions"] else "nothing_to_grade"


def _notes(details: Mapping[str, Any]) -> list[str]:
    notes = []
    games, final = details.get("games", 0), details.get("games_final", 0)
    if games and final < games:
        notes.append(f"{final} of {games} games are final; the others are pending")
    for foreign in details.get("foreign_ids", []):
        notes.append(
            f"{foreign['predictions']} loaded prediction(s) have game ids such as {foreign['example']} "
            f"({described_id(foreign['format'])}), as no box score of the date has"
        )
    for lacking in details.get("missing_markets", []):
        what = "such market" if lacking["ungradable_reason"] == "market_not_in_box_score" else "value of it"
        notes.append(
            f"{lacking['market']}: for {lacking['predictions']} prediction(s) the final box score names the player, "
            f"but has no {what}"
        )
    for missing in details.get("missing_players", []):
        nearest = ", ".join(missing["nearest"])
        notes.append(
            f"{missing['player_lookup']} is in no final box score of his game"
            + (f" (nearest: {nearest})" if nearest else "")
        )
    return notes
