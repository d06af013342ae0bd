"""`gradeonce gcp`: the nightly grading on Google Cloud."""

from __future__ import annotations

import click

from gradeonce.cli.gcp.costs import costs
from gradeonce.cli.gcp.deploying import deploy, source, status
from gradeonce.cli.gcp.rolling_back import rollback
from gradeonce.cli.gcp.verifying import verify


@click.group()
def gcp() -> None:
    """Deploy the nightly grading to Google Cloud, and look after it there.

    \b
    gradeonce gcp deploy --project my-project --dry-run
    gradeonce gcp deploy --project my-project
    gradeonce gcp status --project my-project

    Names and places that are not given are taken from gradeonce.toml, if its book is in BigQuery. The commands run
    `gcloud` and `bq` of this machine, as whoever is logged in to them.
    """


for command in (deploy, rollback, status, verify, source, costs):
    gcp.add_command(command)
