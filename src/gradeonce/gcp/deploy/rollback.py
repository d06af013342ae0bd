"""Going back: to an earlier revision of the code, or taking away all that we made. Data is never deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gradeonce.errors import CloudError, RefusedForSafety, UsageError
from gradeonce.gcp.deploy.apply import Project
from gradeonce.gcp.deploy.deployment import Deployment
from gradeonce.gcp.deploy.gcloud import Gcloud, is_not_there
from gradeonce.gcp.deploy.script import shown
from gradeonce.gcp.deploy.steps import Command, Document, Plan, Step, names_in, value_at, with_values


@dataclass(frozen=True)
class Return:
    """A return to an earlier revision.

    Attributes:
        serving: The revision that gets the messages now.
        to: The one that is to get them.
        command: What does it.
        done: Whether it was done.
    """

    serving: str
    to: str
    command: str
    done: bool


class RemovalState(StrEnum):
    """What becomes of one thing."""

    REMOVED = "removed"
    WOULD_REMOVE = "would be removed"
    KEPT = "kept"
    GONE = "not there"


@dataclass(frozen=True)
class Removal:
    """What became of one thing.

    Attributes:
        name: The step that made it.
        state: See `RemovalState`.
        reason: Why it is kept; empty otherwise.
        command: What removes it; for what holds data, to be typed by hand. Empty: nothing does.
    """

    name: str
    state: RemovalState
    reason: str = ""
    command: str = ""


def return_to(deployment: Deployment, gcloud: Gcloud, *, revision: str = "", apply: bool = False) -> Return:
    """Let an earlier revision of the code get the messages. Nothing is built, so it takes seconds.

    Args:
        deployment: Says which function or service.
        gcloud: Runs the commands.
        revision: Which revision; empty: the newest that is older than the one that serves now.
        apply: Whether to do it.

    Raises:
        RefusedForSafety: If there is no earlier revision, or if several serve now.
        UsageError: If there is no such revision.
        CloudError: If a command fails.
    """
    here = (f"--region={deployment.region}", f"--project={deployment.project}")
    service = gcloud.document(("gcloud", "run", "services", "describe", deployment.name, *here, "--format=json"))
    listed = gcloud.document(
        ("gcloud", "run", "revisions", "list", f"--service={deployment.name}", *here, "--format=json")
    )
    names = _newest_first(listed)
    serving = _serving(service)
    if revision and revision not in names:
        raise UsageError(f"{deployment.name} has no revision {revision}.", hint=f"It has {', '.join(names) or 'none'}.")
    to = revision or _older_than(serving, names)
    command: Command = (
        *("gcloud", "run", "services", "update-traffic", deployment.name, f"--to-revisions={to}=100"),
        *(*here, "--quiet", "--format=none"),
    )
    if apply and to != serving:
        gcloud.run(command)
    return Return(serving, to, shown(command), apply)


def remove_everything(
    plan: Plan, gcloud: Gcloud, *, apply: bool = False, tell: Callable[[Removal], None] = lambda removal: None
) -> tuple[Removal, ...]:
    """Take away what a deployment made, the last first. What holds data stays, and what others made.

    Args:
        plan: What was made.
        gcloud: Runs the commands.
        apply: Whether to do it; otherwise it only looks.
        tell: Called after each thing.

    Raises:
        CloudError: If a command fails. What was removed by then is gone; the same again goes on.
    """
    project = Project(plan, gcloud)
    project.look_up(plan.steps)
    removals: list[Removal] = []
    for step in reversed(plan.steps):
        removals.append(_removed(step, project, apply=apply))
        tell(removals[-1])
    return tuple(removals)


def _removed(step: Step, project: Project, *, apply: bool) -> Removal:
    try:
        found, _ = project.entry(step)
        command = with_values(step.undo, project.values(names_in(step.undo))) if step.undo else ()
    except CloudError as error:
        # What it is about is gone already: the topic of a grant, the function of a trigger.
        if is_not_there(error):
            return Removal(step.name, RemovalState.GONE)
        raise
    if found is None:
        return Removal(step.name, RemovalState.GONE)
    reason = _why_kept(step, found)
    if reason:
        return Removal(step.name, RemovalState.KEPT, reason, shown(command) if step.keeps_data else "")
    if apply:
        project.change(command, step)
    return Removal(step.name, RemovalState.REMOVED if apply else RemovalState.WOULD_REMOVE, "", shown(command))


def _why_kept(step: Step, found: Document) -> str:
    if step.keeps_data:
        return "holds what cannot be made again; delete it by hand"
    if step.goes_with:
        return f"goes with the {step.goes_with}"
    if step.undo is None:
        return "others may use it" if step.create else "was there before"
    if step.mark is not None and not step.mark.is_met(found):
        return "gradeonce did not make it"
    return ""


def _newest_first(listed: Document) -> list[str]:
    entries = listed if isinstance(listed, list) else []
    made = [(str(value_at(one, "metadata.creationTimestamp")), str(value_at(one, "metadata.name"))) for one in entries]
    return [name for _, name in sorted(made, reverse=True)]


def _serving(service: Document) -> str:
    traffic = value_at(service, "status.traffic")
    shares = [one for one in traffic if value_at(one, "percent")] if isinstance(traffic, list) else []
    if len(shares) != 1:
        raise RefusedForSafety(
            f"{len(shares)} revisions share the messages now, so it is not clear which one to leave.",
            hint="Name the revision that is to get them with --to.",
        )
    return str(value_at(shares[0], "revisionName"))


def _older_than(serving: str, names: list[str]) -> str:
    older = names[names.index(serving) + 1 :] if serving in names else names
    if not older:
        raise RefusedForSafety(
            "There is no earlier revision to go back to.",
            hint="`gradeonce gcp rollback --everything` shows what it takes to remove all of it.",
        )
    return older[0]
