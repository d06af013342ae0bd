"""One run, end to end: lease, stage, validate, compare, commit, release; several dates at once are one publish."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any

from gradeonce import rules
from gradeonce.clock import Clock
from gradeonce.errors import InputError, LeaseHeld, WarehouseError
from gradeonce.leases import Lease, LeaseEvent, LeaseStore, acquire_all, new_holder
from gradeonce.model import Query
from gradeonce.publish import Judgement, Published, PublishStatus, ignore_steps, publish
from gradeonce.schema import ACCURACY, ACTUALS, INJURIES, OUTCOMES, PREDICTIONS
from gradeonce.statements import fill, statement
from gradeonce.warehouses.base import OnStep, Stage, Warehouse

if TYPE_CHECKING:
    from gradeonce.config import Settings

_log = logging.getLogger(__name__)

_TABLES = {"predictions": PREDICTIONS.name, "actuals": ACTUALS.name, "injuries": INJURIES.name}
_NO_COUNTS = {"predictions": 0, **dict.fromkeys(OUTCOMES, 0)}


@dataclass(frozen=True)
class OutcomeChange:
    """What a dry run would do to rows that change alike.

    Attributes:
        before: Their outcome now; None: they would be new.
        after: Their outcome afterwards; None: they would be gone.
        reason: Why.
        rows: How many.
        examples: One or two of their business keys, as JSON.
    """

    before: str | None
    after: str | None
    reason: str
    rows: int
    examples: tuple[str, ...]


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
        lock_wait_seconds: How long it waited for the lease.
        duration_seconds: How long the publish it was part of took.
        notes: What a person should know, one sentence each.
        excluded: Predictions that do not count, by reason.
        error: What went wrong, for status failed.
        changes: What a dry run would change.
    """

    partition: str
    status: str
    run_id: str = ""
    token: int = 0
    counts: Mapping[str, int] = field(default_factory=lambda: dict(_NO_COUNTS))
    revised: int = 0
    mae: float | None = None
    bias: float | None = None
    n: int = 0
    lock_wait_seconds: float = 0.0
    duration_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    changes: tuple[OutcomeChange, ...] = ()


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

        Raises:
            LeaseHeld: If somebody else holds the lease of one of the dates.
            LeaseLost, PublishConflict, ValidationFailed, InputError, WarehouseError: See `publish`.
        """
        partitions = [day.isoformat() for day in sorted(days)]
        wait = self.settings.wait_seconds if wait_seconds is None else wait_seconds
        waits: dict[str, float] = {}

        def observe(event: LeaseEvent) -> None:
            if event.kind == "acquired":
                waits[event.key] = event.seconds

        with ExitStack() as stack:
            leases = self._acquire(stack, partitions, wait, observe)
            self.on_step("grade.leased")
            tokens = None if leases is None else {partition: leases[partition].token for partition in partitions}

            def guard() -> None:
                for lease in (leases or {}).values():
                    lease.check()

            runs = self._publish(partitions, tokens=tokens, guard=guard, waits=waits, dry_run=False)
        self.on_step("grade.released")
        return runs

    def preview(self, days: Sequence[date]) -> list[PartitionRun]:
        """Do everything but the commit, and say what it would have changed."""
        partitions = [day.isoformat() for day in sorted(days)]
        return self._publish(partitions, tokens=None, guard=None, waits={}, dry_run=True)

    def record_failure(self, day: date, error: str) -> None:
        """Leave a trace of a run that failed in the ledger."""
        from gradeonce.model import EntryDraft

        self.warehouse.append_entries(
            [
                EntryDraft(
                    kind="grade",
                    run_id=_new_run_id(self.clock),
                    table=ACCURACY.name,
                    partition=day.isoformat(),
                    status="failed",
                    holder=self.holder,
                    details={"error": error},
                )
            ]
        )

    def _acquire(
        self, stack: ExitStack, partitions: Sequence[str], wait: float, observe: Any
    ) -> dict[str, Lease] | None:
        if self.leases is None:
            return None
        fences = self.warehouse.fences(ACCURACY, partitions)
        try:
            held = stack.enter_context(
                acquire_all(
                    self.leases,
                    [(lease_key(partition), fences[partition].token) for partition in partitions],
                    ttl_seconds=self.settings.ttl_seconds,
                    holder=self.holder,
                    wait_seconds=wait,
                    clock=self.clock,
                    observer=observe,
                )
            )
        except LeaseHeld:
            raise
        except WarehouseError as error:
            if self.settings.on_unavailable == "fail":
                raise
            _log.warning("lock_store_unavailable going_on=fence error=%s", error.message)
            return None
        return dict(zip(partitions, held, strict=True))

    def _publish(
        self,
        partitions: Sequence[str],
        *,
        tokens: Mapping[str, int] | None,
        guard: Any,
        waits: Mapping[str, float],
        dry_run: bool,
    ) -> list[PartitionRun]:
        started = self.clock.monotonic()
        run_id = _new_run_id(self.clock)
        rule_settings = rules.RuleSettings.of(self.settings)
        query = self._query(partitions, rule_settings, run_id)

        changes: dict[str, list[OutcomeChange]] = {}

        def look(stage: Stage, replaced: Sequence[str], compared: Sequence[str]) -> None:
            changes.update(_changes(stage, replaced, compared))

        def judge(stage: Stage) -> dict[str, Judgement]:
            seconds = round(self.clock.monotonic() - started, 6)
            return _judge(stage, partitions, query, waits, seconds)

        published = publish(
            self.warehouse,
            ACCURACY,
            query,
            partitions,
            run_id=run_id,
            tokens=tokens,
            holder=self.holder,
            kind="grade",
            validations=rules.validations(),
            judge=judge,
            reason_sql=rules.reason_sql(),
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

    def _query(self, partitions: Sequence[str], rule_settings: rules.RuleSettings, run_id: str) -> Query:
        days = [date.fromisoformat(partition) for partition in partitions]
        span = max(1, rule_settings.moved_game_days)
        near = {(day + timedelta(days=offset)).isoformat() for day in days for offset in range(-span, span + 1)}
        # A game that moved keeps its id, so its box score is looked for wherever that id occurs.
        near.update(self.warehouse.sharing(ACTUALS, "game_id", PREDICTIONS, partitions))
        return Query(
            sql=rules.grading_sql(_TABLES),
            params=rules.grading_params(rule_settings, days, run_id=run_id, graded_at=self.clock.now()),
            inputs={
                PREDICTIONS.name: tuple(partitions),
                ACTUALS.name: tuple(sorted(near)),
                INJURIES.name: tuple(sorted(near)),
            },
        )


def lease_key(partition: str) -> str:
    """Return the key of the lease that guards the grading of a date."""
    return f"grading/{partition}"


def _new_run_id(clock: Clock) -> str:
    return f"g{clock.now().astimezone(UTC):%Y%m%dT%H%M%S}{os.urandom(4).hex()}"


def _judge(
    stage: Stage, partitions: Sequence[str], query: Query, waits: Mapping[str, float], seconds: float
) -> dict[str, Judgement]:
    counted = {row["partition"]: row for row in stage.query(rules.counts_sql()).dicts()}
    excluded = _excluded(stage, query, counted)
    missing = _missing_players(stage) if any(row["ungradable"] for row in counted.values()) else {}
    judged = {}
    for partition in partitions:
        row = counted.get(partition)
        details: dict[str, Any] = {
            "rules_version": rules.RULES_VERSION,
            "excluded": excluded.get(partition, {}),
            "lock_wait_seconds": round(waits.get(lease_key(partition), 0.0), 6),
            "duration_seconds": seconds,
        }
        if row is None:
            judged[partition] = Judgement({**details, "counts": dict(_NO_COUNTS), "n": 0}, hold_back=True)
            continue
        counts = {name: row[name] for name in ("predictions", *OUTCOMES)}
        all_pending = counts["pending"] == counts["predictions"]
        if all_pending:
            _refuse_foreign_ids(stage, partition)
        details |= {
            "counts": counts,
            "n": row["n"],
            "mae": float(row["sum_absolute_error"] / row["n"]) if row["n"] else None,
            "bias": float(row["sum_signed_error"] / row["n"]) if row["n"] else None,
            "games": row["games"],
            "games_final": row["games_final"],
            "missing_players": missing.get(partition, []) if counts["ungradable"] else [],
        }
        judged[partition] = Judgement(details, hold_back=all_pending)
    return judged


def _changes(stage: Stage, replaced: Sequence[str], compared: Sequence[str]) -> dict[str, list[OutcomeChange]]:
    """Return, per date, what would change, by outcome before and after."""
    changed = stage.query(statement("gradeonce.rules", "validate.sql", "changes")).rows if compared else []
    key = "struct_pack(" + ", ".join(f"{name} := {name}" for name in ACCURACY.key) + ")"
    first = statement("gradeonce.rules", "validate.sql", "first_changes", key=key)
    fresh = [date.fromisoformat(partition) for partition in replaced if partition not in set(compared)]
    if fresh:
        changed += stage.query(first, {"dates": fresh}).rows
    found: dict[str, list[OutcomeChange]] = {}
    for partition, before, after, reason, rows, *keys in changed:
        change = OutcomeChange(before, after, reason, rows, tuple(dict.fromkeys(keys)))
        found.setdefault(partition, []).append(change)
    return found


def _excluded(stage: Stage, query: Query, counted: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return, per date, how many predictions do not count, by reason."""
    found: dict[str, dict[str, int]] = {}
    rivals: dict[str, int] = {}
    for partition, reason, count in stage.query(rules.excluded_sql(PREDICTIONS.name), query.params).rows:
        if reason is None:
            rivals[partition] = count
        else:
            found.setdefault(partition, {})[reason] = count
    for partition, count in rivals.items():
        superseded = count - (counted[partition]["predictions"] if partition in counted else 0)
        if superseded:
            found.setdefault(partition, {})["superseded"] = superseded
    return found


