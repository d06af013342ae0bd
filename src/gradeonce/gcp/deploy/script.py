"""A plan as a shell script: exactly the commands that would run, to read, to keep, or to run by hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from gradeonce.gcp.deploy.steps import Command, Plan, Step, names_in


def script(plan: Plan, folder: str, files: Mapping[str, bytes]) -> str:
    """Return the plan as a script for a POSIX shell. Nothing is asked of Google for it.

    Args:
        plan: What must stand.
        folder: Where the code that is sent is written.
        files: That code.
    """
    return "\n".join((*_written(folder, files), *_lines(plan))) + "\n"


def shown(command: Command) -> str:
    """Return a command as a shell would take it."""
    return " ".join(_quoted(word) for word in command)


def _written(folder: str, files: Mapping[str, bytes]) -> Iterator[str]:
    yield "# What `gradeonce gcp deploy` runs: it looks first, makes what is missing, and changes what differs."
    yield "set -eu"
    yield ""
    yield "# The code that is sent."
    yield f"mkdir -p {shlex.quote(folder)}"
    for name, content in files.items():
        path = shlex.quote(f"{folder}/{name}")
        if name in ("main.py", "requirements.txt"):
            yield f"cat > {path} <<'END'\n{content.decode()}END"
        else:
            yield f"cp {shlex.quote(name)} {path}"


def _lines(plan: Plan) -> Iterator[str]:
    known: set[str] = set()
    for number, step in enumerate(plan.steps, 1):
        yield ""
        yield f"# {number}. {step.name}: {step.why}"
        for command in (step.look.command, step.create or (), step.update or ()):
            yield from _assignments(plan, command, known)
        yield f"#    look: {shown(step.look.command)}"
        if step.create:
            yield shown(step.create)
        if step.update and step.update != step.create:
            yield f"#    if it differs: {shown(step.update)}"
        yield f"#    undo: {_undo(step)}"


def _assignments(plan: Plan, command: Command, known: set[str]) -> Iterator[str]:
    for name in names_in(command):
        if name not in known:
            yield from _assignments(plan, plan.found[name], known)
            known.add(name)
            yield f"{name}=$({shown(plan.found[name])})"


def _undo(step: Step) -> str:
    if step.goes_with:
        return f"goes with the {step.goes_with}"
    if step.undo is None:
        return "stays" if step.create else "not ours to undo"
    return shown(step.undo) + ("    (by hand only: it holds data)" if step.keeps_data else "")


def _quoted(word: str) -> str:
    flag, mark, value = word.partition("=")
    if not mark or not word.startswith("--"):
        flag, mark, value = "", "", word
    if "${" in value:
        # Within double quotes the shell puts values in; nothing else of such words means anything to it.
        return f'{flag}{mark}"{value}"'
    return f"{flag}{mark}{shlex.quote(value)}"
