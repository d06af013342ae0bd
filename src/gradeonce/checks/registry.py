"""The checks there are: ours, one file each in this folder, and the user's, one file each in a folder of theirs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce import rules
from gradeonce.checks.check import Check, parse_check
from gradeonce.errors import ConfigError, UsageError
from gradeonce.schema import PREDICTIONS
from gradeonce.statements import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradeonce.config import Settings


@cache
def built_in_checks() -> tuple[Check, ...]:
    """Return our checks in the order of their numbers."""
    pieces = {
        "refusals": f"({rules.refusals_sql(PREDICTIONS.name)})",
        "counted": f"({rules.counted_sql(PREDICTIONS.name)})",
        "counted_meeting": rules.meeting_steps("counted", "known_actuals"),
        "graded_meeting": rules.meeting_steps("graded", "known_actuals"),
        "id_format_of_prediction": statement("gradeonce.rules", "validate.sql", "id_format", id="s.game_id"),
    }
    files = sorted(Path(__file__).parent.glob("*.sql"))
    checks = [parse_check(path.read_text(encoding="utf-8"), path.name, pieces) for path in files]
    return tuple(sorted(checks, key=lambda check: check.number))


def own_checks(folder: Path) -> list[Check]:
    """Return the user's checks, in the order of their names.

    Raises:
        ConfigError: If the folder or a file in it cannot be read, or two checks have one name.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"[checks] check_folder is {folder}, which is no folder.", hint="Make it, or fix the setting."
        )
    taken = {check.name: "a built-in check" for check in built_in_checks()}
    found = []
    for path in sorted(folder.glob("*.sql")):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The check {path} cannot be read: {error}.") from error
        check = parse_check(text, path.name, {}, default_name=path.stem)
        if check.name in taken:
            raise ConfigError(f"The check in {path.name} is called {check.name}, as is {taken[check.name]}.")
        taken[check.name] = f"that in {path.name}"
        found.append(check)
    return sorted(found, key=lambda check: check.name)


def chosen_checks(settings: Settings, only: Sequence[str] = ()) -> list[Check]:
    """Return the checks to run: ours, then the user's; those named, or all but those that are skipped.

    Raises:
        ConfigError: If the user's folder, or a check that is to be skipped, is not there.
        UsageError: If a name is unknown.
    """
    folder = settings.checks_path
    every = [*built_in_checks(), *(own_checks(folder) if folder else [])]
    names = [check.name for check in every]
    strangers = [name for name in settings.skipped_checks if name not in names]
    if strangers:
        raise ConfigError(f"[checks] skipped_checks names {strangers[0]!r}, which is no check.{_known(names)}")
    strangers = [name for name in only if name not in names]
    if strangers:
        raise UsageError(f"There is no check {strangers[0]!r}.{_known(names)}")
    return [check for check in every if (check.name in only if only else check.name not in settings.skipped_checks)]


def _known(names: Sequence[str]) -> str:
    return f" Checks: {', '.join(names)}."
