"""Plans for tables of the database that are not the book's: the same steps, under a lock instead of fences.

Such a plan has one nameless partition, the whole table, and its columns count as texts: only their names are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from gradeonce.dedupe.choice import LONGEST_NAME, Choice, Keep
from gradeonce.dedupe.deduper import Deduper
from gradeonce.dedupe.history import APPLIED, DROPPED, ROLLED_BACK
from gradeonce.dedupe.plan import Plan, PlannedPartition, SampleKey, new_plan_id
from gradeonce.errors import UsageError
from gradeonce.model import EntryDraft, Fence
from gradeonce.schema import Column, ColumnType, Table
from gradeonce.warehouses.beside import Doubled, Restored


def plan_beside(deduper: Deduper, table: str, *, key: Sequence[str], keep: str | None, by: str | None) -> Plan:
    """Look for copies in a table that is not the book's.

    Raises:
        UsageError: If there is no such table, or it is not said what is a copy and which one stays.
    """
    quoted, columns = deduper.warehouse.beside().columns(table)
    if not key or keep is None or by is None:
        raise UsageError(
            f"What is a copy in {table}, and which one is to stay?",
            hint="Say so, e.g. --key player_lookup,game_id --keep latest --by updated_at",
        )
    name = quoted.split(".")[-1].strip('"`')
    pseudo = Table(name=_plain(name), columns=tuple(Column(c, ColumnType.TEXT) for c in columns), partition=columns[0])
    choice = Choice(pseudo, tuple(key), Keep(keep), by)
    found = deduper.warehouse.beside().look(quoted, key, by, latest=choice.keep is Keep.LATEST)
    at = deduper.clock.now().astimezone(UTC)
    made_at = at.isoformat(timespec="seconds")
    if not found.keys:
        return Plan("", choice, made_at, beside=quoted)
    plan_id = new_plan_id(at)
    whole = PlannedPartition(
        partition="",
        fence=Fence(quoted, ""),
        rows=found.rows,
        rows_hash=found.rows_digest,
        kept_rows=found.rows - found.rows_deleted,
        kept_hash=found.digest,
        keys=found.keys,
        identical=found.identical,
        same_content=0,
        differing=sum(found.keys.values()) - found.identical,
    )
    return Plan(
        plan_id=plan_id,
        choice=choice,
        made_at=made_at,
        partitions=(whole,),
        samples=tuple(
            SampleKey("", dict(zip(key, one.key, strict=True)), one.kept_by, one.removed_by) for one in found.samples
        ),
        backup=f"{pseudo.name[:LONGEST_NAME]}_backup_{plan_id}",
        beside=quoted,
    )


def _plain(name: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return plain if plain[:1].isalpha() else f"t_{plain}"


def remove_beside(deduper: Deduper, plan: Plan) -> int:
    """Remove the copies; return how many rows stand.

    Raises:
        RefusedForSafety: If the copies are no longer those that were looked at. Nothing was changed.
    """
    choice = plan.choice
    details = {"plan": plan.plan_id, "deleted": plan.rows_deleted, "backup": plan.backup}
    return deduper.warehouse.beside().remove(
        plan.beside,
        choice.key,
        choice.by,
        latest=choice.keep is Keep.LATEST,
        expected=_expected(plan),
        backup=plan.backup,
        entry=_entry(deduper, plan, APPLIED, "d", details),
        on_step=deduper.on_step,
    )


def restore_beside(deduper: Deduper, plan: Plan, *, dry_run: bool) -> tuple[Restored, str]:
    """Bring the rows back; return what came of it, and the run.

    Raises:
        ValidationFailed: If the backup does not hold what stood. Nothing was changed.
    """
    entry = _entry(deduper, plan, ROLLED_BACK, "r", {"plan": plan.plan_id, "backup": plan.backup})
    restored = deduper.warehouse.beside().restore(
        plan.beside,
        plan.choice.key,
        backup=plan.backup,
        expected=_expected(plan),
        entry=None if dry_run else entry,
        on_step=deduper.on_step,
    )
    return restored, "" if dry_run else entry.run_id


def rows_beside(deduper: Deduper, plan: Plan) -> Doubled:
    """Return the copies that stand now."""
    choice = plan.choice
    return deduper.warehouse.beside().look(plan.beside, choice.key, choice.by, latest=choice.keep is Keep.LATEST)


def backup_problem(deduper: Deduper, plan: Plan) -> str:
    """Return what is wrong with a backup; empty if it holds every row as it stood."""
    found = deduper.warehouse.beside().backup(plan.backup)
    if found is None:
        return f"{plan.backup} is gone"
    if not _expected(plan).is_backed_up(found[:2]):
        return f"{plan.backup} holds {found[0]} rows that are not those that stood"
    return ""


def drop_beside(deduper: Deduper, plan: Plan) -> None:
    """Drop a backup."""
    entry = _entry(deduper, plan, DROPPED, "x", {"plan": plan.plan_id, "backup": plan.backup})
    deduper.warehouse.beside().drop(plan.backup, entry)


def _expected(plan: Plan) -> Doubled:
    (whole,) = plan.partitions
    return Doubled(whole.rows, whole.keys, whole.identical, whole.rows_hash, whole.kept_hash)


def _entry(deduper: Deduper, plan: Plan, kind: str, letter: str, details: dict[str, object]) -> EntryDraft:
    return EntryDraft(
        kind=kind,
        run_id=deduper.new_run_id(letter),
        table=plan.beside,
        status="published",
        holder=deduper.holder,
        details=details,
    )
