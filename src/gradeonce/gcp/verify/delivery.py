"""What only the real Pub/Sub, Cloud Run and Scheduler show: who may call, how long they wait, and what they send."""

from __future__ import annotations

import base64
import json
import secrets
import urllib.error
import urllib.request
from typing import Any

from gradeonce.clock import Clock
from gradeonce.errors import CloudError
from gradeonce.gcp.deploy.apply import Project
from gradeonce.gcp.deploy.deployment import ACK_SECONDS, Deployment, Shape
from gradeonce.gcp.deploy.gcloud import Gcloud
from gradeonce.gcp.deploy.plan import plan
from gradeonce.gcp.deploy.steps import Command, Document, Look, Wanted, value_at
from gradeonce.gcp.verify.check import Check, NotSo, require

PROBE_SECONDS = 30.0

SLACK_SECONDS = 120
"""What a message may take on its way, beside the work itself: a new instance must be started."""

_EVERYBODY = ("allUsers", "allAuthenticatedUsers")


class Delivery:
    """The way of a message, from the schedule to the announcement."""

    def __init__(self, deployment: Deployment, gcloud: Gcloud, clock: Clock) -> None:
        """Remember what was deployed; nothing is asked yet."""
        self.deployment, self._gcloud, self._clock = deployment, gcloud, clock
        self._project = Project(plan(deployment), gcloud)

    def checks(self, *, end_to_end: bool) -> tuple[Check, ...]:
        """Return the checks of the way, in order."""
        no_schedule = "" if self.deployment.has_scheduler else "--skip-scheduler"
        return (
            Check(
                "push_token",
                "Does every push carry a signed token in the invoker's name?",
                "the service refuses whoever does not say who he is, so no message would arrive",
                self._push_token,
            ),
            Check(
                "deadline",
                "Does Pub/Sub wait longer than a run may take, and put aside what fails too often?",
                "a message would be delivered again while it is still worked on; one that cannot be handled, for ever",
                self._deadline,
            ),
            Check(
                "callers",
                "May the invoker call the code, and not everybody?",
                "anybody could ask for gradings, which cost money",
                self._callers,
            ),
            Check(
                "anonymous_caller",
                "Is a caller without a token turned away?",
                "anybody could ask for gradings, whatever the policy says",
                self._anonymous_caller,
            ),
            Check(
                "schedule",
                "Is the nightly message on, at the right time where the league plays, and did the last one go out?",
                "nobody would ask for yesterday",
                self._schedule,
                no_schedule,
            ),
            Check(
                "webhook",
                "Is there a webhook in the secret?",
                "dates are graded, but Slack is told nothing",
                self._webhook,
            ),
            Check(
                "end_to_end",
                "Does a message that the schedule sends come out as an announcement?",
                "something is wrong that no single check sees: a token, a right of the account, the code itself",
                self._end_to_end,
                "" if end_to_end and not no_schedule else no_schedule or "it grades yesterday: ask with --end-to-end",
            ),
        )

    def _subscription(self) -> Document:
        if self.deployment.shape is Shape.FUNCTION:
            name = self._project.value("subscription")
        else:
            name = f"projects/{self.deployment.project}/subscriptions/{self.deployment.push}"
        found = self._project.find(
            Look(
                (
                    *("gcloud", "pubsub", "subscriptions", "list"),
                    *(f"--project={self.deployment.project}", "--format=json"),
                ),
                (Wanted("name", name),),
            )
        )
        if found is None:
            raise NotSo(f"there is no subscription {name or 'of the trigger'}")
        return found

    def _push_token(self) -> str:
        account = value_at(self._subscription(), "pushConfig.oidcToken.serviceAccountEmail")
        return require(account == self.deployment.invoker, f"the token is that of {account or 'nobody'}")

    def _deadline(self) -> str:
        found = self._subscription()
        seconds = int(str(value_at(found, "ackDeadlineSeconds") or 10))
        topic = value_at(found, "deadLetterPolicy.deadLetterTopic")
        longest = self.deployment.timeout_seconds
        seen = f"it waits {seconds} s for {longest} s of work; dead letters go to {topic or 'nowhere'}"
        return require(longest < seconds <= ACK_SECONDS and bool(topic), seen)

    def _callers(self) -> str:
        policy = self._gcloud.document(
            ("gcloud", "run", "services", "get-iam-policy", self.deployment.name, *self._here, "--format=json")
        )
        bindings = value_at(policy, "bindings")
        members = [
            str(member)
            for binding in (bindings if isinstance(bindings, list) else [])
            if value_at(binding, "role") == "roles/run.invoker"
            for member in _listed(value_at(binding, "members"))
        ]
        allowed = f"serviceAccount:{self.deployment.invoker}" in members
        return require(allowed and not set(members) & set(_EVERYBODY), f"callers: {', '.join(members) or 'nobody'}")

    def _anonymous_caller(self) -> str:
        url = self._gcloud.run(
            ("gcloud", "run", "services", "describe", self.deployment.name, *self._here, "--format=value(status.url)")
        ).strip()
        status = answered_with(url)
        return require(status in (401, 403), f"{url} answered {status}")

    def _schedule(self) -> str:
        job = self._gcloud.document(
            (
                *("gcloud", "scheduler", "jobs", "describe", self.deployment.job),
                *(f"--location={self.deployment.region}", f"--project={self.deployment.project}", "--format=json"),
            )
        )
        state, code = value_at(job, "state"), value_at(job, "status.code")
        when, where = value_at(job, "schedule"), value_at(job, "timeZone")
        last = value_at(job, "lastAttemptTime") or "never"
        seen = f"{state}, {when} of {where}, last sent {last}" + (f" with error {code}" if code else "")
        is_right = (when, where) == (self.deployment.schedule, self.deployment.timezone)
        return require(state == "ENABLED" and is_right and not code, seen)

    def _webhook(self) -> str:
        versions = self._gcloud.document(
            (
                *("gcloud", "secrets", "versions", "list", self.deployment.secret),
                *(f"--project={self.deployment.project}", "--format=json"),
            )
        )
        enabled = sum(value_at(one, "state") == "ENABLED" for one in _listed(versions))
        return require(enabled > 0, f"{self.deployment.secret} has {enabled} versions that can be read")

    def _end_to_end(self) -> str:
        name = f"{self.deployment.name}-verify-{secrets.token_hex(4)}"
        here = f"--project={self.deployment.project}"
        subscription = ("gcloud", "pubsub", "subscriptions")
        self._gcloud.run(
            (
                *(*subscription, "create", name, f"--topic={self.deployment.completion_topic}"),
                *("--expiration-period=1d", here, "--quiet"),
            )
        )
        try:
            return self._asked_and_heard(
                (*subscription, "pull", name, "--auto-ack", "--limit=20", here, "--format=json")
            )
        finally:
            self._gcloud.run((*subscription, "delete", name, here, "--quiet"))

    def _asked_and_heard(self, pull: Command) -> str:
        began = self._clock.monotonic()
        longest = self.deployment.timeout_seconds + SLACK_SECONDS
        self._gcloud.run(
            (
                *("gcloud", "scheduler", "jobs", "run", self.deployment.job),
                *(f"--location={self.deployment.region}", f"--project={self.deployment.project}", "--quiet"),
            )
        )
        while self._clock.monotonic() - began < longest:
            for completion in _completions(self._gcloud.document(pull)):
                if completion.get("trigger_source") == "scheduler":
                    seconds = self._clock.monotonic() - began
                    seen = f"{completion.get('target_date')} came back {completion.get('status')} after {seconds:.0f} s"
                    return require(completion.get("status") != "failed", seen)
            self._clock.sleep(5)
        raise NotSo(f"no announcement within {longest} s; look at the log of {self.deployment.name}")

    @property
    def _here(self) -> Command:
        return (f"--region={self.deployment.region}", f"--project={self.deployment.project}")


def answered_with(url: str) -> int:
    """Return the status of a request that says nothing of who makes it.

    Raises:
        CloudError: If nobody answers.
    """
    request = urllib.request.Request(url, data=b"{}", method="POST", headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)
    except OSError as error:
        raise CloudError(f"{url} does not answer: {error}.", command=f"curl -X POST {url}") from error


def _completions(pulled: Document) -> list[dict[str, Any]]:
    # Any: what a completion holds.
    found = []
    for entry in _listed(pulled):
        data = value_at(entry, "message.data")
        try:
            document = json.loads(base64.b64decode(str(data)))
        except ValueError:
            continue
        if isinstance(document, dict):
            found.append(document)
    return found


def _listed(document: Document) -> list[Any]:
    # Any: JSON.
    return document if isinstance(document, list) else []
