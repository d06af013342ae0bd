"""What is asked for: options over settings over defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from gradeonce.config import is_reference, mask_secrets
from gradeonce.errors import UsageError
from gradeonce.gcp.deploy.deployment import Deployment, Shape

if TYPE_CHECKING:
    from gradeonce.config import Settings


_SECRETS = ("GRADEONCE_ALERTS_SLACK", "GRADEONCE_ALERTS_WEBHOOK", "GRADEONCE_ALERTS_APPRISE")
"""Variables whose value is an address, and so a secret, unless it says where one is."""


def deployment_of(settings: Settings, options: Mapping[str, Any]) -> Deployment:
    """Return the deployment that options name, with what they leave out taken from the settings.

    Args:
        settings: The user's; a book in BigQuery and leases in Firestore say where they are.
        options: Fields of `Deployment`, None where not given; `variables` as `NAME=VALUE`; `skip_scheduler`.
            Any: as the command line has them.

    Raises:
        UsageError: If no project is named, or a value is none that Google takes.
    """
    values = {**_of_settings(settings), **{key: value for key, value in options.items() if value is not None}}
    values["has_scheduler"] = not values.pop("skip_scheduler", None)
    values["variables"] = dict(_split(one) for one in values.pop("variables", ()))
    if "shape" in values:
        values["shape"] = Shape(values["shape"])
    if not values.get("project"):
        raise UsageError(
            "No project is named.",
            hint="Give --project, or set [warehouse] book to bigquery://PROJECT/DATASET in gradeonce.toml.",
        )
    return Deployment(**values)


def _of_settings(settings: Settings) -> dict[str, Any]:
    # Any: fields of Deployment.
    hour, minute = settings.at.split(":")
    values: dict[str, Any] = {
        "timezone": settings.timezone,
        "schedule": f"{int(minute)} {int(hour)} * * *",
        "tables": settings.tables,
    }
    book, store = urlsplit(settings.book), urlsplit(settings.store)
    if book.scheme == "bigquery":
        values |= {"project": book.netloc, "dataset": book.path.strip("/")}
        if location := parse_qs(book.query).get("location"):
            values["dataset_location"] = location[0]
    if store.scheme == "firestore":
        if collection := store.path.strip("/"):
            values["collection"] = collection
        if database := parse_qs(store.query).get("database"):
            values["database"] = database[0]
    return values


def _split(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark:
        raise UsageError("--set takes NAME=VALUE, and one was given without a sign of equality.")
    # Variables are shown to everybody who may look at the function, and stand on the command line of gcloud.
    is_secret = name in _SECRETS and not all(is_reference(part) for part in value.split())
    if is_secret or mask_secrets(value) != value:
        raise UsageError(
            f"The value for --set {name} is a secret, and a variable is no place for one.",
            hint=f"Keep it in Secret Manager, and say where: --set {name}=secret://projects/PROJECT/secrets/NAME",
        )
    return name, value
