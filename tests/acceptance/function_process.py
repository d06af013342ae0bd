"""The function as a process: under the functions framework, or as a web service under gunicorn."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from servers import Server

MAIN = '''
import os, pathlib, time

from gradeonce.config import load_settings
from gradeonce.gcp import service
from gradeonce.gcp.function import grade_on_message
from gradeonce.gcp.handler import Handler
from gradeonce.gcp.service import app


def stop_where_told(step):
    """Stand still for ever at the step that a file beside this one names, and say so: whoever kills us knows when."""
    told = pathlib.Path(__file__).with_name("stand-still-at")
    if told.exists() and told.read_text() == step:
        told.rename(told.with_name("stands-still"))
        while True:
            time.sleep(1)


service._handler = Handler(load_settings(), on_step=stop_where_told)
'''


class Function(Server):
    """A process that serves the function; started again after a kill, it is another one on the same port."""

    def __init__(self, environment: Mapping[str, str], *, is_service: bool = False) -> None:
        super().__init__()
        self._environment = environment
        self.is_service = is_service
        (self.folder / "main.py").write_text(MAIN, encoding="utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the fields of every log line of an event. Any: JSON values."""
        found = []
        for line in (self.folder / "log.txt").read_text(encoding="utf-8").splitlines():
            # What a server says on its own is no JSON.
            if line.startswith("{"):
                document = json.loads(line)
                found += [{**document["fields"], **document}] if document.get("event") == event else []
        return found

    def stand_still_at(self, step: str) -> None:
        """Let the process stand still when it comes to a step."""
        part = self.folder / "part"
        part.write_text(step, encoding="utf-8")
        part.rename(self.folder / "stand-still-at")

    @property
    def stands_still(self) -> bool:
        """Whether it has come there; asked once, it is forgotten."""
        mark = self.folder / "stands-still"
        if mark.exists():
            mark.unlink()
            return True
        return False

    def _command(self) -> Sequence[str]:
        if self.is_service:
            options = ["--workers", "1", "--threads", "8", "--timeout", "0", "--log-level", "error"]
            return [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", *options, "main:app"]
        where = ["--source", "main.py", "--host", "127.0.0.1", "--port", str(self.port)]
        return [sys.executable, "-m", "functions_framework", "--target", "grade_on_message", *where]

    def _options(self) -> dict[str, Any]:
        return {"env": {**os.environ, **self._environment}}

    def _answers(self) -> bool:
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(f"{self.url}health", timeout=1) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False
