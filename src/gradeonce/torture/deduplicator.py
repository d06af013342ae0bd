"""The deduplicator of a torture: it brings copies in, plans, removes them and takes that back, beside a rival."""

from __future__ import annotations

from gradeonce.dedupe import Deduper, Keep, Plan, apply_plan, make_plan, roll_back
from gradeonce.dedupe.choice import Choice
from gradeonce.dedupe.store import keep_plan
from gradeonce.errors import GradeonceError, LeaseLost, RefusedForSafety
from gradeonce.model import Copies
from gradeonce.partition_leases import hold_partitions
from gradeonce.publish import publish
from gradeonce.torture.actor import Actor
from gradeonce.torture.copies import COPIES, Filling, crates_in_play

FILLS = 0.4
"""Share of turns in which the crate is filled anew first; in the others the deduplicator takes it as it stands."""

ROLLS_BACK = 0.6
"""Share of applied plans that are taken back at once."""


class Deduplicator(Actor):
    """One life of one deduplicator.

    A filling is `filling`, then `filled` or `unfilled`; a plan is `planned`; what is done about it is `deduping`, then
    `deduped` or `put_off`.
    """

    def turn(self, turn: int) -> None:
        """Bring copies into a crate, or find some; remove them by a plan; at times take that back, and do it again."""
        crate = self._chance.choice(crates_in_play(self._elapsed_seconds))
        deduper = Deduper(
            self._warehouse, self._settings(), self._leases, self._clock, on_step=self._on_step, holder=self._who
        )
        try:
            if self._chance.random() < FILLS:
                self._fill(deduper, crate, Filling.of(self._slot, self._life, turn))
            self._remove_copies(deduper, crate)
        except GradeonceError as error:
            # Held by the rival, outrun, refused because the crate moved: the next turn goes on from what stands.
            self._give_up(crate, error, expected=error.is_transient or isinstance(error, LeaseLost | RefusedForSafety))

    def _fill(self, deduper: Deduper, crate: str, filling: Filling) -> None:
        self._run, self._reached = filling.name, ""
        with hold_partitions(
            self._warehouse,
            self._leases,
            deduper.settings,
            self._clock,
            COPIES,
            [crate],
            holder=self._who,
        ) as held:
            self._history.record(
                "filling",
                run=filling.name,
                crate=crate,
                rows=filling.rows,
                keys=filling.keys,
                checksum=filling.checksum,
                kept_checksum=filling.kept_checksum,
            )
            try:
                publish(
                    self._warehouse,
                    COPIES,
                    filling.query(crate),
                    [crate],
                    run_id=filling.name,
                    tokens=held.tokens,
                    holder=self._who,
                    kind="adopt",
                    copies=Copies.ALLOWED,
                    guard=held.guard,
                    clock=self._clock,
                    on_step=self._on_step,
                    seed=self._chance.randrange(1 << 30),
                )
            except LeaseLost:
                self._history.record("unfilled", run=filling.name, crate=crate)
                raise
        self._history.record("filled", run=filling.name, crate=crate)

    def _remove_copies(self, deduper: Deduper, crate: str) -> None:
        self._reached = ""
        choice = Choice(COPIES, COPIES.key, Keep.EARLIEST, "copy")
        plan = make_plan(self._warehouse, self._clock, choice, partitions=[crate])
        if not plan.partitions:
            self._history.record("clean", crate=crate)
            return
        keep_plan(self._warehouse, plan)
        self._history.record("planned", plan=plan.plan_id, crate=crate, deletes=plan.rows_deleted)
        self._apply(deduper, plan, crate)
        if self._chance.random() < ROLLS_BACK:
            self._announce(plan, crate, "rollback")
            done = roll_back(deduper, plan.plan_id)
            self._told(plan, crate, "rollback", done.run_id)
            self._apply(deduper, plan, crate)

    def _apply(self, deduper: Deduper, plan: Plan, crate: str) -> None:
        self._announce(plan, crate, "apply")
        done = apply_plan(deduper, plan.plan_id)
        self._told(plan, crate, "apply", done.run_id)

    def _announce(self, plan: Plan, crate: str, op: str) -> None:
        self._run, self._reached = plan.plan_id, ""
        self._history.record("deduping", plan=plan.plan_id, crate=crate, op=op)

    def _told(self, plan: Plan, crate: str, op: str, run: str) -> None:
        self._history.record("deduped", plan=plan.plan_id, crate=crate, op=op, run=run)
