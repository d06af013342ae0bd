"""A second project before a BigQuery emulator, which refuses a transaction over two.

Its datasets are in the one project of the emulator: its name is put in their place on the way there, wherever a request
names it as BigQuery wants it, and nowhere else. Jobs may be run in our project only.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from bigquery_edge import Answer, Edge, Sent, refusal

OURS = "demo"
THEIRS = "their-nba-project"
"""A name that must be quoted: it has hyphens."""

_TOKENS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|--[^\n]*|/\*.*?\*/|`[^`]*`|[^'"`/-]+|.""", re.DOTALL)


class OtherProject:
    """What an edge must be told to let some datasets be in another project.

    Attributes:
        datasets: Those.
        refused: Requests that named it wrongly, or wanted to run a job there: empty if all is well.
        named: Tables of it that statements named.
    """

    def __init__(self, *datasets: str) -> None:
        self.datasets = datasets
        self.refused: list[str] = []
        self.named: set[tuple[str, str]] = set()

    def on(self, edge: Edge) -> None:
        """Let an edge have the project."""
        edge.instead, edge.passed_as, edge.after = self.instead, self.passed_as, self.after

    def instead(self, sent: Sent) -> Answer | None:
        """Refuse what the real one would refuse, and what would be on somebody else's bill."""
        path = urlsplit(sent.path).path
        if f"/projects/{THEIRS}/" in path and not re.search(rf"/projects/{THEIRS}/datasets/[^/]+/tables/", path):
            return self._refuse(f"{sent.method} {path}", "Access Denied", 403, "accessDenied")
        for dataset in self.datasets:
            if f"/projects/{OURS}/datasets/{dataset}" in path:
                return self._refuse(f"{sent.method} {path}", f"Not found: Dataset {OURS}:{dataset}", 404, "notFound")
        tokens = _TOKENS.findall(sent.sql)
        for place, token in enumerate(tokens):
            if token[0] in "'\"" or token.startswith(("--", "/*")):
                continue
            if THEIRS in token and token != f"`{THEIRS}`":
                return self._refuse(sent.sql, 'Syntax error: Unexpected "-" at [1:1]', 400, "invalidQuery")
            if token.strip("`") in self.datasets and tokens[place - 2] != f"`{THEIRS}`":
                return self._refuse(sent.sql, f"Not found: Dataset {OURS}:{token}", 404, "notFound")
        # What a load job fills, and what a query is about, is ours.
        if re.search(rf'"projectId": "{THEIRS}"', json.dumps(sent.body)):
            return self._refuse(json.dumps(sent.body)[:500], "Access Denied", 403, "accessDenied")
        return None

    def passed_as(self, sent: Sent, raw: bytes) -> tuple[str, bytes]:
        """Put our project in its place."""
        path = sent.path.replace(f"/projects/{THEIRS}/", f"/projects/{OURS}/")
        if THEIRS not in sent.sql:
            return path, raw
        tokens = _TOKENS.findall(sent.sql)
        self.named |= {
            (tokens[place + 2].strip("`"), tokens[place + 4].strip("`"))
            for place, token in enumerate(tokens[:-4])
            if token == f"`{THEIRS}`"
        }
        text = "".join(f"`{OURS}`" if token == f"`{THEIRS}`" else token for token in tokens)
        body: dict[str, Any] = json.loads(raw)
        (body["configuration"]["query"] if "configuration" in body else body)["query"] = text
        return path, json.dumps(body).encode()

    def after(self, sent: Sent, answer: Answer) -> Answer:
        """Say that their tables are theirs."""
        reference = answer[1].get("tableReference", {})
        if reference.get("datasetId") in self.datasets:
            reference["projectId"] = THEIRS
        return answer

    def _refuse(self, what: str, said: str, status: int, reason: str) -> Answer:
        self.refused.append(f"{said}: {what}")
        return refusal(status, reason, said)
