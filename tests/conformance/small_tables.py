"""What small tables must do on every warehouse: one body, inherited by the tests of each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from gradeonce.errors import UsageError
from gradeonce.schema import Column, ColumnType, SmallTable
from gradeonce.warehouses.base import Warehouse

VISITS = SmallTable(
    name="visits",
    key=("guest", "number"),
    columns=(
        Column("guest", ColumnType.TEXT),
        Column("number", ColumnType.INTEGER),
        Column("came_on", ColumnType.DATE),
        Column("left_at", ColumnType.INSTANT),
        Column("paid", ColumnType.DECIMAL),
        Column("is_friend", ColumnType.BOOLEAN),
    ),
)
NOON = datetime(2026, 1, 17, 12)


class SmallTablesConformance:
    """Inherit it and give it a fixture `warehouse`: an empty one, closed at the end."""

    def test_nothing_is_kept_at_first(self, warehouse: Warehouse) -> None:
        """A table that nobody wrote is empty, and there is nothing to drop."""
        assert warehouse.kept(VISITS).rows == []
        assert warehouse.drop_kept(VISITS, [{"guest": "ann", "number": 1}]) == 0

    def test_values_come_back_as_they_were(self, warehouse: Warehouse) -> None:
        """Every type, nulls, and an instant with an offset, which comes back in UTC; in the order of the key."""
        here = datetime(2026, 1, 17, 7, tzinfo=timezone(timedelta(hours=-5)))
        full = {"came_on": date(2026, 1, 17), "left_at": here, "paid": Decimal("12.345678912"), "is_friend": True}
        warehouse.keep(VISITS, [{"guest": "bob", "number": 1}, {"guest": "ann", "number": 2, **full}])

        assert warehouse.kept(VISITS).rows == [
            ("ann", 2, date(2026, 1, 17), NOON, Decimal("12.345678912"), True),
            ("bob", 1, None, None, None, None),
        ]

    def test_a_key_stands_once(self, warehouse: Warehouse) -> None:
        """The same key again replaces the row; with replace off it is left, and the count says so."""
        row = {"guest": "ann", "number": 1, "is_friend": False}

        assert warehouse.keep(VISITS, [row]) == 1
        assert warehouse.keep(VISITS, [{**row, "is_friend": True}]) == 1
        assert warehouse.keep(VISITS, [row], replace=False) == 0
        assert [visit["is_friend"] for visit in warehouse.kept(VISITS).dicts()] == [True]

    def test_rows_are_kept_all_or_none(self, warehouse: Warehouse) -> None:
        """A bad row takes the good one before it along; the message names what is wrong."""
        good = {"guest": "ann", "number": 1}

        with pytest.raises(UsageError, match="needs a value for number"):
            warehouse.keep(VISITS, [good, {"guest": "bob"}])
        with pytest.raises(UsageError, match="has no column colour"):
            warehouse.keep(VISITS, [good, {**good, "colour": "red"}])

        assert warehouse.kept(VISITS).rows == []

    def test_rows_are_dropped_by_key(self, warehouse: Warehouse) -> None:
        """Only the rows named go."""
        warehouse.keep(
            VISITS, [{"guest": "ann", "number": number, "left_at": NOON.replace(tzinfo=UTC)} for number in (1, 2)]
        )

        assert warehouse.drop_kept(VISITS, [{"guest": "ann", "number": 1}, {"guest": "eve", "number": 1}]) == 1
        assert [row[:2] for row in warehouse.kept(VISITS).rows] == [("ann", 2)]
