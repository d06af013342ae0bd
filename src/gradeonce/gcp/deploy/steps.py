"""A plan as data: what is looked for, how it is made, changed and taken back. Nothing here runs anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Command = tuple[str, ...]
"""A program and its arguments. `${name}` in a word stands for a value that only the project knows (`Plan.found`)."""

Document = object
"""JSON as it was read."""

MADE_BY = "gradeonce"
"""Value of the label `made-by` of all that we make: what does not carry it is never removed."""

_PLACE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Wanted:
    """What something must have.

    Attributes:
        path: Where in its JSON, as `labels.made-by`.
        value: The value there, as text; empty: nothing. `*end` asks for a value that ends so.
    """

    path: str
    value: str

    def is_met(self, entry: Document) -> bool:
        """Say whether the value is there; in a list, whether it is one of it."""
        found = value_at(entry, self.path)
        if isinstance(found, list):
            return any(self._equals(item) for item in found)
        return self._equals(found)

    def _equals(self, found: Document) -> bool:
        if isinstance(found, bool):
            text = "true" if found else ""
        else:
            text = "" if found is None else str(found)
        if self.value.startswith("*"):
            return text.endswith(self.value[1:])
        return text == self.value


@dataclass(frozen=True)
class Look:
    """How to see whether something stands: list what there is, and find it. A list that is empty is no error.

    Attributes:
        command: Prints JSON.
        where: What the one looked for has.
        inside: Where in the JSON the list is; empty: the JSON is the list, or the one thing.
    """

    command: Command
    where: tuple[Wanted, ...] = ()
    inside: str = ""

    def find(self, document: Document) -> Document:
        """Return the entry that is looked for; None if there is none."""
        found = value_at(document, self.inside) if self.inside else document
        entries = found if isinstance(found, list) else [] if found is None else [found]
        return next((entry for entry in entries if all(one.is_met(entry) for one in self.where)), None)


@dataclass(frozen=True)
class Step:
    """One thing that must stand.

    Attributes:
        name: What it is, as it is shown.
        why: What it is for.
        look: How to see whether it stands.
        create: Makes it; None: it cannot be made by us, `hint` says what to do.
        wanted: What it must have once it stands.
        update: Changes one that lacks it; None: it cannot be changed, `hint` says what to do.
        undo: Takes it back; None: it stays.
        mark: How to see that we made it; without it, it is not taken back. None: nobody else would have.
        keeps_data: Whether it holds what cannot be made again: it is never taken back, `undo` is only shown.
        refuses_others: Whether one that lacks the mark is somebody else's, and must be left alone.
        makes_more: Whether more than itself comes and goes with it, so that everything is looked up again.
        goes_with: Name of the step that it is a part of, and goes with; empty: it stands by itself.
        hint: What to do where we can do nothing.
    """

    name: str
    why: str
    look: Look
    create: Command | None = None
    wanted: tuple[Wanted, ...] = ()
    update: Command | None = None
    undo: Command | None = None
    mark: Wanted | None = None
    keeps_data: bool = False
    refuses_others: bool = False
    makes_more: bool = False
    goes_with: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Plan:
    """All that must stand, in the order in which it is made.

    Attributes:
        steps: In order.
        found: By name, commands that print one value that only the project knows.
    """

    steps: tuple[Step, ...]
    found: Mapping[str, Command] = field(default_factory=dict)


def names_in(command: Command) -> tuple[str, ...]:
    """Return the names of the values that a command needs, in order."""
    return tuple(dict.fromkeys(name for word in command for name in _PLACE.findall(word)))


def names_of(step: Step) -> tuple[str, ...]:
    """Return the names of the values that are needed to see whether a step stands as it should."""
    wanted = (*step.look.where, *step.wanted)
    return names_in((*step.look.command, *(one.value for one in wanted)))


def with_values(command: Command, values: Mapping[str, str]) -> Command:
    """Return a command with its values put in."""
    return tuple(_filled(word, values) for word in command)


def look_with_values(look: Look, values: Mapping[str, str]) -> Look:
    """Return a look with its values put in."""
    return Look(with_values(look.command, values), wanted_with_values(look.where, values), look.inside)


def wanted_with_values(wanted: tuple[Wanted, ...], values: Mapping[str, str]) -> tuple[Wanted, ...]:
    """Return what is wanted with its values put in."""
    return tuple(Wanted(one.path, _filled(one.value, values)) for one in wanted)


def _filled(word: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: values[match[1]], word)


def value_at(document: Document, path: str) -> Document:
    """Return what is at a path in JSON, None if there is nothing."""
    found = document
    for key in path.split("."):
        if isinstance(found, list):
            found = found[int(key)] if key.isdigit() and int(key) < len(found) else None
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return found
