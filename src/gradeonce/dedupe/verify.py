"""Proving a deduplication: no copies, a whole backup, and what stands is what was planned, or what came after it."""

from __future__ import annotations

from dataclasses import dataclass

from gradeonce.dedupe.beside import backup_problem, rows_beside
from gradeonce.dedupe.deduper import Deduper
from gradeonce.dedupe.history import History, PlanState, history_of
from gradeonce.dedupe.plan import Plan, by_partition
from gradeonce.dedupe.store import find_plan
from gradeonce.errors import PublishConflict
from gradeonce.model import PartitionFacts, Query
from gradeonce.publish import ATTEMPTS


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: duplicates, rows or backup.
        passed: Whether it is as it should be.
        text: What was found, one sentence.
    """

    name: str
    passed: bool
    text: str


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Attributes:
        plan: What was verified.
        history: What became of it.
        findings: Everything that was looked at.
    """

    plan: Plan
    history: History
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is as it should be."""
        return all(finding.passed for finding in self.findings)


def verify_plan(deduper: Deduper, plan_id: str) -> Verified:
    """Look whether a plan that was applied, or rolled back, left what it should have.

    Raises:
        PublishConflict: If something of it was changed every time that we looked.
    """
    plan = find_plan(deduper.warehouse, plan_id)
    for _ in range(ATTEMPTS):
        history = history_of(deduper.warehouse, plan)
        verified = _verified(deduper, plan, history)
        # What somebody publishes, brings back or drops while we look is no finding: then all is looked at once more.
        if verified.passed or history_of(deduper.warehouse, plan) == history:
            return verified
    raise PublishConflict(f"{plan.table_name} is published to all the time.", hint="Run the same command again.")


def _verified(deduper: Deduper, plan: Plan, history: History) -> Verified:
    if history.state is PlanState.PLANNED:
        return Verified(plan, history, (Finding("rows", False, "the plan was never applied"),))
    if plan.beside:
        return Verified(plan, history, _found_beside(deduper, plan, history))
    standing = _facts(deduper, plan, backup=False)
    findings = [_duplicates(deduper, plan, history), _rows(plan, history, standing)]
    if history.backup_dropped_at:
        findings.append(Finding("backup", True, f"{plan.backup} was dropped at {history.backup_dropped_at}"))
    else:
        findings.append(_backup(plan, _facts(deduper, plan, backup=True)))
    return Verified(plan, history, tuple(findings))


def _found_beside(deduper: Deduper, plan: Plan, history: History) -> tuple[Finding, ...]:
    found = rows_beside(deduper, plan)
    keys = sum(found.keys.values())
    if history.state is PlanState.ROLLED_BACK:
        duplicates = Finding("duplicates", True, f"rolled back: {keys} key(s) stand more than once again")
    else:
        duplicates = Finding("duplicates", not keys, f"{keys or 'no'} key(s) stand more than once")
    if history.backup_dropped_at:
        return duplicates, Finding("backup", True, f"{plan.backup} was dropped at {history.backup_dropped_at}")
    problem = backup_problem(deduper, plan)
    return duplicates, Finding("backup", not problem, problem or f"{plan.backup} holds all rows as they stood")


def _facts(deduper: Deduper, plan: Plan, *, backup: bool) -> dict[str, PartitionFacts]:
    """Return rows and hash over all columns of the plan's partitions, in the table or in its backup."""
    choice, names = plan.choice, plan.names
    table = choice.backup(plan.plan_id) if backup else choice.table
    if table.name not in {known.name for known in deduper.warehouse.tables()}:
        return {}
    query = Query(choice.standing(names, table=table), inputs={table.name: tuple(names)})
    with deduper.warehouse.stage(choice.whole, query, run_id=deduper.new_run_id("v")) as stage:
        return by_partition(stage.facts())


def _duplicates(deduper: Deduper, plan: Plan, history: History) -> Finding:
    with deduper.warehouse.reader() as reader:
        found = [name for (name,) in reader.query(plan.choice.affected(plan.names)).rows]
    if history.state is PlanState.ROLLED_BACK:
        return Finding("duplicates", True, f"rolled back: {len(found)} date(s) hold copies again")
    if found:
        return Finding("duplicates", False, f"{', '.join(found[:3])} hold copies of a key")
    return Finding("duplicates", True, "no key stands more than once")


def _rows(plan: Plan, history: History, standing: dict[str, PartitionFacts]) -> Finding:
    later = {change.partition for change in history.later}
    is_rolled_back = history.state is PlanState.ROLLED_BACK
    wrong = []
    for planned in plan.partitions:
        expected = (planned.rows, planned.rows_hash) if is_rolled_back else (planned.kept_rows, planned.kept_hash)
        found = standing.get(planned.partition)
        if planned.partition not in later and (found is None or (found.rows, found.content_hash) != expected):
            wrong.append(f"{planned.partition} holds {found.rows if found else 0} rows, not the {expected[0]} expected")
    if wrong:
        return Finding("rows", False, "; ".join(wrong))
    what = "the rows that stood before stand again" if is_rolled_back else "the planned rows stand"
    since = f"; {len(later)} of them changed since, by {history.later[-1].kind}" if later else ""
    return Finding("rows", True, f"{what}, in {len(plan.partitions)} partition(s){since}")


def _backup(plan: Plan, saved: dict[str, PartitionFacts]) -> Finding:
    expected = {planned.partition: (planned.rows, planned.rows_hash) for planned in plan.partitions}
    found = {partition: (fact.rows, fact.content_hash) for partition, fact in saved.items()}
    if found != expected:
        rows = sum(rows for rows, _ in found.values())
        return Finding("backup", False, f"{plan.backup} holds {rows} rows that are not those that stood")
    rows = sum(rows for rows, _ in expected.values())
    return Finding("backup", True, f"{plan.backup} holds all {rows} rows as they stood")
