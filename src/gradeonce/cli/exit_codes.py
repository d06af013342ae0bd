"""Exit codes: one per meaning, the same for every command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell gets."""

    DONE = 0
    FAILED = 1
    WARNINGS = 2
    LEASE_HELD = 3
    LEASE_LOST = 4
    UNREACHABLE = 5
    REFUSED = 6
    WRONG_USAGE = 64
    OUR_BUG = 70
    WRONG_SETTINGS = 78
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done, nothing to do, or all checks passed",
    ExitCode.FAILED: "validation, checks or input failed; nothing half-done",
    ExitCode.WARNINGS: "checks passed with warnings",
    ExitCode.LEASE_HELD: "somebody else holds the lease",
    ExitCode.LEASE_LOST: "the lease was lost; nothing was published",
    ExitCode.UNREACHABLE: "warehouse or lock store busy or out of reach; safe to run again",
    ExitCode.REFUSED: "refused for safety",
    ExitCode.WRONG_USAGE: "wrong usage",
    ExitCode.WRONG_SETTINGS: "wrong settings",
    ExitCode.OUR_BUG: "our bug",
}
