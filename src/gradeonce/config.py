"""Settings: defaults < file < environment < flags, and where each value came from."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gradeonce.errors import ConfigError
from gradeonce.own_tables import named_columns, named_tables

CONFIG_FILE = "gradeonce.toml"
ENVIRONMENT_PREFIX = "GRADEONCE_"
LOCK_SCHEMES = ("postgresql", "postgres", "redis", "rediss", "valkey", "valkeys", "firestore")
"""How the URL of a lock store may begin."""


def _setting(
    section: str,
    default: Any,
    help_text: str,
    *,
    choices: tuple[str, ...] = (),
    schemes: tuple[str, ...] = (),
    above: float = 0,
    below: float = math.inf,
    is_secret: bool = False,
) -> Any:
    # Any: dataclasses.field() is typed as the type of the field it stands for.
    metadata = {"section": section, "help": help_text, "choices": choices, "schemes": schemes, "above": above}
    metadata |= {"below": below, "is_secret": is_secret}
    if isinstance(default, tuple | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata, repr=not is_secret)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Every setting, checked. Durations carry their unit in the name."""

    book: str = _setting(
        "warehouse",
        "book",
        "The book, made by `gradeonce init`: a folder, relative to this file, "
        "postgresql://user:password@host/database, or bigquery://project/dataset?location=EU.",
    )
    schema: str = _setting("warehouse", "gradeonce", "Where in a PostgreSQL database the book's tables are.")
    allow_network_filesystem: bool = _setting(
        "warehouse", False, "Allow the book on NFS or SMB, whose file locks are not to be trusted."
    )
    minimum_free_megabytes: int = _setting("warehouse", 200, "Refuse to stage when less disk than this is free.")
    version_days: float = _setting(
        "warehouse", 30.0, "Days that the files of rows are kept after others have replaced them.", above=-1
    )
    leftover_hours: float = _setting(
        "warehouse", 24.0, "Hours that files of runs that never finished are kept; longer than any run and any query."
    )
    collect_hours: float = _setting(
        "warehouse",
        24.0,
        "After a `load` or `grade`, remove files past those times if it was not done for this many hours; "
        "0: only `gradeonce gc --apply` does.",
        above=-1,
    )
    maximum_bytes_billed: int = _setting(
        "warehouse", 0, "BigQuery refuses a query that would bill more than this; 0 sets no limit.", above=-1
    )
    price_per_tebibyte: float = _setting(
        "warehouse", 0.0, "What reading 1 TiB costs, for `gradeonce grade --estimate`; 0: not known.", above=-1
    )
    threads: int = _setting("warehouse", 0, "Threads of the engine; 0 takes one per core.", above=-1)
    timezone: str = _setting("league", "America/New_York", "Where the league's dates are counted.")
    store: str = _setting(
        "lock",
        "sqlite",
        "Where leases live: `sqlite` with the book (in PostgreSQL if it is there), `memory` within one process, or "
        "the URL of a server, such as postgresql://user:password@host/database or redis://host:6379/0 "
        "or firestore://project/locks; `off` leaves "
        "correctness to the fence alone.",
        choices=("sqlite", "memory", "off"),
        schemes=LOCK_SCHEMES,
    )
    ttl_seconds: float = _setting("lock", 60.0, "How long a lease lasts unless renewed (it is, every third of this).")
    wait_seconds: float = _setting("lock", 120.0, "How long to wait for a lease that somebody holds.", above=-1)
    on_unavailable: str = _setting(
        "lock",
        "fence",
        "When the lock store is out of reach: `fence` carries on (the fence keeps it safe), `fail` stops.",
        choices=("fence", "fail"),
    )
    line_sources: tuple[str, ...] = _setting("grading", (), "Line sources that count; empty: all of them.")
    excluded_lines: tuple[float, ...] = _setting("grading", (), "Lines that are placeholders, e.g. [20.0]; none is.")
    missing_player: str = _setting(
        "grading",
        "ungradable",
        "A player missing from a final box score: `ungradable` (a name may not meet) or `void` (rosters are complete).",
        choices=("ungradable", "void"),
    )
    moved_game_days: int = _setting(
        "grading",
        1,
        "A game played at most this many days from the date predicted for is the same event; later, it is void.",
        above=-1,
    )
    chunk_rows: int = _setting(
        "grading", 500_000, "A backfill commits dates in chunks of at most about this many predictions."
    )
    chunks_at_once: int = _setting(
        "grading", 2, "How many chunks of a backfill are graded at once where a server does it (PostgreSQL)."
    )
    backup_days: int = _setting(
        "dedupe", 30, "Days a backup of `gradeonce dedupe apply` is kept before it may be dropped.", above=-1
    )
    orphan_hours: float = _setting(
        "staging", 24.0, "A batch that nobody consolidates for this long after its last write is an orphan."
    )
    player_aliases: str = _setting("players", "", "CSV of further spellings (columns: alias, player).")
    coverage_warn: float = _setting("checks", 0.9, "Warn when less of a date's predictions than this was decided.")
    coverage_fail: float = _setting("checks", 0.5, "Fail when less of a date's predictions than this was decided.")
    slack: tuple[str, ...] = _setting(
        "alerts",
        (),
        "Slack incoming webhooks, each as where its URL is: env:NAME, file:PATH, or secret://PROJECT/NAME in Google's "
        "Secret Manager.",
        is_secret=True,
    )
    webhook: tuple[str, ...] = _setting(
        "alerts", (), "URLs that take a POST of JSON, each as where it is: env:NAME, file:PATH, ...", is_secret=True
    )
    apprise: tuple[str, ...] = _setting(
        "alerts",
        (),
        "Addresses of the apprise library (mail, Teams, Discord, ...), each as where it is: env:NAME, file:PATH, ...",
        is_secret=True,
    )
    on_grade: bool = _setting("alerts", False, "Whether every `grade` alerts, without --alert.")
    remind_hours: float = _setting("alerts", 20.0, "Tell again of a problem that stands, after this many hours.")
    send_seconds: float = _setting(
        "alerts", 10.0, "How long one message to one channel may take, with its retries and their waits."
    )
    check_folder: str = _setting("checks", "", "Folder of your own checks (`.sql` files), relative to this file.")
    skipped_checks: tuple[str, ...] = _setting("checks", (), "Checks that are run only when `--only` names them.")
    usual_days: int = _setting("checks", 28, "How many days before a date say what is usual.")
    volume_deviations: float = _setting(
        "checks", 4.0, "How many robust deviations from its usual volume a system may be off (`prediction_volume`)."
    )
    volume_minimum: int = _setting("checks", 0, "Fewest predictions of a date, all systems; 0: no bound.", above=-1)
    volume_maximum: int = _setting("checks", 0, "Most predictions of a date, all systems; 0: no bound.", above=-1)
    predictions_warn_hours: float = _setting("checks", 26.0, "Warn when no predictions were loaded for this long.")
    predictions_fail_hours: float = _setting("checks", 50.0, "Fail when no predictions were loaded for this long.")
    actuals_warn_hours: float = _setting("checks", 36.0, "Warn when no box scores were loaded for this long.")
    actuals_fail_hours: float = _setting("checks", 60.0, "Fail when no box scores were loaded for this long.")
    grades_warn_hours: float = _setting("checks", 36.0, "Warn when nothing was graded for this long.")
    grades_fail_hours: float = _setting("checks", 60.0, "Fail when nothing was graded for this long.")
    decided_warn: float = _setting("checks", 0.9, "Warn when less of a date's predictions than this was decided.")
    decided_fail: float = _setting("checks", 0.5, "Fail when less of a date's predictions than this was decided.")
    lease_wait_warn_seconds: float = _setting("checks", 60.0, "Warn when a grading waited longer for its lease.")
    lease_held_warn_seconds: float = _setting("checks", 3600.0, "Warn when a lease has been held for longer.")
    drift_days: int = _setting("checks", 14, "Days whose figures are held against those before (`accuracy_drift`).")
    drift_baseline_days: int = _setting("checks", 90, "How many days before them they are held against.")
    drift_minimum: int = _setting("checks", 100, "Fewest picks on either side; with less it is too few to say.")
    drift_level: float = _setting(
        "checks", 0.999, "Level of the interval that the difference must leave, below 1.", below=1
    )
    void_minimum: int = _setting("checks", 20, "Fewest players of a date to judge its voids by (`void_share`).")
    at: str = _setting("schedule", "06:00", "When to grade yesterday, HH:MM in the league's time zone.")
    hook: str = _setting(
        "schedule",
        "",
        "Called to fetch what a date still lacks: a command, or a URL that takes a POST of JSON; env:NAME or file:PATH "
        "names where it is.",
    )
    hook_seconds: float = _setting("schedule", 600.0, "How long the hook may take.")
    retry_minutes: float = _setting(
        "schedule", 10.0, "When a date is not ready, look again after this long, then after twice as long, and so on."
    )
    retry_limit_minutes: float = _setting("schedule", 60.0, "Never wait longer than this before looking again.")
    deadline_hours: float = _setting(
        "schedule", 6.0, "From then on a date that is not ready is graded as far as it goes, and alerted."
    )
    catch_up_days: int = _setting(
        "schedule", 7, "Grade open dates of this many days before yesterday along with it.", above=-1
    )
    check_after: bool = _setting("schedule", True, "Run the checks after grading, and alert.")
    timeout_seconds: float = _setting(
        "function",
        0.0,
        "How long the platform lets one message take; 0 takes what it says in CLOUD_RUN_TIMEOUT_SECONDS or "
        "FUNCTION_TIMEOUT_SEC, else 60.",
        above=-1,
    )
    completion_topic: str = _setting(
        "function",
        "nba-grading-complete",
        "Topic that is told what became of a message: its name, or projects/PROJECT/topics/NAME; empty tells none.",
    )
    alert_after_seconds: float = _setting(
        "function", 900.0, "A message that is tried again is alerted once it is this old.", above=-1
    )
    tables: Mapping[str, str] = _setting("tables", {}, "Physical table names.")
    columns: Mapping[str, Mapping[str, str]] = _setting(
        "columns", {}, "Column names of those tables, by our table and column."
    )
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    base_folder: Path = field(default_factory=Path.cwd, repr=False, compare=False)

    @property
    def book_is_url(self) -> bool:
        """Whether the book is on a server rather than in a folder."""
        return is_url(self.book)

    @property
    def shown_book(self) -> str:
        """The book as it may be shown: the folder, or the URL without its password."""
        return mask_secrets(self.book) if self.book_is_url else str(self.book_path)

    @property
    def book_path(self) -> Path:
        """The folder of the book, absolute."""
        return (self.base_folder / Path(self.book).expanduser()).resolve()

    @property
    def aliases_path(self) -> Path | None:
        """The user's alias file, absolute; None when there is none."""
        return (self.base_folder / self.player_aliases).resolve() if self.player_aliases else None

    @property
    def checks_path(self) -> Path | None:
        """The folder of the user's own checks, absolute; None when there is none."""
        return (self.base_folder / Path(self.check_folder).expanduser()).resolve() if self.check_folder else None


