"""Carrying a plan out: look, make what is missing, change what differs, leave what stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from gradeonce.clock import Clock
from gradeonce.errors import CloudError, RefusedForSafety
from gradeonce.gcp.deploy.gcloud import Gcloud, is_passing
from gradeonce.gcp.deploy.script import shown
from gradeonce.gcp.deploy.steps import (
    Command,
    Document,
    Look,
    Plan,
    Step,
    Wanted,
    look_with_values,
    names_in,
    names_of,
    value_at,
    wanted_with_values,
    with_values,
)

TRIES = 6
FIRST_WAIT_SECONDS = 5.0
"""Google knows a new account or a new API everywhere only after a while: up to 155 s are waited in all."""


AT_ONCE = 4
"""So many lists are asked for at a time."""

_REFUSED = object()
"""Stands for a list that could not be had."""


class StepState(StrEnum):
    """What was found, or what was done."""

    STANDS = "stands"
    MADE = "made"
    CHANGED = "changed"
    MISSING = "missing"
    DIFFERS = "differs"


@dataclass(frozen=True)
class StepDone:
    """What became of one step.

    Attributes:
        name: The step.
        state: See `StepState`.
        differences: Where it differs, or differed: `path: is, wanted`.
        undo: The command that takes it back; empty: it stays.
    """

    name: str
    state: StepState
    differences: tuple[str, ...] = ()
    undo: str = ""


@dataclass(frozen=True)
class Deployed:
    """What a deployment did.

    Attributes:
        steps: One for each step of the plan, in order.
    """

    steps: tuple[StepDone, ...]

    def count(self, state: StepState) -> int:
        """Return how many steps ended in a state."""
        return sum(step.state is state for step in self.steps)


class Project:
    """A project as it is now. A list is asked for once: what is made from it meanwhile, nobody looks for again."""

    def __init__(self, plan: Plan, gcloud: Gcloud) -> None:
        """Remember where to look; nothing is asked yet."""
        self._plan, self._gcloud = plan, gcloud
        self._documents: dict[Command, Document] = {}
        self._values: dict[str, str] = {}

    def look_up(self, steps: Iterable[Step]) -> None:
        """Ask for every list that can be asked for now, several at a time: each takes gcloud a second or two.

        What cannot be asked for yet, or is refused, is asked for again when it is needed, and then says why.
        """
        commands = {step.look.command: None for step in steps if not names_in(step.look.command)}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for command, document in zip(commands, pool.map(self._asked, commands), strict=True):
                if document is not _REFUSED:
                    self._documents[command] = document

    def _asked(self, command: Command) -> Document:
        try:
            return self._gcloud.document(command)
        except CloudError:
            return _REFUSED

    def value(self, name: str) -> str:
        """Return a value that only the project knows; empty if it knows none.

        Raises:
            CloudError: If it cannot be asked.
        """
        if name not in self._values:
            command = self._plan.found[name]
            found = self._gcloud.run(with_values(command, self.values(names_in(command)))).strip()
            if not found:
                return ""
            self._values[name] = found
        return self._values[name]

    def values(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return several values by name."""
        return {name: self.value(name) for name in names}

    def find(self, look: Look) -> Document:
        """Return the entry that a look looks for; None if there is none."""
        if look.command not in self._documents:
            self._documents[look.command] = self._gcloud.document(look.command)
        return look.find(self._documents[look.command])

    def change(self, command: Command, step: Step) -> None:
        """Run a command that makes, changes or removes what a step is about."""
        if step.makes_more:
            self._documents.clear()
        self._gcloud.run(with_values(command, self.values(names_in(command))))

    def undo(self, step: Step) -> str:
        """Return the command that takes a step back, as a shell would take it; empty if it is not to be."""
        if step.undo is None or step.keeps_data:
            return ""
        return shown(with_values(step.undo, self.values(names_in(step.undo))))

    def entry(self, step: Step) -> tuple[Document, tuple[str, ...]]:
        """Return what stands of a step, None if nothing does, and in what it differs from what is wanted."""
        values = self.values(names_of(step))
        found = self.find(look_with_values(step.look, values))
        if found is None:
            return None, ()
        wanted = wanted_with_values(step.wanted, values)
        return found, tuple(_difference(one, found) for one in wanted if not one.is_met(found))


def deploy(
    plan: Plan,
    gcloud: Gcloud,
    clock: Clock,
    *,
    begin: Callable[[Step], None] = lambda step: None,
    tell: Callable[[StepDone], None] = lambda done: None,
) -> Deployed:
    """Make a project what a plan says it must be. What stands is left; the same again changes nothing.

    Args:
        plan: What must stand.
        gcloud: Runs the commands.
        clock: Time, for the waits between tries.
        begin: Called before a step is made or changed, which may take minutes.
        tell: Called after each step.

    Raises:
        CloudError: If a command fails; it says what stands by then. Run the same again: it goes on from there.
        RefusedForSafety: If something of that name stands that we did not make and must not overwrite.
    """
    project = Project(plan, gcloud)
    project.look_up(plan.steps)
    done: list[StepDone] = []
    for step in plan.steps:
        try:
            done.append(_carried_out(step, project, clock, begin))
        except CloudError as error:
            raise _stopped(error, step, done, plan) from error
        tell(done[-1])
    return Deployed(tuple(done))


def _carried_out(step: Step, project: Project, clock: Clock, begin: Callable[[Step], None]) -> StepDone:
    found, differences = project.entry(step)
    if found is not None and step.refuses_others and step.mark and not step.mark.is_met(found):
        raise RefusedForSafety(
            f"There is a {step.name} already, and gradeonce did not make it.",
            hint="Choose another --name; or delete it, if nobody needs it.",
        )
    if found is not None and not differences:
        return StepDone(step.name, StepState.STANDS, undo=project.undo(step))
    command = step.create if found is None else step.update
    if command is None:
        what = f"differs ({'; '.join(differences)})" if differences else "is not there"
        raise CloudError(f"The {step.name} {what}.", command=shown(step.look.command), hint=step.hint)
    begin(step)
    _persist(command, step, project, clock)
    state = StepState.MADE if found is None else StepState.CHANGED
    return StepDone(step.name, state, differences, project.undo(step))


def _persist(command: Command, step: Step, project: Project, clock: Clock) -> None:
    wait = FIRST_WAIT_SECONDS
    for attempt in range(1, TRIES + 1):
        try:
            project.change(command, step)
        except CloudError as error:
            if attempt == TRIES or not is_passing(error):
                raise
        else:
            return
        clock.sleep(wait)
        wait *= 2


def _stopped(error: CloudError, step: Step, done: list[StepDone], plan: Plan) -> CloudError:
    made = [one.name for one in done if one.state in (StepState.MADE, StepState.CHANGED)]
    state = f"{len(done)} of {len(plan.steps)} steps stand"
    state += f"; made or changed by this run: {', '.join(made)}." if made else "; this run changed nothing."
    return CloudError(
        f"Stopped at {step.name}: {error.message}",
        command=error.command,
        state=state,
        hint=error.hint or "Mend what it says, then run the same again: it goes on from there.",
    )


def _difference(wanted: Wanted, found: Document) -> str:
    is_now = value_at(found, wanted.path)
    return f"{wanted.path}: {'nothing' if is_now is None else is_now}, not {wanted.value}"
