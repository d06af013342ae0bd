"""What a month on Google Cloud costs: usage less what is free, times a price, for each thing that has one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.resources import files

from gradeonce.errors import UsageError

DAYS = 30
"""Days of a month, for the sum."""

FORMULA = "cost = sum of (usage - free, 0 if less) x price"

MESSAGES_PER_RUN = 4
"""Published and delivered, the question and the completion."""

MESSAGE_BYTES = 1000
"""What a message counts as, at least."""

_GIB = Decimal(1024) ** 3


@dataclass(frozen=True)
class Price:
    """One line of the price table.

    Attributes:
        name: What our usage of it is called.
        shown: Product and what of it is paid for.
        unit: What one of it is.
        price: Of one unit, in the currency of the table.
        free_per_month: Units that are free every month.
        usage: How the usage is worked out, in words.
        page: Where Google says so.
    """

    name: str
    shown: str
    unit: str
    price: Decimal
    free_per_month: Decimal
    usage: str
    page: str


@dataclass(frozen=True)
class PriceTable:
    """Prices as they were known on a day.

    Attributes:
        as_of: That day.
        currency: ISO 4217.
        place: Where they hold.
        prices: The lines.
        vcpu: CPUs that go with a size of memory.
    """

    as_of: date
    currency: str
    place: str
    prices: tuple[Price, ...]
    vcpu: Mapping[str, Decimal]


@dataclass(frozen=True)
class Habits:
    """How it is used: assumptions, each to be replaced by what your own ledger says.

    Attributes:
        runs_per_day: Gradings a day, by schedule or by message.
        seconds_per_run: How long one takes.
        gigabytes_per_run: GiB that BigQuery bills for one. A statement is billed 10 MiB at least for each table that it
            reads.
        stored_gigabytes: GiB of the book.
        image_gigabytes: GiB of images that earlier deploys left behind.
        memory: Of one instance.
        ttl_seconds: Length of a lease; it is renewed every third of it.
    """

    runs_per_day: Decimal = Decimal(1)
    seconds_per_run: Decimal = Decimal(60)
    gigabytes_per_run: Decimal = Decimal(1)
    stored_gigabytes: Decimal = Decimal(1)
    image_gigabytes: Decimal = Decimal(1)
    memory: str = "512Mi"
    ttl_seconds: Decimal = Decimal(60)


@dataclass(frozen=True)
class Cost:
    """What one thing costs a month.

    Attributes:
        price: The line of the table.
        usage: Units used.
        paid: Units that are paid for.
        cost: In the currency of the table.
    """

    price: Price
    usage: Decimal
    paid: Decimal
    cost: Decimal


@dataclass(frozen=True)
class MonthlyCosts:
    """What a month costs.

    Attributes:
        table: The prices.
        lines: One for each price.
        total: Their sum, in the currency of the table.
    """

    table: PriceTable
    lines: tuple[Cost, ...]
    total: Decimal


def price_table() -> PriceTable:
    """Read the table of the package."""
    document = tomllib.loads(files("gradeonce.gcp").joinpath("prices.toml").read_text(encoding="utf-8"))
    prices = tuple(
        Price(**{**entry, "price": Decimal(entry["price"]), "free_per_month": Decimal(entry["free_per_month"])})
        for entry in document["price"]
    )
    vcpu = {memory: Decimal(count) for memory, count in document["vcpu"].items()}
    return PriceTable(document["as_of"], document["currency"], document["place"], prices, vcpu)


def monthly_costs(habits: Habits, *, table: PriceTable | None = None, has_free_tier: bool = True) -> MonthlyCosts:
    """Return what a month costs.

    Args:
        habits: How it is used.
        table: Prices; None takes those of the package.
        has_free_tier: Whether what is free every month is left for us; others in the billing account may use it up.

    Raises:
        UsageError: If a number is below 0, or the table knows no CPU for the memory.
    """
    table = table or price_table()
    used = usage(habits, table)
    lines = []
    for price in table.prices:
        free = price.free_per_month if has_free_tier else Decimal(0)
        paid = max(used[price.name] - free, Decimal(0))
        lines.append(Cost(price, used[price.name], paid, paid * price.price))
    return MonthlyCosts(table, tuple(lines), sum((line.cost for line in lines), Decimal(0)))


def usage(habits: Habits, table: PriceTable) -> dict[str, Decimal]:
    """Return the units that a month uses, by the name of their price."""
    if habits.memory not in table.vcpu:
        raise UsageError(f"--memory is {habits.memory!r}; prices are known for {', '.join(table.vcpu)}.")
    numbers = [value for value in vars(habits).values() if isinstance(value, Decimal)]
    if any(not value.is_finite() or value < 0 for value in numbers) or not habits.ttl_seconds:
        raise UsageError("A number of runs, seconds or gigabytes is below 0; expected 0 or more.")
    runs = habits.runs_per_day * DAYS
    seconds = runs * habits.seconds_per_run
    # The first third of a lease passes without a renewal.
    renewals = habits.seconds_per_run // (habits.ttl_seconds / 3)
    return {
        "bigquery_queries": runs * habits.gigabytes_per_run / 1024,
        "bigquery_storage": habits.stored_gigabytes,
        "run_cpu": seconds * table.vcpu[habits.memory],
        "run_memory": seconds * _gibibytes(habits.memory),
        "run_requests": runs / 1_000_000,
        "pubsub": runs * MESSAGES_PER_RUN * MESSAGE_BYTES / _GIB,
        "scheduler": Decimal(1),
        "firestore_reads": runs * (3 + renewals) / 100_000,
        "firestore_writes": runs * (2 + renewals) / 100_000,
        "secret_versions": Decimal(1),
        "secret_accesses": runs / 10_000,
        "images": habits.image_gigabytes,
    }


def _gibibytes(memory: str) -> Decimal:
    size = Decimal(memory[:-2])
    return size if memory.endswith("Gi") else size / 1024
