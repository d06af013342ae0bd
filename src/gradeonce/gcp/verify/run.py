"""All checks, one after the other: one that fails keeps none of the others from being made."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gradeonce.clock import Clock
from gradeonce.errors import GradeonceError, UsageError
from gradeonce.gcp.deploy.deployment import Deployment
from gradeonce.gcp.deploy.gcloud import Gcloud
from gradeonce.gcp.deploy.grants import ONLY_READ
from gradeonce.gcp.verify import leases, warehouse
from gradeonce.gcp.verify.check import Check, Finding, NotSo, Result, Verdict
from gradeonce.gcp.verify.delivery import Delivery
from gradeonce.warehouses.bigquery.connection import Connection

COLLECTION = "gradeonce_verify"
"""Collection of the lease that is tried: none that a grading uses."""

WAREHOUSE = ("partition_filter", "dry_run", "bytes_billed", "time_travel", "conflict", "tables_elsewhere")
LEASES = ("leases",)
DELIVERY = ("push_token", "deadline", "callers", "anonymous_caller", "schedule", "webhook", "end_to_end")
NAMES = (*WAREHOUSE, *LEASES, *DELIVERY)


def verify(
    deployment: Deployment,
    gcloud: Gcloud,
    clock: Clock,
    *,
    only: tuple[str, ...] = (),
    end_to_end: bool = False,
    tell: Callable[[Finding], None] = lambda finding: None,
) -> Verdict:
    """Ask a real project what no emulator can show.

    Args:
        deployment: What was deployed.
        gcloud: Runs `gcloud`; BigQuery and Firestore are asked by Google's own libraries.
        clock: Time.
        only: Names of the checks to make; empty: all.
        end_to_end: Whether the nightly message may be sent, which grades yesterday.
        tell: Called after each check.

    Raises:
        UsageError: If a name is that of no check.
        ConfigError: If Google's libraries are not installed.
    """
    wrong = [name for name in only if name not in NAMES]
    if wrong:
        raise UsageError(f"There is no check {wrong[0]!r}; expected one of {', '.join(NAMES)}.")
    chosen = set(only or NAMES)
    findings: list[Finding] = []

    def make(checks: Iterable[Check]) -> None:
        for check in checks:
            if check.name in chosen:
                findings.append(found(check))
                tell(findings[-1])

    billed = _of_warehouse(deployment, make) if chosen & set(WAREHOUSE) else 0
    if chosen & set(LEASES):
        _of_leases(deployment, clock, make)
    make(Delivery(deployment, gcloud, clock).checks(end_to_end=end_to_end))
    return Verdict(tuple(findings), billed)


def _of_warehouse(deployment: Deployment, make: Callable[[Iterable[Check]], None]) -> int:
    connection = Connection(deployment.book)
    written = [table for name, table in deployment.tables_elsewhere.items() if name not in ONLY_READ]
    try:
        with warehouse.scratch(connection) as made:
            make(warehouse.checks(made, written))
    except GradeonceError as error:
        # No table could be made to try things on: that is the finding of every check of it.
        make(_refused(check, error) for check in warehouse.checks(warehouse.Scratch(connection), written))
    finally:
        connection.close()
    return connection.cost.bytes_billed


def _of_leases(deployment: Deployment, clock: Clock, make: Callable[[Iterable[Check]], None]) -> None:
    from gradeonce.leases.firestore_store import FirestoreLeases

    base, _, options = deployment.lock_store.partition("?")
    url = f"{base.rpartition('/')[0]}/{COLLECTION}" + (f"?{options}" if options else "")
    store = FirestoreLeases(url)
    try:
        make(leases.checks(store, clock))
    finally:
        store.close()


def _refused(check: Check, error: GradeonceError) -> Check:
    def fail() -> str:
        raise error

    return Check(check.name, check.question, check.why, fail)


def found(check: Check) -> Finding:
    """Make one check; return what came of it. An error of ours is an answer, too: no."""

    def finding(result: Result, seen: str, hint: str = "") -> Finding:
        return Finding(check.name, check.question, check.why, result, seen, hint)

    if check.not_tried:
        return finding(Result.NOT_TRIED, check.not_tried)
    try:
        return finding(Result.PASSED, check.run())
    except NotSo as answer:
        return finding(Result.FAILED, str(answer), "gradeonce gcp status")
    except GradeonceError as error:
        return finding(Result.FAILED, error.message, error.hint)
