"""Requests to one dataset: statements with bound values, load jobs, and what they cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce.errors import UsageError, WarehouseError
from gradeonce.schema import Table
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.errors import bad_request, driver_missing, translated
from gradeonce.warehouses.bigquery.place import Place, location_of, make_dataset
from gradeonce.warehouses.bigquery.spelling import spelled

if TYPE_CHECKING:
    from google.cloud import bigquery

    from gradeonce.warehouses.bigquery.mapped import Held

EMULATOR = "BIGQUERY_EMULATOR_HOST"
"""Where an emulator answers, as Google's driver reads it; it wants no credentials."""

REQUEST_SECONDS = 60.0
JOB_SECONDS = 600.0
"""How long a job may take before we give it up; it is cancelled by nobody, but what it would commit is fenced."""


STAGING = "staging_"
"""How the name of every staging table begins."""

STAGING_HOURS = 24
"""After this BigQuery drops a staging table that nobody was left to drop."""


def expiring() -> str:
    """Return the option of a table that goes by itself."""
    return f"expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {STAGING_HOURS} HOUR)"


@dataclass
class Cost:
    """What the jobs of a run used so far.

    Attributes:
        bytes_billed: As BigQuery bills them.
        slot_milliseconds: Work done.
        jobs: How many.
    """

    bytes_billed: int = 0
    slot_milliseconds: int = 0
    jobs: int = 0