SETTINGS = {f.name: f for f in fields(Settings) if f.metadata}
"""Every setting by its name, with what is known of it."""

SECTIONS: dict[str, list[str]] = {}
"""Names of the settings, by section."""
for _name, _field in SETTINGS.items():
    SECTIONS.setdefault(_field.metadata["section"], []).append(_name)


def load_settings(
    config: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read the settings from file, environment and flags, each over the one before.

    Args:
        config: The file; None looks for `gradeonce.toml` in the folder and its parents.
        environment: Variables to read `GRADEONCE_SECTION_KEY` from; None takes the process's own.
        flags: Values typed on the command line, by field name; None values are left out.
        folder: Where to look for the file and what relative paths start from without one; None: here.

    Raises:
        ConfigError: If the file is missing or not TOML, or a key or value is wrong: it names file, key and what was
            expected.
    """
    here = (folder or Path.cwd()).resolve()
    path = config.expanduser().resolve() if config else find_config(here)
    values: dict[str, Any] = {}
    origins = dict.fromkeys(SETTINGS, "default")
    if path is not None:
        for name, value in _from_file(path).items():
            values[name], origins[name] = value, str(path)
    environment = os.environ if environment is None else environment
    for name, (variable, text) in _from_environment(environment).items():
        values[name], origins[name] = _checked(name, _parse(name, text, variable), variable), variable
    for name, value in (flags or {}).items():
        if value is not None:
            values[name], origins[name] = _checked(name, value, f"--{name.replace('_', '-')}"), "flag"
    return Settings(**values, origins=origins, base_folder=path.parent if path else here)


def find_config(folder: Path) -> Path | None:
    """Return the settings file of this folder or the nearest one above it that has one."""
    return next((f / CONFIG_FILE for f in (folder, *folder.parents) if (f / CONFIG_FILE).is_file()), None)


def _from_file(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}).", hint="Make one with `gradeonce init`."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.") from error
    values: dict[str, Any] = {}
    for section, content in document.items():
        if section not in SECTIONS or not isinstance(content, dict):
            known = ", ".join(f"[{name}]" for name in SECTIONS)
            raise ConfigError(f"{path}: unknown section [{section}]; expected one of {known}.{_meant(section)}")
        if section == "tables":
            values["tables"] = named_tables(content, str(path))
            continue
        if section == "columns":
            values["columns"] = named_columns(content, document.get("tables", {}), str(path))
            continue
        for key, value in content.items():
            if key not in SECTIONS[section]:
                raise ConfigError(
                    f"{path}: unknown key {key!r} in [{section}]; "
                    f"expected one of {', '.join(SECTIONS[section])}.{_meant(key)}"
                )
            values[key] = _checked(key, value, f"{path}: [{section}] {key}")
            _refuse_written_secrets(key, values[key], f"{path}: [{section}] {key}")
    return values


def _refuse_written_secrets(name: str, value: Any, where: str) -> None:
    # Any: the value of any setting. A settings file is copied, mailed and committed; an address in it is given away.
    if SETTINGS[name].metadata["is_secret"] and not all(is_reference(item) for item in value):
        raise ConfigError(
            f"{where} holds an address, which is a secret; expected where it is: env:NAME, file:PATH or secret://...",
            hint=f"Put it into the environment variable {ENVIRONMENT_PREFIX}ALERTS_{name.upper()}, or into a file.",
        )


def is_reference(text: str) -> bool:
    """Say whether a text names where a secret is, and is none itself."""
    return text.startswith(("env:", "file:")) or re.match(r"secret(\+\w+)?://", text) is not None


def _meant(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, [*SECTIONS, *SETTINGS], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found = {}
    for name, setting in SETTINGS.items():
        variable = f"{ENVIRONMENT_PREFIX}{setting.metadata['section']}_{name}".upper()
        if variable in environment and name not in ("tables", "columns"):
            found[name] = (variable, environment[variable])
    return found


def _parse(name: str, text: str, where: str) -> Any:
    kind = str(SETTINGS[name].type)
    if kind == "bool":
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ConfigError(f"{where} is {text!r}; expected true or false.")
        return text.lower() in ("true", "1", "yes")
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
        if kind == "tuple[float, ...]":
            return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(f"{where} is {text!r}; expected {_expected(name)}.") from error
    if kind == "tuple[str, ...]" and SETTINGS[name].metadata["is_secret"]:
        # An address may hold a comma, but never a space.
        return text.split()
    if kind == "tuple[str, ...]":
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _expected(name: str) -> str:
    setting = SETTINGS[name]
    if setting.metadata["choices"]:
        urls = [f"{scheme}://..." for scheme in setting.metadata["schemes"]]
        return "one of " + ", ".join([*(repr(choice) for choice in setting.metadata["choices"]), *urls])
    above = setting.metadata["above"]
    number = "0 or more" if above < 0 else "above 0"
    if setting.metadata["below"] < math.inf:
        number += f" and below {setting.metadata['below']}"
    return {
        "bool": "true or false",
        "int": f"a whole number {number}",
        "float": f"a number {number}",
        "tuple[str, ...]": "a list of texts",
        "tuple[float, ...]": "a list of numbers",
    }.get(str(setting.type), "a text")


def _checked(name: str, value: Any, where: str) -> Any:
    setting = SETTINGS[name]
    kind = str(setting.type)
    if setting.metadata["is_secret"] and isinstance(value, str):
        value = [value]
    shown = "not that" if setting.metadata["is_secret"] else mask_secrets(repr(value))
    wrong = ConfigError(f"{where} is {shown}; expected {_expected(name)}.")
    is_url = isinstance(value, str) and value.partition("://")[0] in setting.metadata["schemes"] and "://" in value
    if setting.metadata["choices"] and value not in setting.metadata["choices"] and not is_url:
        raise wrong
    if kind == "bool" and not isinstance(value, bool):
        raise wrong
    if kind in ("int", "float"):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise wrong
        if kind == "int" and value != int(value):
            raise wrong
        above = setting.metadata["above"]
        if not (value >= 0 if above < 0 else value > above) or value >= setting.metadata["below"]:
            raise wrong
        return int(value) if kind == "int" else float(value)
    if kind.startswith("tuple"):
        items = float if kind == "tuple[float, ...]" else str
        if not isinstance(value, list | tuple):
            raise wrong
        for item in value:
            if isinstance(item, bool) or not isinstance(item, int | float if items is float else str):
                raise wrong
            if isinstance(item, float) and not math.isfinite(item):
                raise wrong
        return tuple(items(item) for item in value)
    if kind == "str" and not isinstance(value, str):
        raise wrong
    if name == "timezone":
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(f"{where} is {value!r}; expected a time zone such as America/New_York.") from error
    return value


def is_url(book: str) -> bool:
    """Say whether a book is named by the URL of a server rather than by its folder."""
    return book.partition("://")[0] in ("postgresql", "postgres", "bigquery") and "://" in book


def named_book(book: str | Path) -> str:
    """Return a book as settings name it: the URL of a server as it is, a folder as an absolute path, from here."""
    return book if isinstance(book, str) and is_url(book) else str(Path(book).expanduser().resolve())


_SECRET_OPTIONS = "password|token|secret|key|sig|auth|credential"


def mask_secrets(text: str) -> str:
    """Replace the password of every URL in the text, and its keys and tokens, before its host or among its options."""
    # Up to the last @: a password may hold one that should have been escaped.
    text = re.sub(r"(\w+://[^:/@\s]*):[^\s\"']*@", r"\1:***@", text)
    return re.sub(rf"([?&][\w.-]*(?:{_SECRET_OPTIONS})[\w.-]*=)[^&\s\"']*", r"\1***", text, flags=re.IGNORECASE)
