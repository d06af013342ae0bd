"""Every error says what happened, how the data stands and what to do, and has one exit code per meaning."""

from __future__ import annotations

import inspect

import pytest

from gradeonce import errors
from gradeonce.cli.exit_codes import MEANINGS, ExitCode
from gradeonce.errors import BadRow, GradeonceError, InputError, LeaseHeld, LeaseLost, PublishConflict, ValidationFailed

ALL = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, GradeonceError) and value is not GradeonceError
]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_an_exit_code_with_a_meaning(kind: type[GradeonceError]) -> None:
    """And none but an abstract one has that of our own bugs; the table in the module's text names it."""
    assert ExitCode(kind.exit_code) in MEANINGS
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.exit_code != ExitCode.OUR_BUG or kind is errors.LockError


def test_only_what_may_succeed_later_is_transient() -> None:
    """A held lease, a busy warehouse, a conflict, a channel out of reach: and nothing that was lost or is wrong."""
    assert {kind.__name__ for kind in ALL if kind.is_transient} == {
        "LeaseHeld",
        "TransientAlertError",
        "TransientCompletionError",
        "TransientWarehouseError",
        "PublishConflict",
    }


def test_the_three_parts_stand_in_order() -> None:
    """What happened, how the data stands, what to do; a part that is empty leaves no gap."""
    assert str(GradeonceError("It broke.", hint="Mend it.")) == "It broke. Nothing was changed. Mend it."
    assert str(GradeonceError("It broke.", state="Half is left.")) == "It broke. Half is left."
    assert str(GradeonceError("It broke.", state="")) == "It broke."


def test_a_held_lease_says_who_and_what_to_type() -> None:
    """Holder, since when, for how long, how long we waited, and the command that breaks it."""
    error = LeaseHeld(
        "grading/2026-01-17",
        holder="nightly@box:12:ab",
        token=7,
        since="2026-01-18T11:59:00Z",
        expires_in_seconds=12.34,
        waited_seconds=5.0,
    )

    assert str(error) == (
        "The lease grading/2026-01-17 is held by nightly@box:12:ab since 2026-01-18T11:59:00Z (token 7); it runs for "
        "another 12.3 s unless renewed. Waited 5.0 s. Nothing was changed. Run again later, wait longer with --wait, "
        "or see `gradeonce locks list`. If nightly@box:12:ab is certainly dead: "
        "`gradeonce locks release grading/2026-01-17 --token 7`."
    )


def test_a_lost_lease_says_what_stands() -> None:
    """Nothing of ours was published, the successor's stands, and running again is right."""
    error = LeaseLost("grading/2026-01-17", token=7, reason="taken_over", detail="Token 8 has it.")

    assert str(error) == (
        "The lease grading/2026-01-17 (token 7) was lost: taken over. Token 8 has it. Nothing of this run was "
        "published; what a successor published stands. Run the same command again: it starts from what stands now."
    )


def test_a_bad_row_names_file_row_column_and_value() -> None:
    """An empty value and a row that is wrong as a whole read well too."""
    assert str(BadRow("a.csv", 3, "minutes", "-4", "is negative")) == "a.csv row 3, column minutes: '-4' is negative"
    assert str(BadRow("a.csv", 3, "minutes", None, "is missing")) == "a.csv row 3, column minutes: empty is missing"
    assert str(BadRow("a.csv", 3, "", None, "has 5 fields, not 6")) == "a.csv row 3: has 5 fields, not 6"


def test_errors_carry_what_they_tell_as_values() -> None:
    """Whoever catches one needs no regular expression."""
    bad = BadRow("a.csv", 1, "x", "y", "z")
    assert InputError("No.", rows=[bad], bad_rows=9).rows == (bad,)
    assert InputError("No.", rows=[bad], bad_rows=9).bad_rows == 9
    assert str(InputError("No.")) == "No. Nothing was loaded."
    assert ValidationFailed("No.", failures=["a", "b"]).failures == ("a", "b")
    assert str(ValidationFailed("No.", failures=[])) == ("No. Nothing was published; the last published state stands.")
    assert issubclass(PublishConflict, errors.TransientWarehouseError)
