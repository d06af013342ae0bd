"""reference/errors.md: every error, its exit code, and what its attributes mean."""

from __future__ import annotations

import inspect

from docstrings import attributes, markdown, table

from gradeonce import errors

INTRO = """# Errors

Every error of ours is a `gradeonce.errors.GradeonceError`. It says what happened (`message`), what state the data is in
now (`state`) and what to do next (`hint`). The command line prints the three and exits with the code of the type; with
`--json` it prints them as an object too ([json.md](json.md)). Only errors marked transient are worth a retry as they
are. No error leaves a partition half-way.

Expected answers are not errors: nothing to grade, box scores not in yet, the same content loaded again.
"""


def page() -> str:
    found = [thing for thing in vars(errors).values() if inspect.isclass(thing) and thing.__module__ == errors.__name__]
    ours = [error for error in found if issubclass(error, errors.GradeonceError)]
    rows = [
        (
            f"[`{error.__name__}`](#{error.__name__.lower()})",
            f"`{error.__mro__[1].__name__}`",
            error.exit_code,
            "yes" if error.is_transient else "",
        )
        for error in ours
    ]
    parts = [INTRO, table(("error", "is a", "exit code", "transient"), rows)]
    for error in [*ours, errors.BadRow]:
        parts += [f"## {error.__name__}", markdown(error.__doc__, leave_out=("Attributes",))]
        if meanings := attributes(error):
            parts.append(table(("attribute", "meaning"), [(f"`{name}`", text) for name, text in meanings.items()]))
    return "\n\n".join(parts)
