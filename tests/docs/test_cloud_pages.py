"""What the hand-written pages on Google Cloud say is what the code does."""

from __future__ import annotations

import re

from docs.pages import DOCS
from gradeonce.gcp.deploy import Deployment
from gradeonce.gcp.deploy.deployment import LONGEST_SECONDS
from gradeonce.gcp.verify import NAMES

DEPLOYMENT = Deployment("my-project")


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_check_is_placed_beside_what_an_emulator_leaves_open() -> None:
    """And no check is named that is none."""
    rows = [line for line in text_of("concepts/what-the-emulators-cannot-show.md").splitlines() if line.startswith("|")]
    last = " ".join(row.rsplit("|", 2)[1] for row in rows)
    named = set(re.findall(r"`(\w+)`", last))

    assert named == set(NAMES)


def test_the_tutorial_names_what_is_made() -> None:
    """The table of step 3 holds the names of a deployment without options."""
    page = text_of("tutorial-google-cloud.md")

    for name in (
        DEPLOYMENT.topic,
        DEPLOYMENT.completion_topic,
        DEPLOYMENT.dead_letter_topic,
        DEPLOYMENT.dataset,
        DEPLOYMENT.database,
        DEPLOYMENT.secret,
        DEPLOYMENT.runtime.partition("@")[0],
        DEPLOYMENT.job,
    ):
        assert f"| `{name}`" in page, name
    assert f"GRADEONCE_WAREHOUSE_BOOK='{DEPLOYMENT.book}'" in page
    assert f"GRADEONCE_LOCK_STORE='{DEPLOYMENT.lock_store}'" in page


def test_the_runbook_names_what_is_made() -> None:
    """Its commands can be typed as they stand."""
    page = text_of("howto/runbook-google-cloud.md")

    assert f"pull {DEPLOYMENT.dead_letters} " in page
    assert f"jobs run {DEPLOYMENT.job} --location={DEPLOYMENT.region}" in page
    assert f"after {LONGEST_SECONDS} s at the latest" in page
