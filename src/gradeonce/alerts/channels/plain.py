"""A message as plain text: for mail and chats that know no blocks, and beside them."""

from __future__ import annotations

from gradeonce.alerts.message import Block, Command, Facts, Footer, Keys, Message, Text


def plain_text(message: Message) -> str:
    """Return the blocks of a message as text; the heading is the channel's own business."""
    return "\n\n".join(_plain(block) for block in message.blocks)


def _plain(block: Block) -> str:
    match block:
        case Text(text) | Footer(text):
            return text
        case Facts(pairs):
            return "\n".join(f"{label}: {value}" for label, value in pairs)
        case Keys(label, keys):
            return "\n".join([f"{label}:", *(f"  {key}" for key in keys)])
        case Command(label, command):
            return f"{label}: {command}"