def _missing_players(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    sql = statement("gradeonce.rules", "validate.sql", "missing_players", actuals=ACTUALS.name)
    found: dict[str, list[dict[str, Any]]] = {}
    for partition, player, predictions, nearest in stage.query(sql).rows:
        found.setdefault(partition, []).append(
            {"player_lookup": player, "predictions": predictions, "nearest": nearest or []}
        )
    return found


def _refuse_foreign_ids(stage: Stage, partition: str) -> None:
    """Raise if the slate's ids are of another kind than the box scores': they could never meet."""
    format_of = statement("gradeonce.rules", "validate.sql", "id_format", id="{id}")
    sql = statement(
        "gradeonce.rules",
        "validate.sql",
        "id_formats",
        predictions=PREDICTIONS.name,
        actuals=ACTUALS.name,
        game_id_format=fill(format_of, id="game_id"),
        game_key_format=fill(format_of, id="game_key"),
    )
    sides: dict[str, list[dict[str, Any]]] = {"predictions": [], "box scores": []}
    for row in stage.query(sql, {"date": date.fromisoformat(partition)}).dicts():
        sides[row["side"]].append(row)
    ours, theirs = sides["predictions"], sides["box scores"]
    if not ours or not theirs:
        return
    for kind in ("format", "key_format"):
        if {row[kind] for row in ours} & {row[kind] for row in theirs}:
            return
    raise InputError(
        f"No game id of the predictions of {partition} can meet a box score: predictions carry ids such as "
        f"{ours[0]['example']} ({_described(ours[0]['format'])}), box scores of that date carry "
        f"{theirs[0]['example']} ({_described(theirs[0]['format'])}).",
        state="Nothing was published for that date; what stood stands.",
        hint="Load box scores (or predictions) whose game_id is the NBA's ten digits or YYYYMMDD_AWAY_HOME; box scores "
        "with team_abbr and opponent_team_abbr join both.",
    )


def _described(shape: str) -> str:
    if shape == "9" * 10:
        return "the NBA's ten digits"
    if shape == "9" * 8 + "_A_A":
        return "YYYYMMDD_AWAY_HOME"
    return f"{len(shape)} characters, {shape}"


def _run(published: Published, run_id: str, waits: Mapping[str, float], duration: float) -> PartitionRun:
    details = published.details
    counts = details.get("counts", _NO_COUNTS)
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
        lock_wait_seconds=round(waits.get(lease_key(published.partition), 0.0), 6),
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
    for missing in details.get("missing_players", []):
        nearest = ", ".join(missing["nearest"])
        notes.append(
            f"{missing['player_lookup']} is in no final box score of his game"
            + (f" (nearest: {nearest})" if nearest else "")
        )
    return notes
