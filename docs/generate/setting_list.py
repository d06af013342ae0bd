"""reference/settings.md: every key of gradeonce.toml."""

from __future__ import annotations

from docstrings import table

from gradeonce.config import ENVIRONMENT_PREFIX, Settings
from gradeonce.config_text import shown_settings
from gradeonce.schema import ROW_TABLES

INTRO = """# Settings

Settings come from four places, each over the one before: defaults, the file `gradeonce.toml` (in this folder or the
nearest parent that has one), environment variables, flags. `gradeonce config show` prints each value and where it came
from. A wrong key or value is an error (exit 78) that names the file, the key and what was expected.

`gradeonce init` writes a commented file. In Python, any setting is a keyword: `gradeonce.open("book", ttl_seconds=30)`.
Lists in an environment variable are separated by commas.
"""

TABLES = """## [tables]

Names of your own for our tables, for the queries you write: the table is then offered under both names. The files in
the book keep ours. In PostgreSQL your table stands for ours, and holds the rows
([how](../howto/keep-the-book-in-postgresql.md#tables-of-your-own)). There is no environment variable for these.
"""

COLUMNS = """## [columns]

Your names for the columns of a table that `[tables]` names, ours on the left; a section for each table. There is no
environment variable for these.

```toml
[tables]
player_prop_predictions = "analytics.predictions"

[columns.player_prop_predictions]
line_value = "current_points_line"
```"""


def page() -> str:
    parts = [INTRO]
    shown = [setting for setting in shown_settings(Settings()) if setting.section not in ("tables", "columns")]
    for section in dict.fromkeys(setting.section for setting in shown):
        rows = [
            (f"`{s.key}`", f"`{s.value}`", f"`{ENVIRONMENT_PREFIX}{section}_{s.key}`".upper(), s.help + _choices(s.key))
            for s in shown
            if s.section == section
        ]
        parts += [f"## [{section}]", table(("key", "default", "environment variable", "meaning"), rows)]
    parts += [TABLES, "\n".join(f"- `{one.name}`" for one in ROW_TABLES), COLUMNS]
    return "\n\n".join(parts)


def _choices(key: str) -> str:
    choices = Settings.__dataclass_fields__[key].metadata["choices"]
    return f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
