"""reference/python-api.md: the public names, from their docstrings."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any

from docstrings import attributes, markdown, table

INTRO = """# Python API

Everything listed here is public. `import gradeonce` is quick: the engine is imported when a book is opened. Errors have
a page of their own ([errors.md](errors.md)).

A first look: [your own predictions](../tutorial.md), [a table of your own](../tutorial-your-own-table.md).
"""

SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gradeonce": ("A book, opened or made.", ("open", "create", "Book", "LoadOptions")),
    "gradeonce.load": ("What a load answers.", ("LoadReport",)),
    "gradeonce.staging": (
        "What staging and consolidating answer.",
        ("StageReport", "ConsolidationReport", "StagedBatch", "SweepReport"),
    ),
    "gradeonce.grading": ("What grading one date answers.", ("PartitionRun",)),
    "gradeonce.backfill": ("What grading answers.", ("GradeReport", "Progress")),
    "gradeonce.status": ("What `status` answers.", ("DateStatus", "DateState")),
    "gradeonce.checks": (
        "What `check` and `check_history` answer.",
        ("CheckReport", "CheckResult", "CheckStatus", "CheckHistory", "CheckStanding"),
    ),
    "gradeonce.migrate": (
        "What `migrate` is given and answers.",
        ("MigrateOptions", "MigrationReport", "Findings", "MovedLines", "Comparison", "Difference", "Sample"),
    ),
    "gradeonce.schema": ("Tables of your own.", ("Table", "Column", "ColumnType")),
    "gradeonce.model": ("What a publish is given.", ("Query",)),
    "gradeonce.publish": ("The kernel.", ("publish", "Published", "PublishStatus", "Judgement")),
    "gradeonce.validation": ("Rules that staged rows must keep.", ("Validation",)),
    "gradeonce.leases": ("Leases with fencing tokens.", ()),
    "gradeonce.alerts": ("Alerts: one problem is one alert.", ()),
    "gradeonce.gcp.envelope": ("What a delivery of Pub/Sub carries.", ("Envelope", "of_cloud_event", "of_request")),
    "gradeonce.gcp.handler": ("What happens to it.", ("Handler", "Answer", "Outcome")),
    "gradeonce.gcp.completion": ("What the topic of completions is told.", ("Completion",)),
    "gradeonce.clock": ("Time, which tests move.", ("Clock", "SystemClock", "FakeClock")),
    "gradeonce.ledger": ("The hash chain.", ("verify", "LedgerProof")),
    "gradeonce.warehouses.base": ("What queries answer.", ("Rows", "Reader", "Revised")),
    "gradeonce.reports": (
        "What `report`, `calibration`, `compare` and `explain` answer.",
        ("Report", "Figures", "Calibration", "ConfidenceBin", "Comparison", "Explanation", "Scope"),
    ),
    "gradeonce.metrics": ("Figures as pure functions.", ()),
    "gradeonce.players": ("The rule for names.", ("player_lookup", "player_aliases")),
    "gradeonce.simulation": ("A simulated season, for trying things out.", ()),
}


def page() -> str:
    parts = [INTRO]
    for module_name, (about, names) in SECTIONS.items():
        module = import_module(module_name)
        parts += [f"## {module_name}", about]
        for name in names or module.__all__:
            parts += _thing(name, getattr(module, name))
    return "\n\n".join(part for part in parts if part)


def _thing(name: str, thing: Any) -> list[str]:
    if inspect.isclass(thing):
        return _class(name, thing)
    if inspect.isroutine(thing):
        return [f"### {name}", _signature(name, thing), markdown(thing.__doc__)]
    if not callable(thing) and hasattr(thing, "__args__"):
        return [f"### {name}", f"`{' | '.join(part.__name__ for part in thing.__args__)}`"]
    return [f"### {name}", f"`{thing!r}`"]


def _class(name: str, thing: Any) -> list[str]:
    parts = [f"### {name}", markdown(thing.__doc__, leave_out=("Attributes",))]
    members = _members(thing)
    if issubclass(thing, Enum):
        parts.append(f"Values: {', '.join(f'`{member.value}`' for member in thing)}.")
    elif is_dataclass(thing):
        meanings = attributes(thing)
        rows = [(f"`{f.name}`", f"`{f.type}`", meanings.get(f.name, "")) for f in fields(thing)]
        parts.append(table(("attribute", "type", "meaning"), rows))
    elif "__init__" in members and thing.__init__.__doc__ and not getattr(thing, "_is_protocol", False):
        parts += [_signature(name, thing.__init__), markdown(thing.__init__.__doc__)]
    for method_name, method in members.items():
        if method_name.startswith("_"):
            continue
        if isinstance(method, property):
            parts.append(f"**`{name}.{method_name}`** (property) {markdown(method.__doc__)}")
        elif inspect.isfunction(method) and not issubclass(thing, Enum):
            parts += [_signature(f"{name}.{method_name}", method), markdown(method.__doc__)]
    return parts


def _members(thing: type) -> dict[str, Any]:
    """Return a class's own members, then those of bases that nobody reads of anywhere else."""
    found = dict(vars(thing))
    for base in thing.__mro__[1:]:
        if base.__module__.startswith("gradeonce.") and not base.__module__.startswith(tuple(SECTIONS)[1:]):
            found |= {name: member for name, member in vars(base).items() if name not in found}
    return found


def _signature(name: str, function: Any) -> str:
    text = str(inspect.signature(function))
    text = re.sub(r"((?:: |-> ))'([^']*)'", r"\1\2", text).replace("(self, ", "(").replace("(self)", "()")
    text = re.sub(r"<function (\w+) at 0x[0-9a-f]+>", r"\1", text)
    text = re.sub(r"^\((.*)\) -> None$", r"(\1)", text)
    if len(name + text) > 110:
        inside, _, rest = text[1:].rpartition(")")
        text = "(\n    " + ",\n    ".join(_split(inside)) + ",\n)" + rest
    return f"```python\n{name}{text}\n```"


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
