"""What every step of a deduplication works with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from gradeonce.clock import Clock
from gradeonce.config import Settings
from gradeonce.dedupe.choice import Choice, Keep
from gradeonce.dedupe.plan import Plan
from gradeonce.errors import UsageError
from gradeonce.leases import LeaseStore, new_holder
from gradeonce.partition_leases import Held, hold_partitions
from gradeonce.publish import Derived, ignore_steps
from gradeonce.rules.derived import derived_from_grades
from gradeonce.run_id import new_run_id
from gradeonce.schema import ACCURACY, ROW_TABLES, Table
from gradeonce.warehouses.base import OnStep, Warehouse


@dataclass(frozen=True)
class Deduper:
    """Removes copies from the tables of one book.

    Attributes:
        warehouse: Where everything is.
        settings: The settings.
        leases: Lease store; None works under the fence alone.
        clock: Time.
        on_step: Called as each step is reached.
        holder: Who does it, in leases and ledger.
    """

    warehouse: Warehouse
    settings: Settings
    leases: LeaseStore | None
    clock: Clock
    on_step: OnStep = ignore_steps
    holder: str = field(default_factory=lambda: new_holder("dedupe"))

    @contextmanager
    def hold(self, plan: Plan, wait_seconds: float | None) -> Iterator[Held]:
        """Hold the leases of a plan's partitions while the block runs."""
        with hold_partitions(
            self.warehouse,
            self.leases,
            self.settings,
            self.clock,
            plan.choice.table,
            plan.names,
            holder=self.holder,
            wait_seconds=wait_seconds,
        ) as held:
            self.on_step("dedupe.leased")
            yield held
        self.on_step("dedupe.released")

    def knows(self, table: str) -> bool:
        """Return whether a table is the book's, under our name for it or the user's."""
        known = {known.name for known in (*ROW_TABLES, *self.warehouse.tables())}
        return table in known or table in self.settings.tables.values()

    def choice(
        self,
        table: str | None = None,
        *,
        key: Sequence[str] = (),
        keep: str | None = None,
        by: str | None = None,
    ) -> Choice:
        """Return what counts as a copy and which one stays, with the defaults for our own grades.

        Of several grades of one prediction the earliest stays: it is the one that stood first and that people acted on.
        Nothing is lost by that: what was corrected in between, the next grading of the date corrects again.

        Raises:
            UsageError: If the table is unknown, or it is not ours and does not say what stays.
        """
        name = next((ours for ours, theirs in self.settings.tables.items() if theirs == table), table)
        found = {known.name: known for known in (*ROW_TABLES, *self.warehouse.tables())}
        if name is None or name == ACCURACY.name:
            return Choice(ACCURACY, tuple(key) or ACCURACY.key, Keep(keep or Keep.EARLIEST), by or "graded_at")
        if name not in found:
            raise UsageError(
                f"There is no table {name!r} in the book.", hint=f"Its tables: {', '.join(sorted(found))}."
            )
        if keep is None or by is None:
            raise UsageError(
                f"Which row of {name} is to stay?", hint="Say so, e.g. --keep latest --by updated_at, and --key."
            )
        return Choice(found[name], tuple(key) or found[name].key, Keep(keep), by)

    def new_run_id(self, letter: str) -> str:
        """Return the identity of a run."""
        return new_run_id(letter, self.clock.now())

    def following(self, table: Table) -> Sequence[Derived]:
        """Return what follows from a table's rows and must be published with them."""
        return derived_from_grades() if table.name == ACCURACY.name else ()
