"""What a torture is told to do: once by its caller, once to every process that takes part."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from gradeonce.errors import UsageError

ALGORITHMS = ("gradeonce", "lock-only", "naive")
"""How workers publish.

- gradeonce: a lease, a look at it just before the commit, and a commit under the fence.
- lock-only: the same lease and the same look, and a commit that asks nothing (see `unfenced`). A worker that is
  stopped between the look and the commit writes over its successor; so does one whose lease the store forgot.
- naive: that commit without any lease: whoever overlaps, doubles.
"""
FAULTS = ("kill", "pause", "flush", "cut", "skew")

LEASE_SECONDS = 1.0
"""Length of a lease while tortured: short, so that a pause past it takes seconds and not minutes."""


@dataclass(frozen=True)
class TortureOptions:
    """What the caller chose.

    Attributes:
        seconds: How long workers publish and the nemesis breaks; checking comes on top.
        seed: Decides which fault strikes whom and when, and what every worker publishes.
        workers: Processes that publish.
        algorithm: One of ALGORITHMS.
        faults: Which of FAULTS may strike; empty for none.
    """

    seconds: float = 60.0
    seed: int = 0
    workers: int = 8
    algorithm: str = "gradeonce"
    faults: tuple[str, ...] = FAULTS

    def __post_init__(self) -> None:
        unknown = [name for name in self.faults if name not in FAULTS]
        if unknown:
            raise UsageError(f"There is no fault {unknown[0]!r}; expected some of {', '.join(FAULTS)}.")
        if self.algorithm not in ALGORITHMS:
            raise UsageError(f"There is no algorithm {self.algorithm!r}; expected one of {', '.join(ALGORITHMS)}.")
        if not self.seconds > 0 or self.workers < 1:
            raise UsageError(f"A torture needs time and workers, not {self.seconds:g} s and {self.workers} workers.")

    @property
    def command(self) -> str:
        """The command that runs the same plan again."""
        faults = ",".join(self.faults) or "none"
        return (
            f"gradeonce torture --seconds {self.seconds:g} --seed {self.seed} --workers {self.workers} "
            f"--algorithm {self.algorithm} --faults {faults}"
        )


@dataclass(frozen=True)
class Orders:
    """What every process of one torture knows.

    Attributes:
        folder: Scratch folder: the book, the control file, the history and what crashed processes said.
        name: Letters, digits and underscores that no other torture has: what it makes on a server is called so.
        server: URL of the database that holds the book; empty for a book in the scratch folder.
        seconds, seed, workers, algorithm, faults: See TortureOptions.
        readers: Processes that look.
        consolidators: Processes that stage and consolidate predictions.
        deduplicators: Processes that bring copies in, and remove them.
        lease_seconds: Length of a lease.
        store: Which lock store, as in [lock] store.
        on_unavailable: As in [lock] on_unavailable.
        threads: Engine threads of each process.
        minimum_free_megabytes: As in [warehouse].
        allow_network_filesystem: As in [warehouse].
        began_at: Monotonic instant at which the first worker started; 0 before.
        pace: See `Tempo`.
        breath_seconds: See `Tempo`.
        reach_seconds: See `Tempo`.
    """

    folder: str
    name: str
    server: str
    seconds: float
    seed: int
    workers: int
    algorithm: str
    faults: tuple[str, ...]
    readers: int
    consolidators: int
    deduplicators: int
    lease_seconds: float
    store: str
    on_unavailable: str
    threads: int
    minimum_free_megabytes: int
    allow_network_filesystem: bool
    began_at: float = 0.0
    pace: float = 1.0
    breath_seconds: float = 0.02
    reach_seconds: float = 1.0

    @property
    def keepers(self) -> int:
        """Processes that change the book beside the workers."""
        return self.consolidators + self.deduplicators

    @property
    def actors(self) -> int:
        """All processes that change the book; each has a slot, workers first."""
        return self.workers + self.keepers

    def role_of(self, slot: int) -> str:
        """Return what the process in a slot does: w, c or d for a worker, a consolidator, a deduplicator."""
        if slot < self.workers:
            return "w"
        return "c" if slot < self.workers + self.consolidators else "d"

    def name_of(self, slot: int, life: int) -> str:
        """Return the name of one life of the process in a slot."""
        return f"{self.role_of(slot)}{slot}.{life}"

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Orders:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "faults": tuple(values["faults"])})
