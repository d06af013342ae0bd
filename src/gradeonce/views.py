"""The views that queries can ask for, one text for every warehouse."""

from __future__ import annotations

from functools import cache

from gradeonce.schema import OUTCOMES, VIEWS
from gradeonce.statements import fill, statements

_COUNTS = (
    "predictions", *OUTCOMES, "picks", "wins", "losses", "pushes", "errors", "within_3", "within_5", "confidences",
    "bets_at_real_price",
)  # fmt: skip
_RATES = ("win_rate", "win_rate_low", "win_rate_high")


@cache
def view_texts() -> dict[str, str]:
    """Return the SELECT of each view by its name."""
    texts = statements(__package__, "views.sql")
    slots = {name: texts[name] for name in _RATES}
    slots["counts"] = ", ".join(fill(texts["total"], count=name) for name in _COUNTS)
    return {
        view: fill(texts[view], **{slot: value for slot, value in slots.items() if "{" + slot + "}" in texts[view]})
        for view in VIEWS
    }
