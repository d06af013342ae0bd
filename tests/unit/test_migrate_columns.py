"""Which column of theirs is which of ours."""

from __future__ import annotations

import pytest

from gradeonce.errors import UsageError
from gradeonce.migrate.columns import mapped

KEY = ("game_date", "system_id", "player_lookup")


def test_columns_are_found_by_our_name_or_one_that_many_use() -> None:
    """Ours before any other; whatever the case; the rest is left out, and what is not there is said."""
    found = mapped((*KEY, "Predicted_Points", "actual_points", "points", "mood"), {})

    assert found.columns == {
        **{name: name for name in KEY},
        "Predicted_Points": "predicted_value",
        "actual_points": "actual_value",
    }
    assert found.left_out == ("points", "mood")
    assert {"line_value", "outcome"} <= set(found.lacking)
    assert mapped((*KEY, "predicted_points", "predicted_value"), {}).left_out == ("predicted_points",)


def test_what_the_user_names_counts() -> None:
    """Also a column that would have been another one of ours."""
    theirs = (*KEY, "predicted_value", "recommendation", "points")

    found = mapped(theirs, {"minutes_played": "recommendation", "line_value": "POINTS"}).columns

    assert (found["recommendation"], found["points"]) == ("minutes_played", "line_value")
    assert "actual_value" not in found.values()


def test_without_its_key_a_table_holds_no_grades() -> None:
    """The message names what is missing, and how to say what it is called."""
    with pytest.raises(UsageError, match="no player_lookup, predicted_value") as caught:
        mapped(("game_date", "system_id", "who"), {})

    assert "--column player_lookup=THEIR_NAME" in caught.value.hint
