"""Slack: an incoming webhook that is sent Block Kit blocks, within Slack's documented limits.

Limits: Slack's reference of the header, section and context blocks and of the text object (docs.slack.dev, Block Kit);
what an incoming webhook answers is in its guide (200 and `ok`; 400, 403, 404, 410 with a word; 429 with Retry-After).
"""

from __future__ import annotations

import re
from typing import Any

from gradeonce.alerts.addresses import Secret
from gradeonce.alerts.channels.http import post_json
from gradeonce.alerts.channels.plain import plain_text
from gradeonce.alerts.message import Block, Command, Facts, Footer, Keys, Message, Text
from gradeonce.errors import AlertError

LONGEST_HEADER = 150
LONGEST_SECTION = 3000
LONGEST_FIELD = 2000
MOST_FIELDS = 10
MOST_BLOCKS = 50
LONGEST_TEXT = 9000
"""Characters of all blocks together. No limit is documented; messages above some 13,000 are refused."""


def send_to_slack(address: Secret, message: Message, *, timeout_seconds: float) -> None:
    """POST a message to an incoming webhook.

    Raises:
        AlertError, TransientAlertError: If Slack did not take it.
    """
    reply = post_json(address, slack_payload(message), timeout_seconds=timeout_seconds, needs_https=True)
    if reply.text.strip() != "ok":
        # A proxy or a login page may answer 200 as well; only this word means that the message is in the channel.
        shown = address.hidden_in(" ".join(reply.text.split()))[:80]
        raise AlertError(f'The channel answered {reply.status}, but "{shown}" instead of "ok": this is not Slack.')


def slack_payload(message: Message) -> dict[str, Any]:
    """Return the JSON document for an incoming webhook. Any: JSON values."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(message.heading, LONGEST_HEADER), "emoji": True}}
    ]
    left = LONGEST_TEXT - len(message.heading)
    for block in message.blocks:
        made = _block(block, max(200, min(LONGEST_SECTION, left)))
        left -= len(str(made))
        blocks.append(made)
    return {
        # Shown in notifications, and by clients that do not show blocks.
        "text": _cut(escaped(f"{message.heading}\n{plain_text(message)}"), LONGEST_SECTION),
        "blocks": blocks[:MOST_BLOCKS],
    }


def escaped(text: str) -> str:
    """Return text in which Slack sees no link, mention or control sequence of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _block(block: Block, room: int) -> dict[str, Any]:
    match block:
        case Text(text):
            return _section(_cut(_unfenced(text), room))
        case Facts(pairs):
            fields = [_mrkdwn(_cut(f"*{escaped(label)}*\n{_unfenced(v) or '-'}", LONGEST_FIELD)) for label, v in pairs]
            return {"type": "section", "fields": fields[:MOST_FIELDS]}
        case Keys(label, keys):
            return _section(f"*{escaped(label)}*\n{_fenced(keys, room - len(label) - 20)}")
        case Command(label, command):
            return _section(f"*{escaped(label)}*\n{_fenced([command], room - len(label) - 20)}")
        case Footer(text):
            return {"type": "context", "elements": [_mrkdwn(_cut(_unfenced(text), room))]}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text or "-")}


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: names in our texts are no channels and no people.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _unfenced(text: str) -> str:
    """Return text that opens no fence: one that is not closed would swallow what comes after it."""
    return escaped(text).replace("```", "'''")


def _fenced(lines: tuple[str, ...] | list[str], room: int) -> str:
    # A backtick of the text would end the fence.
    return f"```{_cut(escaped(chr(10).join(lines)).replace('`', chr(39)), room)}```"


def _cut(text: str, longest: int) -> str:
    """Return at most that many characters, without half of an escaped one at the end."""
    if len(text) <= longest:
        return text
    return re.sub(r"&[a-z]*$", "", text[: longest - 1]) + "…"
