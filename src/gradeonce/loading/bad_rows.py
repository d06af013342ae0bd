"""Deciding what becomes of a load in which rows are bad."""

from __future__ import annotations

from gradeonce.errors import InputError, UsageError
from gradeonce.loading.read import ReadRows

ON_BAD_ROWS = ("fail", "quarantine")
"""`fail`: nothing lands. `quarantine`: good rows land, bad ones are kept in a table with their reasons."""

SHOWN = 5


def raise_if_bad(read: ReadRows, on_bad_rows: str) -> None:
    """Stop a load whose rows are bad, unless they are to be kept aside. Refused rows never stop a load.

    Raises:
        InputError: If a row is bad and `on_bad_rows` is `fail`; it shows the first ones and says what to type.
        UsageError: If `on_bad_rows` is neither `fail` nor `quarantine`.
    """
    if on_bad_rows not in ON_BAD_ROWS:
        raise UsageError(f"There is no way {on_bad_rows!r} to treat bad rows.", hint="Expected fail or quarantine.")
    if not read.bad or on_bad_rows == "quarantine":
        return
    shown = [f"  {sample}" for sample in read.samples[:SHOWN]]
    if read.bad > len({(sample.file, sample.row) for sample in read.samples[:SHOWN]}):
        shown.append("  ...")
    count = (
        f"{read.bad:,} of {read.rows_mapped:,} rows are bad"
        if read.bad > 1
        else f"1 of {read.rows_mapped:,} rows is bad"
    )
    raise InputError(
        "\n".join([f"{count}:", *shown, ""]),
        rows=read.samples,
        bad_rows=read.bad,
        hint=_hint(read),
    )


def _hint(read: ReadRows) -> str:
    bare = ["has no UTC offset" in sample.reason for sample in read.samples]
    zone = "Pass --timezone America/New_York if the instants are Eastern time, or the zone that they are in."
    fix = "Fix the file, or load the good rows and keep the bad ones aside: --on-bad-rows quarantine."
    if all(bare):
        return zone
    return f"{fix} {zone}" if any(bare) else fix