class Connection:
    """A client for one dataset. Nothing is held between two requests: every one stands for itself.

    Attributes:
        place: The dataset.
        cost: What its jobs used so far.
        mapped: Tables of the user's that stand for ours; None until somebody asked.
    """

    def __init__(self, url: str, *, maximum_bytes_billed: int = 0) -> None:
        """Remember where; nothing is asked yet.

        Args:
            url: See `Place`.
            maximum_bytes_billed: A query that would read more than this is refused by BigQuery; 0: no limit.

        Raises:
            ConfigError: If the URL is wrong, or the driver is not installed; it names the extra.
        """
        try:
            import_module("google.cloud.bigquery")
        except ImportError as error:
            raise driver_missing(error) from error
        self.place = Place.of(url)
        self._maximum = maximum_bytes_billed
        self._client: bigquery.Client | None = None
        self.cost = Cost()
        self._seen: set[str] = set()
        self._location: str | None = None
        self.mapped: Mapping[str, Held] | None = None

    @property
    def client(self) -> bigquery.Client:
        """The driver's client, made by the first request."""
        if self._client is None:
            from google.auth.credentials import AnonymousCredentials
            from google.cloud import bigquery

            credentials = AnonymousCredentials() if os.environ.get(EMULATOR) else None  # type: ignore[no-untyped-call]
            with _ours():
                self._client = bigquery.Client(project=self.place.project, credentials=credentials)
        return self._client

    @property
    def location(self) -> str | None:
        """Where the dataset is, asked for once, or where it is to be made; None: wherever BigQuery makes it.

        Every job is sent there: left to itself, BigQuery guesses, and a statement that names no table runs in the US.

        Raises:
            ConfigError: If it is not where the URL says.
        """
        if self._location is None:
            with _ours():
                self._location = location_of(self.client, self.place)
        return self._location or self.place.location

    def make_dataset(self) -> None:
        """Make the dataset where the URL says, or where BigQuery puts one of this project; one there is fine.

        Raises:
            ConfigError: If it is there, and not where the URL says.
        """
        with _ours():
            self._location = location_of(self.client, self.place) or make_dataset(self.client, self.place)

    def query(self, sql: str, params: Params | None = None, *, ours: bool = True) -> Rows:
        """Run one statement that returns rows, or a script whose last statement does.

        Args:
            sql: In our own spelling (see `spelled`), or in BigQuery's if not `ours`.
            params: Values by name.
            ours: Whether the text is one of our statements.
        """
        return self._answer(self._run(sql, params, ours=ours))

    def query_once(self, sql: str, params: Params | None, *, name: str) -> Rows:
        """Run a script in BigQuery's own spelling, or return the answer of the one that was run under this name.

        So an answer that was lost on its way is had by asking again, and nothing is done twice.

        Args:
            sql: See `query`.
            params: See `query`.
            name: Of the job: nobody else's.
        """
        from google.api_core.exceptions import Conflict

        try:
            job = self._run(sql, params, ours=False, name=name)
        except WarehouseError as error:
            if not isinstance(error.__cause__, Conflict):
                raise
            job = self._job(name)
        return self._answer(job)

    def has_failed(self, name: str) -> bool:
        """Say whether a job of that name has come to an end, and changed nothing."""
        from google.api_core.exceptions import NotFound

        try:
            job = self._job(name)
        except WarehouseError as error:
            # One that is not there may still be on its way to BigQuery.
            if error.is_transient or isinstance(error.__cause__, NotFound):
                return False
            raise
        return job.state == "DONE" and job.error_result is not None

    def _job(self, name: str) -> bigquery.QueryJob:
        from google.cloud import bigquery

        location = self.location
        with _ours():
            job = self.client.get_job(name, location=location, timeout=REQUEST_SECONDS)
        assert isinstance(job, bigquery.QueryJob), f"{name} is no query"
        return job

    def _answer(self, job: bigquery.QueryJob) -> Rows:
        with _ours():
            result = job.result(timeout=JOB_SECONDS)
            rows = [tuple(row.values()) for row in result]
        self._count(job)
        return Rows(tuple(field.name for field in result.schema or ()), rows)

    def query_of_a_caller(self, sql: str, params: Params | None = None, *, judged: str = "") -> Rows:
        """Run a statement that somebody else wrote, in BigQuery's spelling.

        Args:
            sql: See `query`.
            params: See `query`.
            judged: The statement in it that somebody else wrote; empty: all of it.

        Raises:
            UsageError: If it is not a statement that can be run.
        """
        try:
            return self.query(sql, params, ours=False)
        except WarehouseError as error:
            if not error.is_transient:
                # Whether the statement is wrong or a value does not fit is told by what understands it without running.
                self.estimate(judged or sql, params, ours=False)
            raise

    def execute(self, sql: str, params: Params | None = None) -> int:
        """Run one statement or script in BigQuery's own spelling; return how many rows it touched."""
        job = self._run(sql, params, ours=False)
        with _ours():
            job.result(timeout=JOB_SECONDS)
        self._count(job)
        return int(job.num_dml_affected_rows or 0)

    def execute_apart(self, sql: str, params: Params | None = None, *, on_sent: Callable[[], None]) -> int:
        """Do what `execute` does in two requests, and say when BigQuery has the script and has not answered yet."""
        job = self._run(sql, params, ours=False, waits=False)
        on_sent()
        with _ours():
            job.result(timeout=JOB_SECONDS)
        self._count(job)
        return int(job.num_dml_affected_rows or 0)

    def estimate(self, sql: str, params: Params | None = None, *, ours: bool = True) -> int:
        """Return how many bytes a statement would read, without running it.

        Raises:
            UsageError: If it is not a statement that can be run.
        """
        try:
            return int(self._run(sql, params, ours=ours, dry_run=True).total_bytes_processed or 0)
        except WarehouseError as error:
            if error.is_transient or not isinstance(error.__cause__, bad_request()):
                raise
            raise UsageError(f"The query is not valid: {error.message.removeprefix('BigQuery failed: ')}") from error

    def load(self, path: Path, table: Table, into: str) -> None:
        """Put a Parquet file into a new table by a load job; never by streaming, whose buffer blocks changes.

        The table is made first, so that it goes by itself whenever we die.
        """
        from google.cloud import bigquery

        columns = ", ".join(f"`{column.name}` {BIGQUERY_TYPES[column.type]}" for column in table.columns)
        self.execute(f"CREATE TABLE `{into}` ({columns}) OPTIONS ({expiring()})")
        schema = [bigquery.SchemaField(column.name, BIGQUERY_TYPES[column.type]) for column in table.columns]
        config = bigquery.LoadJobConfig(source_format="PARQUET", schema=schema, write_disposition="WRITE_EMPTY")
        location = self.location
        with _ours(), path.open("rb") as file:
            job = self.client.load_table_from_file(
                file, f"{self.place.name}.{into}", job_config=config, location=location
            )
            job.result(timeout=JOB_SECONDS)

    def tables(self) -> set[str]:
        """Return the names of all tables and views of the dataset; none where there is no dataset."""
        from google.api_core.exceptions import NotFound

        with _ours():
            try:
                return {one.table_id for one in self.client.list_tables(self.place.name)}
            except NotFound:
                return set()

    def has(self, name: str) -> bool:
        """Say whether a table is there; one that was is not asked for again, so only for those that stay."""
        if name not in self._seen:
            self._seen |= self.tables()
        return name in self._seen

    def table(self, name: str) -> bigquery.Table | None:
        """Return what is known of a table, `project.dataset.table`; None where there is none."""
        from google.api_core.exceptions import NotFound

        with _ours():
            try:
                return self.client.get_table(name)
            except NotFound:
                return None

    def size_and_age(self, name: str) -> list[tuple[int, datetime]]:
        """Return how many bytes a table takes up and when it was last written; nothing where there is none."""
        table = self.table(f"{self.place.name}.{name}")
        return [(int(table.num_bytes or 0), table.modified or table.created)] if table else []

    def is_busy(self) -> bool:
        """Say whether a job of ours is under way in this dataset, whoever sent it and may be gone by now."""
        with _ours():
            return any(
                getattr(job, "default_dataset", None) is not None
                and job.default_dataset.dataset_id == self.place.dataset
                for state in ("running", "pending")
                for job in self.client.list_jobs(state_filter=state, max_results=1000)
            )

    def delete_dataset(self) -> None:
        """Delete the dataset with everything in it; none there is fine."""
        with _ours():
            self.client.delete_dataset(self.place.name, delete_contents=True, not_found_ok=True)
        self._location = None

    def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    def _run(
        self,
        sql: str,
        params: Params | None,
        *,
        ours: bool,
        dry_run: bool = False,
        waits: bool = True,
        name: str | None = None,
    ) -> bigquery.QueryJob:
        """Hand a statement to BigQuery.

        Args:
            sql: See `query`.
            params: See `query`.
            ours: See `query`.
            dry_run: Only judge it.
            waits: False returns once BigQuery has taken it: what becomes of it takes a second request.
            name: Of the job; None: one that the driver makes up, and under which it runs a job again that failed.
        """
        from google.cloud import bigquery
        from google.cloud.bigquery.enums import QueryApiMethod
        from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY

        values = dict(params or {})
        text = spelled(sql, values) if ours else sql
        config = bigquery.QueryJobConfig(
            default_dataset=bigquery.DatasetReference(self.place.project, self.place.dataset),
            query_parameters=_parameters({name: value for name, value in values.items() if f"@{name}" in text}),
            use_query_cache=False,
            dry_run=dry_run,
        )
        if self._maximum:
            config.maximum_bytes_billed = self._maximum
        location = self.location
        with _ours():
            # A dry run is a job, and so is what has a name; all else is one request, which is answered with the rows.
            is_job = dry_run or not waits or name is not None
            return self.client.query(
                text,
                job_config=config,
                job_id=name,
                location=location,
                api_method=QueryApiMethod.INSERT if is_job else QueryApiMethod.QUERY,
                timeout=REQUEST_SECONDS,
                job_retry=DEFAULT_JOB_RETRY if name is None else None,
            )

    def _count(self, job: bigquery.QueryJob) -> None:
        self.cost.jobs += 1
        self.cost.bytes_billed += int(job.total_bytes_billed or 0)
        self.cost.slot_milliseconds += int(job.slot_millis or 0)


@contextmanager
def _ours() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    import concurrent.futures

    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, requests.RequestException, concurrent.futures.TimeoutError) as error:
        raise translated(error) from error


_KINDS: Sequence[tuple[type, str]] = (
    (bool, "BOOL"),
    (int, "INT64"),
    (float, "FLOAT64"),
    (Decimal, "NUMERIC"),
    (datetime, "DATETIME"),
    (date, "DATE"),
    (str, "STRING"),
)


def _parameters(
    values: Mapping[str, Any],
) -> list[bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter]:
    """Return the values as the driver binds them. Any: whatever our statements bind."""
    from google.cloud import bigquery

    made: list[bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter] = []
    for name, value in values.items():
        if isinstance(value, list | tuple):
            made.append(bigquery.ArrayQueryParameter(name, _kind(value[0]) if value else "STRING", list(value)))
        else:
            made.append(bigquery.ScalarQueryParameter(name, _kind(value), value))
    return made


def _kind(value: Any) -> str:
    for kind, name in _KINDS:
        if isinstance(value, kind):
            return name
    if value is None:
        return "STRING"
    raise UsageError(f"A value of type {type(value).__name__} cannot be bound.")
