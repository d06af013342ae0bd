"""The comparison itself: it would be worth nothing if it could not fail."""

from __future__ import annotations

import polars as pl

from acceptance.slate_checks import FLAGS, KEY, NUMBERS, TEXTS, differences

TYPES = {
    **dict.fromkeys([*KEY, *TEXTS], pl.String),
    **dict.fromkeys([*NUMBERS, "line"], pl.Float64),
    **dict.fromkeys(FLAGS, pl.Boolean),
}
ROW = {name: {pl.String: "x", pl.Float64: 1.0, pl.Boolean: True}[kind] for name, kind in TYPES.items()}


def frame(*changes: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([{**ROW, **change} for change in changes], schema=TYPES)


def test_equal_rows_do_not_differ() -> None:
    """Nulls are equal, in the key too, and 1e-12 is no difference."""
    ours = frame({"line": None, "actual": None}, {"line": 2.0, "actual": 3.0})
    expected = frame({"line": 2.0, "actual": 3.0 + 1e-12}, {"line": None, "actual": None})

    assert differences(ours, expected) == ""


def test_every_column_can_differ() -> None:
    """A changed value, or a null in its place, is named with both values."""
    for name in [*TEXTS, *NUMBERS, *FLAGS]:
        other = {pl.String: "y", pl.Float64: 1.000001, pl.Boolean: False}[TYPES[name]]
        for value in (other, None):
            assert f"{name}: book 'x'"[:-4] in differences(frame({}), frame({name: value})), (name, value)


def test_missing_and_surplus_rows_differ() -> None:
    """A row on one side only is a difference."""
    assert "only expected" in differences(frame({}), frame({}, {"player": "y"}))
    assert "only in the book" in differences(frame({}, {"player": "y"}), frame({}))
