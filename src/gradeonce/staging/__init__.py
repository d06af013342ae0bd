"""Staging: workers write predictions to places of their own, and one consolidation merges all of a batch, exactly once.

A write is a partition of the staging table that nobody else touches, so workers never wait for each other. A
consolidation takes whole writes: it merges their rows and empties their partitions in one transaction, each only if it
still is as it was seen. So a row is either staged or merged, and a write that comes meanwhile is left for the next one.
"""

from gradeonce.staging.consolidate import consolidate, lease_key
from gradeonce.staging.reports import ConsolidationReport, StagedBatch, StageReport, SweepReport
from gradeonce.staging.stagings import Staging
from gradeonce.staging.sweep import list_batches, sweep
from gradeonce.staging.write import write

__all__ = [
    "ConsolidationReport",
    "StageReport",
    "StagedBatch",
    "Staging",
    "SweepReport",
    "consolidate",
    "lease_key",
    "list_batches",
    "sweep",
    "write",
]
