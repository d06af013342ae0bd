"""Removing copies of a key: planned, backed up, applied in one transaction, and taken back if need be."""

from gradeonce.dedupe.apply import Applied, apply_plan
from gradeonce.dedupe.backups import Backup, Dropped, drop_expired, list_backups
from gradeonce.dedupe.deduper import Deduper
from gradeonce.dedupe.plan import Keep, Plan, PlannedPartition, SampleKey, make_plan
from gradeonce.dedupe.planning import plan_table
from gradeonce.dedupe.rollback import RolledBack, roll_back
from gradeonce.dedupe.verify import Finding, Verified, verify_plan

__all__ = [
    "Applied",
    "Backup",
    "Deduper",
    "Dropped",
    "Finding",
    "Keep",
    "Plan",
    "PlannedPartition",
    "RolledBack",
    "SampleKey",
    "Verified",
    "apply_plan",
    "drop_expired",
    "list_backups",
    "make_plan",
    "plan_table",
    "roll_back",
    "verify_plan",
]
