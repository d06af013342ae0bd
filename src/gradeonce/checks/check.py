"""What a check is: a named SQL statement with a header, one file each; ours and the user's are written alike.

    -- check: bets_without_price
    -- severity: warn
    -- about: A bet has a price of its own.
    -- fix: Load lines with prices before grading.
    SELECT system_id, prediction_id FROM prediction_accuracy
    WHERE game_date BETWEEN $first_date AND $last_date AND over_price IS NULL

Rows are what breaks the rule: their columns are the evidence. A column `severity` (`warn` or `fail`) wins over the
header's. Several statements may stand in a file, each opened by `-- name:`; `findings` is the rule, and one may stand
in another by its name in braces:

- `considered`: one number, of what there is to look at. 0 is "no data", never a pass. Left out, it is the number of
  grades in the range.
- `notes`: one text a row, of what could not be judged, and why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gradeonce.alerts.problem import Severity
from gradeonce.errors import ConfigError
from gradeonce.statements import split_statements, without_comments

_HEADER = re.compile(r"^-- (check|number|severity|about|fix): *(.*?) *$", re.MULTILINE)
_FIRST_STATEMENT = re.compile(r"^(?:-- name:|[^-\s])", re.MULTILINE)
_SLOT = re.compile(r"\{([a-z_]+)\}")
_VALUE = re.compile(r"\$([a-z_]+)\b")

CONSIDERED = "SELECT count(*) FROM prediction_accuracy WHERE game_date BETWEEN $first_date AND $last_date"
"""What there is to look at, for a check that does not say: the grades in the range."""


@dataclass(frozen=True)
class Check:
    """One rule over the book.

    Attributes:
        name: Its name, for `--only` and in results.
        number: Its place in the list of ours; 0 for one of the user's own.
        severity: Of a finding that names none.
        about: What must hold, one line.
        fix: What to do about a finding, one line.
        considered: SELECT of one number: what there is to look at; 0 is "no data".
        findings: SELECT of what breaks the rule; its columns are the evidence.
        notes: SELECT of one text a row, of what could not be judged; empty: none.
    """

    name: str
    number: int
    severity: Severity
    about: str
    fix: str
    considered: str
    findings: str
    notes: str = ""

    @property
    def values(self) -> frozenset[str]:
        """Names of the values that its statements bind."""
        return frozenset(_VALUE.findall(" ".join((self.considered, self.findings, self.notes))))


def parse_check(text: str, filename: str, pieces: Mapping[str, str], *, default_name: str = "") -> Check:
    """Return the check that a file holds.

    Args:
        text: The file.
        filename: Its name, for messages.
        pieces: Texts that may stand in its statements, by the name in braces.
        default_name: Its name when the header gives none; empty: it must.

    Raises:
        ConfigError: If the header lacks something, or a statement does.
    """
    start = _FIRST_STATEMENT.search(text)
    header = dict(_HEADER.findall(text[: start.start()] if start else text))
    name = header.get("check", default_name)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise _wrong(filename, f"`-- check: {name}`: expected a name of small letters, digits and _")
    severity = header.get("severity", "")
    if severity not in tuple(Severity):
        raise _wrong(filename, f"`-- severity: {severity}`: expected warn or fail")
    missing = [key for key in ("about", "fix") if not header.get(key)]
    if missing:
        raise _wrong(filename, f"the header lacks `-- {missing[0]}:`")
    try:
        found = split_statements(text, filename) or {"findings": without_comments(text)}
        filled = {part: _filled(found[part], {**pieces, **found}) for part in found}
    except KeyError as error:
        raise _wrong(filename, str(error.args[0])) from error
    if not filled.get("findings"):
        raise _wrong(filename, "it has no SELECT")
    return Check(
        name=name,
        number=int(header.get("number", 0)),
        severity=Severity(severity),
        about=header["about"],
        fix=header["fix"],
        considered=filled.get("considered", CONSIDERED),
        findings=filled["findings"],
        notes=filled.get("notes", ""),
    )


def _filled(text: str, pieces: Mapping[str, str]) -> str:
    def put(match: re.Match[str]) -> str:
        if match[1] not in pieces:
            raise KeyError(f"{{{match[1]}}} stands for nothing")
        # Without itself, or a text that names itself would never end.
        return _filled(pieces[match[1]], {name: piece for name, piece in pieces.items() if name != match[1]})

    return _SLOT.sub(put, text)


def _wrong(filename: str, what: str) -> ConfigError:
    return ConfigError(
        f"The check in {filename} cannot be read: {what}.", hint="See docs/howto/check-every-morning.md."
    )
