"""`gradeonce gcp costs`: what a month costs."""

from __future__ import annotations

from typing import Any

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table


@click.command(short_help="Work out what a month costs.")
@click.option("--runs-per-day", type=float, default=1, show_default=True, help="Gradings a day.")
@click.option("--seconds-per-run", type=float, default=60, show_default=True, help="How long one takes.")
@click.option(
    "--gigabytes-per-run",
    type=float,
    default=1,
    show_default=True,
    help="GiB that BigQuery bills for one. An assumption: your own figure is in the ledger.",
)
@click.option("--stored-gigabytes", type=float, default=1, show_default=True, help="GiB of the book.")
@click.option("--image-gigabytes", type=float, default=1, show_default=True, help="GiB of images that deploys left.")
@click.option("--memory", default="512Mi", show_default=True, metavar="SIZE", help="Of one instance.")
@click.option("--without-free-tier", is_flag=True, help="As if others used up what is free every month.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def costs(without_free_tier: bool, as_json: bool, memory: str, **numbers: float) -> int:
    """Work out what a month costs, from a dated table of prices. Nothing is asked of Google.

    \b
    gradeonce gcp costs
    gradeonce gcp costs --runs-per-day 24 --gigabytes-per-run 2 --without-free-tier

    The prices are in the package and may be out of date: the date is shown, and the page of Google that has the price
    of today is named in the documentation. Nothing is known of discounts, taxes, other places, and of what else the
    project does.
    """
    from decimal import Decimal

    from gradeonce.gcp.costs import DAYS, FORMULA, Habits, monthly_costs

    habits = Habits(memory=memory, **{name: Decimal(str(value)) for name, value in numbers.items()})
    month = monthly_costs(habits, has_free_tier=not without_free_tier)
    table = month.table
    if as_json:
        emit_json(
            {
                "schema_version": SCHEMA_VERSION,
                "as_of": table.as_of,
                "currency": table.currency,
                "place": table.place,
                "total": month.total,
                "lines": [
                    {
                        "name": line.price.name,
                        "unit": line.price.unit,
                        "usage": line.usage,
                        "free": Decimal(0) if without_free_tier else line.price.free_per_month,
                        "price": line.price.price,
                        "cost": line.cost,
                    }
                    for line in month.lines
                ],
            }
        )
        return ExitCode.DONE
    emit_table(
        ["what", "usage a month", "unit", "free", "price", "cost"],
        [
            (
                line.price.shown,
                _short(line.usage),
                line.price.unit,
                "" if without_free_tier else _short(line.price.free_per_month),
                f"{line.price.price.normalize():f}",
                f"{line.cost:.2f}",
            )
            for line in month.lines
        ],
        right=["usage a month", "free", "price", "cost"],
    )
    click.echo(f"total: {month.total:.2f} {table.currency} for {DAYS} days")
    click.echo(f"{FORMULA}; prices of {table.as_of}, {table.place}: check them before you rely on them")
    return ExitCode.DONE


def _short(value: Any) -> str:
    # Any: a Decimal, which is imported only when it is needed.
    return f"{value:,.3f}".rstrip("0").rstrip(".") if value >= 1 or not value else f"{value:.2g}"
