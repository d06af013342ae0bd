"""Grading every morning: when it is due, what a date still lacks, and doing it exactly once."""

from gradeonce.schedule.morning import Outcome, SlotState
from gradeonce.schedule.scheduler import Scheduler
from gradeonce.schedule.slots import Slot, last_due, next_after
from gradeonce.schedule.units import crontab_text, systemd_units

__all__ = ["Outcome", "Scheduler", "Slot", "SlotState", "crontab_text", "last_due", "next_after", "systemd_units"]
