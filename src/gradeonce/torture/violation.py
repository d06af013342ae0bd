"""A guarantee that was seen to be broken, whoever of the checkers saw it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """A guarantee that was seen to be broken.

    Attributes:
        guarantee: G1 to G5.
        at: When it showed, in seconds of the monotonic clock.
        shelf: The partition, crate or batch; empty for the ledger as a whole.
        message: What was seen, and why that cannot be.
        runs: Runs that took part in it.
    """

    guarantee: str
    at: float
    shelf: str
    message: str
    runs: tuple[str, ...] = ()
