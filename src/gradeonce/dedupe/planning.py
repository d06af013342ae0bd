"""Making a plan for whatever table is named, one of the book or one beside it, and remembering it."""

from __future__ import annotations

from collections.abc import Sequence

from gradeonce.dedupe.beside import plan_beside
from gradeonce.dedupe.deduper import Deduper
from gradeonce.dedupe.plan import Plan, make_plan
from gradeonce.dedupe.store import keep_plan
from gradeonce.errors import UsageError


def plan_table(
    deduper: Deduper,
    table: str | None,
    *,
    key: Sequence[str] = (),
    keep: str | None = None,
    by: str | None = None,
    partitions: Sequence[str] | None = None,
) -> Plan:
    """Look for copies, and remember what would be done about them if there are any; see `Book.dedupe_plan`.

    Raises:
        UsageError: If there is no such table, it is not said what is a copy and which one stays, or partitions are
            named of a table that is not the book's.
        RefusedForSafety: If a partition that holds copies was never published nor adopted.
        PublishConflict: If somebody else published in every partition looked at, every time.
    """
    if table is not None and not deduper.knows(table) and deduper.warehouse.capabilities.shares_tables:
        if partitions is not None:
            # It would be planned, and cleaned, as a whole: more than was asked for.
            raise UsageError(
                f"{table} is not a table of the book, so it is planned as a whole, without --partition.",
                hint="Leave --partition out.",
            )
        plan = plan_beside(deduper, table, key=key, keep=keep, by=by)
    else:
        choice = deduper.choice(table, key=key, keep=keep, by=by)
        plan = make_plan(deduper.warehouse, deduper.clock, choice, partitions=partitions)
    if plan.partitions:
        keep_plan(deduper.warehouse, plan)
    return plan
