"""Slack's documented form of Block Kit messages, written down apart from the code that makes them.

Fields, types and limits as Slack's reference has them for the header, section, context and text objects, and for the
number of blocks of a message; a webhook refuses a message that breaks one of them (`invalid_blocks`).
"""

from __future__ import annotations

from typing import Any

TEXT_KEYS = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}
BLOCK_KEYS = {"header": {"type", "text"}, "section": {"type", "text", "fields"}, "context": {"type", "elements"}}


def findings(payload: Any) -> list[str]:
    """Return what in a payload breaks the documented form; empty for a good one. Any: what was posted."""
    found = []
    if set(payload) != {"text", "blocks"}:
        found.append(f"keys {sorted(payload)}")
    if not isinstance(payload["text"], str) or not 1 <= len(payload["text"]) <= 40_000:
        found.append("the fallback text")
    if not 1 <= len(payload["blocks"]) <= 50:
        found.append(f"{len(payload['blocks'])} blocks")
    for place, block in enumerate(payload["blocks"]):
        found += [f"block {place}: {finding}" for finding in _of_block(block)]
    # What Slack was seen to refuse, though no limit is written down.
    if sum(len(str(block)) for block in payload["blocks"]) > 13_000:
        found.append("too long in all")
    return found


def _of_block(block: Any) -> list[str]:
    kind = block.get("type")
    if kind not in BLOCK_KEYS or not set(block) <= BLOCK_KEYS[kind]:
        return [f"type {kind} with {sorted(block)}"]
    if kind == "header":
        return _of_text(block["text"], "plain_text", 150)
    if kind == "context":
        elements = block["elements"]
        return ([] if 1 <= len(elements) <= 10 else [f"{len(elements)} elements"]) + [
            finding for element in elements for finding in _of_text(element, "mrkdwn", 3000)
        ]
    if ("text" in block) == ("fields" in block):
        return ["neither text nor fields, or both"]
    if "text" in block:
        return _of_text(block["text"], "mrkdwn", 3000)
    fields = block["fields"]
    return ([] if 1 <= len(fields) <= 10 else [f"{len(fields)} fields"]) + [
        finding for field in fields for finding in _of_text(field, "mrkdwn", 2000)
    ]


def _of_text(text: Any, kind: str, longest: int) -> list[str]:
    if text.get("type") != kind or not set(text) <= TEXT_KEYS[kind]:
        return [f"a text of type {text.get('type')} with {sorted(text)}"]
    content = text["text"]
    if not isinstance(content, str) or not 1 <= len(content) <= longest:
        return [f"a text of {len(content)} characters"]
    if kind == "mrkdwn" and ("<" in content or ">" in content):
        return [f"control characters in {content[:40]!r}"]
    if kind == "mrkdwn" and content.count("```") % 2:
        return [f"a fence that is not closed in {content[:40]!r}"]
    return []
