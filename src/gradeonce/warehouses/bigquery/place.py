"""Where a book is: project, dataset and location. A job sees no table outside the location that it runs in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from gradeonce.errors import ConfigError

if TYPE_CHECKING:
    from google.cloud import bigquery


@dataclass(frozen=True)
class Place:
    """Where a book is: `bigquery://project/dataset?location=EU`.

    Attributes:
        project: Whose quota and bill the jobs are on, wherever the tables are that they read.
        dataset: The book's own.
        location: Where the URL says that the dataset is, or is to be made; None: it does not say.
    """

    project: str
    dataset: str
    location: str | None

    @staticmethod
    def of(url: str) -> Place:
        """Read the URL.

        Raises:
            ConfigError: If it names no project or no dataset, or asks for something that is not known.
        """
        parts = urlsplit(url)
        dataset = parts.path.strip("/")
        asked = parse_qs(parts.query, keep_blank_values=True)
        location = asked.pop("location", [None])[0]
        is_one = location is None or re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", location)
        if not parts.netloc or not dataset or "/" in dataset or asked or not is_one:
            raise ConfigError(
                f"[warehouse] book is {url!r}; expected bigquery://PROJECT/DATASET or "
                "bigquery://PROJECT/DATASET?location=EU."
            )
        return Place(parts.netloc, dataset, location)

    @property
    def name(self) -> str:
        """The dataset as the API writes it."""
        return f"{self.project}.{self.dataset}"

    def refuse_other(self, location: str) -> None:
        """Refuse a location that is not the one that the URL names.

        Raises:
            ConfigError: If it is another one.
        """
        if self.location is not None and self.location.lower() != location.lower():
            raise ConfigError(
                f"The dataset {self.name} is in {location}, and [warehouse] book says ?location={self.location}.",
                hint=f"A dataset cannot move: write ?location={location}, leave it out, or name another dataset.",
            )


def location_of(client: bigquery.Client, place: Place) -> str | None:
    """Return where the dataset is; None where there is none.

    Raises:
        ConfigError: If it is not where the URL says.
    """
    from google.api_core.exceptions import Forbidden, NotFound

    try:
        location = client.get_dataset(place.name).location
    except NotFound:
        return None
    except Forbidden:
        # Who may use the tables need not be allowed to look at the dataset: then the URL must be believed.
        return place.location
    return _judged(location, place)


def make_dataset(client: bigquery.Client, place: Place) -> str | None:
    """Make the dataset where the URL says, or where BigQuery puts one of this project; return where it is.

    Raises:
        ConfigError: If somebody else has made it elsewhere meanwhile.
    """
    from google.cloud import bigquery

    asked = bigquery.Dataset(place.name)
    if place.location is not None:
        asked.location = place.location
    return _judged(client.create_dataset(asked, exists_ok=True).location, place)


def _judged(location: str | None, place: Place) -> str | None:
    if location is not None:
        place.refuse_other(location)
    return location
