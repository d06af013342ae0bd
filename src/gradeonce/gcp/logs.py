"""Log lines as Cloud Logging reads them: one JSON object a line, with severity, message and fields."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

_FIELD = re.compile(r"(?:^|\s)([a-z_]+)=(.*?)(?=\s[a-z_]+=|$)", re.DOTALL)
"""A field of our own lines: what follows `name=` until the next one."""


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object. Of a record's own extra fields none is written: they may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        message = record.getMessage()
        document: dict[str, object] = {
            "severity": record.levelname,
            "message": message,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "logger": record.name,
        }
        if record.name.split(".")[0] == "gradeonce":
            event, _, rest = message.partition(" ")
            document |= {"event": event, "fields": dict(_FIELD.findall(rest))}
        if record.exc_info:
            # In the message, because that is where Error Reporting looks for a traceback.
            document["message"] = f"{message}\n{self.formatException(record.exc_info)}"
        return json.dumps(document, ensure_ascii=False)


def write_json_lines(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Let everything that this process logs be written so; called once by the doors of this package.

    Args:
        stream: Where to; None: standard output.
        level: Least level of our own lines.
    """
    root = logging.getLogger()
    if any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        return
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    # What others had set up would write every line a second time, and not as JSON.
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("gradeonce").setLevel(level)
