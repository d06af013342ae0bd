"""reference/cli.md: every command, argument and option, with its environment variable."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from docstrings import table

from gradeonce.cli.exit_codes import MEANINGS
from gradeonce.cli.main import cli

INTRO = """# Command line

Every command prints its result to stdout and everything else (progress, warnings, errors) to stderr. Most take
`--json`; the layouts are in [json.md](json.md). Every option can also be given as an environment variable, named
in the tables. `python -m gradeonce` is the same command.

Dates are `YYYY-MM-DD`. `today` and `yesterday` are taken too; they are counted where the league plays
(`[league] timezone`).
"""


def page() -> str:
    root = click.Context(cli, info_name="gradeonce", **cli.context_settings)
    codes = table(("code", "meaning"), [(int(code), meaning) for code, meaning in MEANINGS.items()])
    parts = [
        INTRO,
        "## Exit codes",
        codes,
        "130: interrupted (Ctrl-C); what was published before stands.",
        "## gradeonce",
    ]
    parts += ["These come before the command: `gradeonce --book FOLDER grade yesterday`.", _options(cli, root)]
    for context in _commands(root):
        parts += _command(context)
    return "\n\n".join(part for part in parts if part)


def _commands(parent: click.Context) -> Iterator[click.Context]:
    group = parent.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        yield context
        if isinstance(command, click.Group):
            yield from _commands(context)


def _command(context: click.Context) -> list[str]:
    command = context.command
    level = "##" if context.parent and context.parent.parent is None else "###"
    usage = " ".join(command.collect_usage_pieces(context)).replace("[OPTIONS]", "[options]")
    return [
        f"{level} {context.command_path}",
        f"    {context.command_path} {usage}",
        _help(command.help or ""),
        _options(command, context),
    ]


def _help(text: str) -> str:
    paragraphs = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.split("\n")[1:]
            paragraphs.append("\n".join(f"    {line}" for line in lines))
        else:
            paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


def _options(command: click.Command, context: click.Context) -> str:
    rows = []
    for option in command.params:
        if not isinstance(option, click.Option) or option.name == "version":
            continue
        value = "" if option.is_flag else f" {_metavar(option, context)}"
        variable = f"`{context.auto_envvar_prefix}_{str(option.name).upper()}`"
        rows.append((f"`{', '.join(option.opts)}{value}`", _default(option), variable, option.help or ""))
    return table(("option", "default", "environment variable", "meaning"), rows) if rows else ""


def _metavar(option: click.Option, context: click.Context) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    if option.nargs > 1 or option.metavar:
        return option.make_metavar(context)
    return {"integer range": "NUMBER", "integer": "NUMBER", "float": "NUMBER"}.get(
        option.type.name, option.type.name.upper()
    )


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    shown = option.to_info_dict().get("default")
    if option.is_flag or not option.show_default or shown is None:
        return ""
    return f"`{shown}`"
