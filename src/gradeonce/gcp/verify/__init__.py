"""Checks of a real project: what an emulator cannot show, with a verdict."""

from gradeonce.gcp.verify.check import Check, Finding, NotSo, Result, Verdict
from gradeonce.gcp.verify.run import NAMES, verify

__all__ = ["NAMES", "Check", "Finding", "NotSo", "Result", "Verdict", "verify"]
