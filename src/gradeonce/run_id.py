"""Identities of runs and loads: they sort by time, and nobody else has them."""

from __future__ import annotations

import os
from datetime import UTC, datetime


def new_run_id(prefix: str, at: datetime) -> str:
    """Return an identity: what kind of run it is, when it began (UTC, to the second), and a random part.

    Args:
        prefix: What it is, most often one letter.
        at: When it begins, timezone-aware.
    """
    return f"{prefix}{at.astimezone(UTC):%Y%m%dT%H%M%S}{os.urandom(4).hex()}"
