"""Alerts: one problem is one alert, told once to every channel, with its recovery."""

from __future__ import annotations

from gradeonce.alerts.addresses import add_resolver
from gradeonce.alerts.announce import Announced, announce
from gradeonce.alerts.memory import Alert
from gradeonce.alerts.problem import AlertKind, Problem, Severity

__all__ = ["Alert", "AlertKind", "Announced", "Problem", "Severity", "add_resolver", "announce"]
