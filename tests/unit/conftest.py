"""How examples are made up."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("many", parent=settings.get_profile("repeatable"), derandomize=False, max_examples=2_000)
settings.load_profile("repeatable")
"""The same examples every time, however long the machine takes over one: a run shows what the code does, and no more.

Who changes a law, or what it speaks of, looks further: `pytest tests/unit --hypothesis-profile many`.
"""
