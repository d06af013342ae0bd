"""The nemesis's plan: which fault strikes when and whom. The same seed makes the same plan."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

PER_SECOND = {"kill": 1.3, "pause": 1.3, "cut": 0.3, "flush": 0.5, "skew": 0.6}
"""How often each kind strikes, on average, with eight workers: about two hundred and forty faults a minute."""

WAY_CUTS_PER_SECOND = 0.5
"""How often, beside these, the way to a warehouse on a server is cut in the middle of a commit."""

WORKERS_THE_RATES_ARE_FOR = 8

QUIET_SECONDS = 0.5
"""Nothing strikes before the workers have had time to start."""


@dataclass(frozen=True)
class Step:
    """A step of a publish at which a worker can be struck.

    Attributes:
        name: As it is reported to `on_step`.
        weight: How often it is chosen, among all steps.
        cut: Whether the way to the warehouse can be cut here. Before the commit that takes it back; after it the answer
            is lost, and nobody knows.
        brief: Whether a pause here is as short as one past a lease can be: inside a commit everybody else waits, and
            after it nothing is at stake. Any other pause gives a successor the time to take over and to publish.
    """

    name: str
    weight: int
    brief: bool = False
    cut: bool = False


Steps = Callable[[int], Sequence[Step]]
"""The steps of the process in a slot."""


@dataclass(frozen=True)
class Fault:
    """One blow.

    Attributes:
        number: 1 for the first of the plan.
        at_seconds: When, from the start.
        kind: kill, pause, flush, cut or skew.
        slot: The worker it strikes; None for all of them, or for the store.
        step: For kill and pause: the step of a publish at which it strikes; empty: wherever the worker is. For a cut:
            the step of a commit at which the way to the warehouse is cut; empty: it is the way to the lock store.
        seconds: How long a pause, cut or skew lasts.
        skew_seconds: How far the worker's wall clock is off.
        mode: For a cut from the lock store: `before` it hears the request, or `after`, when only the answer is lost.
    """

    number: int
    at_seconds: float
    kind: str
    slot: int | None = None
    step: str = ""
    seconds: float = 0.0
    skew_seconds: float = 0.0
    mode: str = ""


def make_plan(
    seed: int,
    *,
    seconds: float,
    workers: int,
    kinds: Sequence[str],
    lease_seconds: float,
    steps: Steps,
    pace: float = 1.0,
) -> tuple[Fault, ...]:
    """Return the faults of one torture, in order of time.

    Args:
        seed: Decides everything.
        seconds: How long the torture lasts.
        workers: How many there are to strike, keepers included; with fewer of them kills and pauses come less often.
        kinds: Which kinds may strike.
        lease_seconds: Length of a lease: pauses last longer than it.
        steps: Where kills and pauses strike, by worker; they differ between warehouses, and so do the plans.
        pace: Faults strike that many times more rarely.
    """
    drafts = []
    for kind in sorted(kinds):
        # One source per kind: leaving a kind out does not move the others.
        chance = random.Random(f"{seed}/{kind}")
        crowd = min(1.0, workers / WORKERS_THE_RATES_ARE_FOR) if kind in ("kill", "pause") else 1.0
        for at in _instants(chance, PER_SECOND[kind] * crowd / pace, seconds):
            drafts.append(_draft(kind, at, chance, workers, lease_seconds, steps))
    if "cut" in kinds and any(step.cut for step in steps(0)):
        chance = random.Random(f"{seed}/way")
        for at in _instants(chance, WAY_CUTS_PER_SECOND / pace, seconds):
            slot = chance.randrange(workers)
            drafts.append(Fault(0, at, "cut", slot, chance.choice([step.name for step in steps(slot) if step.cut])))
    drafts.sort(key=lambda fault: (fault.at_seconds, fault.kind))
    return tuple(replace(fault, number=number) for number, fault in enumerate(drafts, start=1))


def _instants(chance: random.Random, per_second: float, seconds: float) -> Iterator[float]:
    at = QUIET_SECONDS
    while (at := at + chance.uniform(0.4, 1.6) / per_second) < seconds:
        yield at


def _draft(kind: str, at: float, chance: random.Random, workers: int, lease_seconds: float, steps: Steps) -> Fault:
    slot = chance.randrange(workers)
    if kind in ("kill", "pause"):
        anywhere = chance.random() < 0.3
        offered = steps(slot)
        step = None if anywhere else chance.choices(offered, [step.weight for step in offered])[0]
        pause = chance.uniform(1.2, 1.4) if step is not None and step.brief else chance.uniform(1.5, 4.0)
        pause *= lease_seconds
        return Fault(0, at, kind, slot, step.name if step else "", seconds=pause if kind == "pause" else 0.0)
    if kind == "cut":
        everybody = chance.random() < 0.5
        return Fault(
            0,
            at,
            kind,
            None if everybody else slot,
            seconds=chance.uniform(0.2, 1.5) * lease_seconds,
            mode=chance.choice(("before", "after")),
        )
    if kind == "skew":
        off = chance.uniform(0.5, 3.0) * lease_seconds * chance.choice((-1, 1))
        return Fault(0, at, kind, slot, seconds=chance.uniform(1.0, 3.0) * lease_seconds, skew_seconds=off)
    return Fault(0, at, kind)
