"""Torture: real processes publish, a seeded nemesis breaks them, and a recorded history is checked against G1 to G5.

history = run_torture(settings, TortureOptions(seconds=60, seed=7))
verdict = judge(history)
print(verdict_text(verdict))
"""

from gradeonce.torture.history import Event, read_history, write_history
from gradeonce.torture.orders import ALGORITHMS, FAULTS, TortureOptions
from gradeonce.torture.run import Progress, run_torture
from gradeonce.torture.verdict import Verdict, judge
from gradeonce.torture.wording import verdict_text

__all__ = [
    "ALGORITHMS",
    "FAULTS",
    "Event",
    "Progress",
    "TortureOptions",
    "Verdict",
    "judge",
    "read_history",
    "run_torture",
    "verdict_text",
    "write_history",
]
