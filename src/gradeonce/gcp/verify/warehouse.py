"""What only a real BigQuery shows, asked of a table of its own that goes by itself after an hour or a day."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gradeonce.clock import SystemClock
from gradeonce.errors import GradeonceError
from gradeonce.gcp.verify.check import Check, NotSo, require
from gradeonce.statements import statement
from gradeonce.warehouses.bigquery.beside import BigQueryBeside
from gradeonce.warehouses.bigquery.connection import JOB_SECONDS, REQUEST_SECONDS, STAGING, Connection, expiring
from gradeonce.warehouses.bigquery.errors import is_conflict, translated
from gradeonce.warehouses.bigquery.state import as_script

if TYPE_CHECKING:
    from google.cloud import bigquery

LEAST_BILLED = 10 * 1024 * 1024
"""Bytes that BigQuery bills at least for each table that a query reads."""


class Scratch:
    """A table to try things on."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        # Named as a staging table: whoever sweeps those takes this one along, should we die.
        self.table = f"{STAGING}verify_{secrets.token_hex(6)}"

    def text(self, name: str, **slots: str) -> str:
        """Return a statement."""
        return statement("gradeonce.gcp.verify", "scratch.sql", name, **slots)

    def about(self, name: str, **slots: str) -> str:
        """Return a statement that names the table."""
        return self.text(name, table=self.table, **slots)


@contextmanager
def scratch(connection: Connection) -> Iterator[Scratch]:
    """Make the table; drop it afterwards.

    Raises:
        GradeonceError: If it cannot be made: no dataset, no permission.
    """
    made = Scratch(connection)
    connection.execute(made.about("make", expiring=expiring()))
    try:
        connection.execute(made.about("fill"))
        yield made
    finally:
        # It expires by itself; an error of the cleaning up must not hide what was found.
        with suppress(GradeonceError):
            connection.execute(made.about("drop"))


def checks(made: Scratch, written: Sequence[str] = ()) -> tuple[Check, ...]:
    """Return the checks of a warehouse, in order.

    Args:
        made: A table to try things on.
        written: Tables in other datasets that a publish writes to, as `project.dataset.table`.
    """
    return (
        Check(
            "partition_filter",
            "Is a query without a filter on its partitions refused?",
            "a question over all seasons, asked by mistake, would be billed for all of them",
            lambda: _partition_filter(made),
        ),
        Check(
            "dry_run",
            "Does a dry run say what a query would read, and bill nothing?",
            "an estimate of what a grading will cost would say nothing true",
            lambda: _dry_run(made),
        ),
        Check(
            "bytes_billed",
            "Is it told what a query billed?",
            "the ledger would say that runs cost nothing",
            lambda: _bytes_billed(made),
        ),
        Check(
            "time_travel",
            "Can the past be read, as of an instant?",
            "readers would see a half of one publish and a half of the next",
            lambda: _time_travel(made),
        ),
        Check(
            "conflict",
            "Of two transactions that change the same row, is one aborted, and is that recognised?",
            "a run that lost a race would be taken for one that failed for good, and not tried again",
            lambda: _conflict(made),
        ),
        Check(
            "tables_elsewhere",
            "Can one transaction change the book and your tables in other datasets and projects?",
            "grades are published with the book's own tables or not at all, so no date could be graded",
            lambda: _tables_elsewhere(made, written),
            "" if written else "no table that is written is outside the book's dataset",
        ),
    )


def _partition_filter(made: Scratch) -> str:
    try:
        made.connection.query(made.about("read_all"), ours=False)
    except GradeonceError as error:
        if error.is_transient:
            raise
        return f"refused: {error.message}"
    raise NotSo("the query was run")


def _dry_run(made: Scratch) -> str:
    before = made.connection.cost.bytes_billed
    read = made.connection.estimate(made.about("read"), ours=False)
    billed = made.connection.cost.bytes_billed - before
    # A row of a date and a number is 16 bytes.
    return require(read > 0 and not billed, f"it would read {read} bytes; {billed} were billed")


def _bytes_billed(made: Scratch) -> str:
    before = made.connection.cost.bytes_billed
    made.connection.query(made.about("read"), ours=False)
    billed = made.connection.cost.bytes_billed - before
    return require(billed >= LEAST_BILLED, f"{billed:,} bytes were billed; {LEAST_BILLED:,} is the least")


def _time_travel(made: Scratch) -> str:
    connection = made.connection
    ((instant,),) = connection.query(made.text("now"), ours=False).rows
    connection.execute(made.about("change"))
    ((now,),) = connection.query(made.about("read"), ours=False).rows
    as_of = made.about("read_as_of", instant=instant.isoformat())
    ((then,),) = connection.query(as_of, ours=False).rows
    return require(then == now - 1, f"the row is {now}; as of before its change it is {then}")


def _conflict(made: Scratch) -> str:
    sessions = [_session(made), _session(made)]
    told: dict[str, Exception] = {}
    for session in sessions:
        _run_in(made, session, told, made.about("change"))
    for session in sessions:
        # Who was told already has nothing left to commit.
        if session not in told:
            _run_in(made, session, told, made.text("commit"))
    if not told:
        raise NotSo("both transactions were committed")
    error = next(iter(told.values()))
    seen = f"{len(told)} of 2 was told: {str(error).splitlines()[0][:300]}"
    return require(len(told) == 1 and is_conflict(error) and translated(error).is_transient, seen)


def _tables_elsewhere(made: Scratch, written: Sequence[str]) -> str:
    beside = BigQueryBeside(made.connection, SystemClock())
    changes = []
    for table in written:
        place = beside.reading(table, {})
        changes.append(made.text("change_nothing", elsewhere=place.relation, within=place.within))
    made.connection.execute(as_script([made.text("begin"), made.about("change"), *changes, made.text("rollback")]))
    return f"{', '.join(written)} and the book, changed together and rolled back"


def _session(made: Scratch) -> str:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import bigquery

    try:
        job = _job(made, made.text("begin"), bigquery.QueryJobConfig(create_session=True))
    except GoogleAPICallError as error:
        raise translated(error) from error
    return str(job.session_info.session_id if job.session_info else "")


def _run_in(made: Scratch, session: str, told: dict[str, Exception], text: str) -> None:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import bigquery

    config = bigquery.QueryJobConfig(connection_properties=[bigquery.ConnectionProperty("session_id", session)])
    try:
        _job(made, text, config)
    except GoogleAPICallError as error:
        told[session] = error


def _job(made: Scratch, text: str, config: bigquery.QueryJobConfig) -> bigquery.QueryJob:
    from google.cloud import bigquery

    place = made.connection.place
    config.default_dataset = bigquery.DatasetReference(place.project, place.dataset)
    job = made.connection.client.query(
        text, job_config=config, location=made.connection.location, timeout=REQUEST_SECONDS
    )
    job.result(timeout=JOB_SECONDS)
    return job
