"""Units for those who prefer cron or systemd: both run `schedule run --once`, which waits, retries and catches up."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from gradeonce.schedule.slots import parse_at

SERVICE, TIMER = "gradeonce-morning.service", "gradeonce-morning.timer"


def systemd_units(command: Sequence[str], folder: str, *, at: str, timezone: str) -> dict[str, str]:
    """Return the text of each unit by its file name.

    Args:
        command: What to run, the program with its full path first.
        folder: Where.
        at: Time of day, HH:MM.
        timezone: Of that time.
    """
    hour, minute = parse_at(at)
    service = f"""[Unit]
Description=Grade yesterday's predictions
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={folder.replace("%", "%%")}
ExecStart={" ".join(_systemd_word(word) for word in command)}
# Checks passed with warnings.
SuccessExitStatus=2
# It waits for box scores until its own deadline.
TimeoutStartSec=infinity
"""
    timer = f"""[Unit]
Description=Grade yesterday's predictions every morning

[Timer]
OnCalendar=*-*-* {hour:02}:{minute:02}:00 {timezone}
# A morning that was missed is made up for at the next start.
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {SERVICE: service, TIMER: timer}


def crontab_text(command: Sequence[str], folder: str, *, at: str, timezone: str) -> str:
    """Return lines for a crontab. Arguments as for `systemd_units`."""
    hour, minute = parse_at(at)
    line = f"cd {shlex.quote(folder)} && {shlex.join(command)}".replace("%", "\\%")
    return f"""# Where cron knows CRON_TZ (cronie: Fedora, RHEL, Arch, openSUSE): the time is that of {timezone}.
CRON_TZ={timezone}
{minute} {hour} * * *  {line}

# Where it does not (Debian, Ubuntu, macOS, busybox), those lines would run at {at} of the machine's own zone. Take
# this one in their place: every hour it does the morning that is due in {timezone}, if it was not done yet.
# {minute} * * * *  {line}
"""


def _systemd_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(mark in word for mark in " \t'\";\\") or not word else escaped
