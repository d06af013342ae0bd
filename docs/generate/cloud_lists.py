"""reference/cloud-*.md: permissions, prices and checks on Google Cloud, as the code has them."""

from __future__ import annotations

from docstrings import table

from gradeonce.clock import SystemClock
from gradeonce.gcp.costs import DAYS, FORMULA, price_table
from gradeonce.gcp.deploy import Deployment, Gcloud, Shape
from gradeonce.gcp.deploy.grants import DEPLOYER, Grant, grants
from gradeonce.gcp.verify import leases, warehouse
from gradeonce.gcp.verify.delivery import Delivery

PERMISSIONS = """# Permissions on Google Cloud

What `gradeonce gcp deploy` grants, and nothing beside it. Names are those of a deployment without further options;
`deploy/terraform` grants the same. Nobody gets a role on more than is said here: not on other datasets, topics or
secrets.
"""

OWN = """## Roles that Google gives its own accounts

Enabling an API makes an account of Google's with the role that it needs. They are not ours to grant, and are missing
only where somebody took them away:
"""

AGENTS = (
    (
        "Cloud Scheduler's",
        "roles/cloudscheduler.serviceAgent",
        "publish the nightly message",
        "nothing is ever asked for",
    ),
    ("Pub/Sub's", "roles/pubsub.serviceAgent", "sign the token of a push", "every message is refused with 403"),
    (
        "Eventarc's",
        "roles/eventarc.serviceAgent",
        "make the subscription of the trigger",
        "the function cannot be deployed",
    ),
    (
        "Cloud Functions'",
        "roles/cloudfunctions.serviceAgent",
        "build and run the function",
        "the function cannot be deployed",
    ),
    ("Cloud Run's", "roles/run.serviceAgent", "run the image as the runtime account", "the service cannot be deployed"),
)

MORE = """## When predictions lie elsewhere

If tables of yours stand for ours (`[tables]`) and lie outside the dataset of the book, `gradeonce gcp deploy` grants
the runtime account `roles/bigquery.dataViewer` on each table that is read, and `roles/bigquery.dataEditor` on each that
is written, and on nothing else there. Whoever deploys must own these tables. With Terraform, or where somebody else
owns them, this does the same:

```text
GRANT `roles/bigquery.dataViewer` ON TABLE `their-project`.`nba`.`props`
TO "serviceAccount:gradeonce-runtime@my-project.iam.gserviceaccount.com"
```
"""

PRICES = """# Prices on Google Cloud

What `gradeonce gcp costs` reckons with: the table of the package, `gradeonce/gcp/prices.toml`. Google changes prices,
and asks others in other places: before you rely on a sum, look at the page that the last column names.
[What a month costs](../howto/costs-on-google-cloud.md) shows how to use it.
"""

CHECKS = """# Checks of a real project

What `gradeonce gcp verify` asks, in order. A check that fails says what it saw; `--only NAME` makes one alone.
[What the emulators cannot show](../concepts/what-the-emulators-cannot-show.md) says why they are there.
"""


def permissions_page() -> str:
    function, service = (Deployment("my-project", shape=shape) for shape in Shape)
    of_function, of_service = grants(function), grants(service)
    only_service = [grant for grant in of_service if grant not in of_function]
    parts = [PERMISSIONS, "## Granted by deploy", _grants(of_function)]
    parts += ["With `--as cloud-run`, in place of those on the same thing:", _grants(only_service)]
    parts += [OWN, table(("account", "role", "what for", "what breaks without"), AGENTS)]
    parts += ["## Whoever deploys", "An owner of the project has all of this.", _deployer(), MORE]
    return "\n\n".join(parts)


def _grants(granted: tuple[Grant, ...] | list[Grant]) -> str:
    rows = [
        (
            one.who.value,
            f"`{one.role}`",
            f"{one.kind.value} {_name(one)}".strip(),
            one.why,
            one.without,
        )
        for one in granted
    ]
    return table(("account", "role", "on", "what for", "what breaks without"), rows)


def _name(grant: Grant) -> str:
    if "$" in grant.name:
        return "of the trigger"
    return f"`{grant.name.partition('@')[0]}`" if grant.name else ""


def _deployer() -> str:
    rows = [
        (f"`{one.role}`", one.why, "" if len(one.shapes) > 1 else f"`--as {one.shapes[0].value}` only")
        for one in DEPLOYER
    ]
    return table(("role on the project", "what for", ""), rows)


def prices_page() -> str:
    prices = price_table()
    rows = [
        (price.shown, price.unit, f"{price.price:f}", f"{price.free_per_month:f}", price.usage, price.page)
        for price in prices.prices
    ]
    vcpu = [(f"`{memory}`", f"{count:f}") for memory, count in prices.vcpu.items()]
    return "\n\n".join(
        [
            PRICES,
            f"As of **{prices.as_of}**, in {prices.currency}, {prices.place}. A month is {DAYS} days.",
            f"    {FORMULA}",
            table(("what", "unit", "price", "free a month", "usage", "where Google says it"), rows),
            "Not in it: building an image (some minutes of Cloud Build at each deploy), logs (free up to 50 GiB a "
            "month), network, taxes, and whatever else the project does.",
            "## CPU that goes with memory",
            table(("memory", "vCPU"), vcpu),
        ]
    )


def checks_page() -> str:
    delivery = Delivery(Deployment("my-project"), Gcloud(), SystemClock())
    checks = (
        # They are only read here; none is made.
        *warehouse.checks(None),
        *leases.checks(None, None),
        *delivery.checks(end_to_end=False),
    )
    return "\n\n".join(
        [CHECKS, table(("check", "what it asks", "otherwise"), [(f"`{c.name}`", c.question, c.why) for c in checks])]
    )
