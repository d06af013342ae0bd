"""The recorded history: one line of JSON per event, appended by every process to the same file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from gradeonce.errors import InputError


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        at: When, in seconds of the monotonic clock, which all processes of a machine share.
        who: Which process: w3.2 is the second life of worker 3, c8.1 a consolidator, d10.1 a deduplicator, r0 a reader,
            nemesis, judge.
        kind: What kind of thing.
        data: The rest. Any: plain JSON values, which differ by kind.
    """

    at: float
    who: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return one line of JSON."""
        body = {"at": round(self.at, 6), "who": self.who, "kind": self.kind, **self.data}
        return json.dumps(body, separators=(",", ":"))

    @property
    def slot(self) -> int | None:
        """The number of the worker or keeper; None for anybody else."""
        number = self.who[1:].split(".")[0]
        return int(number) if self.who[:1] in ("w", "c", "d") and number.isdigit() else None


class Recorder:
    """Appends events to the history.

    Guarantee: a line is one write to a file opened for appending, so lines of different processes never mix, and what
    was recorded before a SIGKILL stays.
    """

    def __init__(self, path: Path, who: str) -> None:
        self._who = who
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def record(self, kind: str, **data: Any) -> float:
        """Append one event that happens now. Return its instant. Any: plain JSON values."""
        at = time.monotonic()
        os.write(self._file, (Event(at, self._who, kind, data).to_json() + "\n").encode())
        return at

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_history(path: Path) -> list[Event]:
    """Read a history, in order of time.

    Raises:
        InputError: If a line is not an event.
    """
    events = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", state="") from error
    for number, line in enumerate(lines, start=1):
        try:
            body = json.loads(line)
            events.append(Event(body.pop("at"), body.pop("who"), body.pop("kind"), body))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(f"{path} line {number} is not an event of a torture.", state="") from error
    return sorted(events, key=lambda event: event.at)


def write_history(events: Iterable[Event], path: Path) -> None:
    """Write a history that `read_history` reads."""
    path.write_text("".join(event.to_json() + "\n" for event in events), encoding="utf-8")
