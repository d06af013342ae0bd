"""`gradeonce gcp costs`: usage less what is free, times the price; every line can be redone by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from gradeonce.errors import UsageError
from gradeonce.gcp.costs import Habits, MonthlyCosts, monthly_costs, price_table, usage


def line(month: MonthlyCosts, name: str) -> tuple[Decimal, Decimal, Decimal]:
    """Usage, what is paid of it, and what that costs."""
    (found,) = [one for one in month.lines if one.price.name == name]
    return found.usage, found.paid, found.cost


def test_every_price_has_a_usage_and_every_usage_a_price() -> None:
    """Nothing is left out of the sum, and the table is dated."""
    table = price_table()

    assert {price.name for price in table.prices} == set(usage(Habits(), table))
    assert date(2025, 1, 1) <= table.as_of <= date.today()  # noqa: DTZ011
    assert all(price.price > 0 and price.page and price.usage for price in table.prices)


def test_a_month_of_one_run_a_day() -> None:
    """30 runs of 60 s with 1/3 CPU and 1/2 GiB; 30 GiB billed; all of it free, but half a GiB of images."""
    month = monthly_costs(Habits())

    assert line(month, "run_cpu") == (Decimal("599.400"), 0, 0)
    assert line(month, "run_memory") == (Decimal(900), 0, 0)
    assert line(month, "bigquery_queries") == (Decimal(30) / 1024, 0, 0)
    # 60 s hold a lease of 60 s: three renewals; acquiring reads three times and writes once, releasing writes once.
    assert line(month, "firestore_writes")[0] == Decimal(30 * 5) / 100_000
    assert line(month, "firestore_reads")[0] == Decimal(30 * 6) / 100_000
    assert month.total == Decimal("0.05")


def test_what_is_above_the_free_share_is_paid() -> None:
    """100 runs a day that bill 1 GiB each: 3000 GiB are 2.9296875 TiB, of which one is free; 6.25 for each other."""
    month = monthly_costs(replace(Habits(), runs_per_day=Decimal(100)))

    assert line(month, "bigquery_queries") == (
        Decimal("2.9296875"),
        Decimal("1.9296875"),
        Decimal("1.9296875") * Decimal("6.25"),
    )
    assert month.total == sum(one.cost for one in month.lines)


def test_without_the_free_share_all_is_paid() -> None:
    """Others in the billing account may use it up: one job and one version of a secret cost then, too."""
    month = monthly_costs(Habits(), has_free_tier=False)

    assert line(month, "scheduler") == (1, 1, Decimal("0.10"))
    assert line(month, "secret_versions") == (1, 1, Decimal("0.06"))
    assert all(one.usage == one.paid for one in month.lines)


@pytest.mark.parametrize(
    "habits",
    [
        replace(Habits(), runs_per_day=Decimal(-1)),
        replace(Habits(), memory="3Gi"),
        replace(Habits(), gigabytes_per_run=Decimal("NaN")),
    ],
)
def test_habits_that_cannot_be(habits: Habits) -> None:
    """Said, rather than a cost of less than nothing."""
    with pytest.raises(UsageError):
        monthly_costs(habits)
