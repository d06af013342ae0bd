"""Locations before a BigQuery emulator, which has but one: a job sees only the datasets of the location it is sent to.

As the real one does, a job that names no location runs in the US, and whoever asks for a job must say where it ran.
"""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bigquery_edge import Answer, Edge, Sent, refusal

NOWHERE = "US"
"""Where a job runs that does not say where, and where a dataset is made."""


class Locations:
    """What an edge must be told to keep locations apart: pass its two methods on.

    Attributes:
        datasets: Where each dataset is that was made on this way.
        jobs: Where each job ran that was sent on this way.
        refused: What was asked at the wrong place: empty if all is well.
    """

    def __init__(self) -> None:
        self.datasets: dict[str, str] = {}
        self.jobs: dict[str, str] = {}
        self.refused: list[str] = []
        self._guard = threading.Lock()

    def on(self, edge: Edge) -> None:
        """Let an edge keep locations apart."""
        edge.instead, edge.after = self.instead, self.after

    def instead(self, sent: Sent) -> Answer | None:
        """Refuse a job in a location where its dataset is not, and a question for a job elsewhere than it ran."""
        with self._guard:
            if started := _started(sent):
                dataset, given = started
                if self.datasets.get(dataset, NOWHERE).lower() != (given or NOWHERE).lower():
                    return self._refuse(f"Dataset demo:{dataset} was not found in location {given or NOWHERE}")
                # The emulator would know no other location.
                job = sent.body.get("jobReference", {}).get("jobId")
                if job:
                    self.jobs[job] = given or NOWHERE
            elif (job := _asked_for(sent)) and job in self.jobs:
                given = parse_qs(urlsplit(sent.path).query).get("location", [NOWHERE])[0]
                if given.lower() != self.jobs[job].lower():
                    return self._refuse(f"Job demo:{job} in location {given}")
        return None

    def after(self, sent: Sent, answer: Answer) -> Answer:
        """Say where a dataset, a table and a job are."""
        status, said = answer
        if status >= 400:
            return answer
        with self._guard:
            if dataset := said.get("datasetReference", {}).get("datasetId"):
                if sent.method == "POST":
                    self.datasets[dataset] = sent.body.get("location", NOWHERE)
                said["location"] = self.datasets.get(dataset, NOWHERE)
            if dataset := said.get("tableReference", {}).get("datasetId"):
                said["location"] = self.datasets.get(dataset, NOWHERE)
            if reference := said.get("jobReference"):
                started = _started(sent)
                ran = (started[1] or NOWHERE) if started else NOWHERE
                # What is only judged has no name.
                reference["location"] = self.jobs.setdefault(reference["jobId"], ran) if "jobId" in reference else ran
                if "location" in said:
                    said["location"] = reference["location"]
        return answer

    def _refuse(self, what: str) -> Answer:
        self.refused.append(what)
        return refusal(404, "notFound", f"Not found: {what}")


def _started(sent: Sent) -> tuple[str, str] | None:
    """Return the dataset that a new job is about, and the location that it is sent to; None if none is started."""
    path = urlsplit(sent.path).path
    if sent.method != "POST" or not path.endswith(("/queries", "/jobs")):
        return None
    if path.endswith("/queries"):
        job, location = sent.body, sent.body.get("location", "")
    else:
        # Any: JSON.
        configuration: dict[str, Any] = sent.body["configuration"]
        job = configuration.get("query") or configuration["load"]
        location = sent.body["jobReference"].get("location", "")
    about = job.get("defaultDataset") or job["destinationTable"]
    return about["datasetId"], location


def _asked_for(sent: Sent) -> str:
    """Return the job that is asked for, or that is to be cancelled; empty if none is."""
    found = re.search(r"/projects/[^/]+/(?:queries|jobs)/([^/]+)(?:/cancel)?$", urlsplit(sent.path).path)
    return found[1] if found else ""
