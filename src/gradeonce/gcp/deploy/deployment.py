"""What is to stand: every name and size, checked before anything is asked of Google."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gradeonce._version import __version__
from gradeonce.errors import UsageError

ACK_SECONDS = 600
"""How long Pub/Sub waits for the answer to a push before it sends the message again: the longest it can be told."""

LONGEST_SECONDS = 540
"""The longest an event-driven function may run. It leaves Pub/Sub a minute, so that no message comes twice at once."""

SHORTEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 10, 600
"""How long Pub/Sub waits before it delivers a message again: twice as long each time, from one to the other."""

DELIVERY_ATTEMPTS = 20
"""After so many failures a message goes to the dead-letter topic: after more than two hours.

Fewer, and a message would be put aside while BigQuery is out of reach for a few minutes, before anybody was alerted:
the code tells of a message that keeps failing once it is a quarter of an hour old.
"""


class Shape(StrEnum):
    """What runs the code."""

    FUNCTION = "function"
    CLOUD_RUN = "cloud-run"


_NAMES: Mapping[str, str] = {
    "project": r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
    "region": r"[a-z]+-[a-z]+[0-9]+",
    "name": r"[a-z]([a-z0-9-]{0,22}[a-z0-9])?",
    "dataset": r"[A-Za-z0-9_]{1,1024}",
    "dataset_location": r"[A-Za-z][A-Za-z0-9-]*",
    "database": r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]",
    "database_location": r"([a-z][a-z0-9-]*)?",
    "collection": r"[A-Za-z][A-Za-z0-9_-]*",
    "topic": r"[A-Za-z][A-Za-z0-9._~%+-]{2,254}",
    "completion_topic": r"[A-Za-z][A-Za-z0-9._~%+-]{2,254}",
    "dead_letter_topic": r"[A-Za-z][A-Za-z0-9._~%+-]{2,254}",
    "secret": r"[A-Za-z0-9_-]{1,255}",
    "memory": r"[1-9][0-9]*(Mi|Gi)",
    "schedule": r"[0-9*/, -]+",
    "timezone": r"[A-Za-z_]+(/[A-Za-z_+-]+[0-9]*)*",
    "service_account": r"([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9.-]+\.gserviceaccount\.com)?",
}


@dataclass(frozen=True)
class Deployment:
    """One deployment of gradeonce in one project.

    Attributes:
        project: Id of the project, which must exist.
        region: Where the code runs and the schedule is kept.
        shape: A function (2nd gen) with a Pub/Sub trigger, or a Cloud Run service with a push subscription.
        name: Of the function or service; other names are made of it. At most 24 letters.
        dataset: Of the book, in BigQuery.
        dataset_location: Where the dataset is, if it must be made.
        database: Firestore database of the leases.
        database_location: Where that must be; empty: anywhere, and in the region if it must be made.
        collection: Collection of the leases.
        topic: Where messages that ask for a grading arrive.
        completion_topic: Where finished gradings are announced.
        dead_letter_topic: Where messages go that failed too often.
        secret: Secret that holds the URL of the Slack webhook.
        service_account: Who the code runs as; empty: an account of its own is made.
        memory: Of one instance, `512Mi` or `1Gi`.
        timeout_seconds: How long one message may take, 60 to 540.
        max_instances: How many instances may run at once.
        schedule: When the nightly message is sent, as cron writes it.
        timezone: Where that time is counted.
        has_scheduler: Whether that message is sent at all.
        source: Folder of the code that is sent; it is written before.
        wheel: Name of a built wheel in that folder that is installed; empty: the release of this version.
        fingerprint: Of the code that is sent: a change of it is a new revision.
        variables: Further environment variables of the code.
        tables: Tables of the user's own that stand for ours, by our name, as `[tables]` of the settings has them.
        version: Of gradeonce.
    """

    project: str
    region: str = "us-central1"
    shape: Shape = Shape.FUNCTION
    name: str = "gradeonce"
    dataset: str = "gradeonce"
    dataset_location: str = "US"
    database: str = "(default)"
    database_location: str = ""
    collection: str = "locks"
    topic: str = "nba-grading-trigger"
    completion_topic: str = "nba-grading-complete"
    dead_letter_topic: str = "nba-grading-dead-letter"
    secret: str = "gradeonce-slack-webhook"
    service_account: str = ""
    memory: str = "512Mi"
    timeout_seconds: int = LONGEST_SECONDS
    max_instances: int = 3
    schedule: str = "0 6 * * *"
    timezone: str = "America/New_York"
    has_scheduler: bool = True
    source: str = "gradeonce-cloud"
    wheel: str = ""
    fingerprint: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__

    def __post_init__(self) -> None:
        for key, pattern in _NAMES.items():
            value = getattr(self, key)
            if not re.fullmatch(pattern, value):
                raise UsageError(f"{_option(key)} is {value!r}; Google takes {pattern} there.")
        if not 60 <= self.timeout_seconds <= LONGEST_SECONDS:
            raise UsageError(
                f"--timeout is {self.timeout_seconds}; expected 60 to {LONGEST_SECONDS} seconds.",
                hint=f"Pub/Sub sends a message again after {ACK_SECONDS} s; a backfill belongs on a machine of yours.",
            )
        if self.max_instances < 1:
            raise UsageError(f"--max-instances is {self.max_instances}; expected 1 or more.")
        for key in self.variables:
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", key):
                raise UsageError(f"--set {key}=...: expected a name of capitals, as in GRADEONCE_GRADING_LINE_SOURCES.")

    @property
    def runtime(self) -> str:
        """Address of the account that the code runs as."""
        return self.service_account or self._account("runtime")

    @property
    def invoker(self) -> str:
        """Address of the account in whose name Pub/Sub calls the code."""
        return self._account("invoker")

    @property
    def builder(self) -> str:
        """Address of the account that builds the image."""
        return self._account("build")

    @property
    def job(self) -> str:
        """Name of the job that sends the nightly message."""
        return f"{self.name}-nightly"

    @property
    def dead_letters(self) -> str:
        """Name of the subscription that keeps dead letters."""
        return f"{self.dead_letter_topic}-kept"

    @property
    def push(self) -> str:
        """Name of the subscription that pushes to a Cloud Run service."""
        return f"{self.name}-push"

    @property
    def book(self) -> str:
        """URL of the book."""
        return f"bigquery://{self.project}/{self.dataset}?location={self.dataset_location}"

    @property
    def lock_store(self) -> str:
        """URL of the leases."""
        database = "" if self.database == "(default)" else f"?database={self.database}"
        return f"firestore://{self.project}/{self.collection}{database}"

    @property
    def tables_elsewhere(self) -> dict[str, str]:
        """Tables of the user's own outside the book's dataset, by our name, as `project.dataset.table`."""
        found = {}
        for name, physical in self.tables.items():
            parts = physical.split(".")
            whole = [self.project, self.dataset][: 3 - len(parts)] + parts
            if whole[:2] != [self.project, self.dataset]:
                found[name] = ".".join(whole)
        return found

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the code: where everything is. No secret is among them, only where it is."""
        return {
            "GRADEONCE_WAREHOUSE_BOOK": self.book,
            "GRADEONCE_LOCK_STORE": self.lock_store,
            "GRADEONCE_LEAGUE_TIMEZONE": self.timezone,
            "GRADEONCE_FUNCTION_TIMEOUT_SECONDS": str(self.timeout_seconds),
            "GRADEONCE_FUNCTION_COMPLETION_TOPIC": f"projects/{self.project}/topics/{self.completion_topic}",
            "GRADEONCE_ALERTS_SLACK": f"secret://projects/{self.project}/secrets/{self.secret}",
            **self.variables,
        }

    def _account(self, part: str) -> str:
        return f"{self.name}-{part}@{self.project}.iam.gserviceaccount.com"


def _option(key: str) -> str:
    return "--" + {"timeout_seconds": "timeout"}.get(key, key.replace("_", "-"))
