"""Settings: defaults, then the file, then the environment, then flags; a wrong one is named with what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradeonce.config import Settings, load_settings, mask_secrets
from gradeonce.config_text import config_template, shown_settings
from gradeonce.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    """Write a settings file."""
    path = folder / "gradeonce.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str = "", **options: object) -> Settings:
    """Read the settings from a file of this text, with an empty environment unless one is given."""
    return load_settings(written(folder, text), **{"environment": {}, **options})


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    """No file, no environment, no flag: every value is the default and says so."""
    settings = load_settings(environment={}, folder=tmp_path)

    assert settings == Settings()
    assert set(settings.origins.values()) == {"default"}
    assert settings.book_path == tmp_path / "book"


def test_each_source_wins_over_the_one_before(tmp_path: Path) -> None:
    """Four settings, each given by one source more than the one before; each value says where it came from."""
    text = "[lock]\nttl_seconds = 10\nwait_seconds = 10\nstore = 'off'\n"
    environment = {"GRADEONCE_LOCK_WAIT_SECONDS": "20", "GRADEONCE_LOCK_STORE": "sqlite", "GRADEONCE_OTHER": "x"}

    settings = load(tmp_path, text, environment=environment, flags={"store": "memory", "book": None})

    assert (settings.on_unavailable, settings.origins["on_unavailable"]) == ("fence", "default")
    assert (settings.ttl_seconds, settings.origins["ttl_seconds"]) == (10.0, str(tmp_path / "gradeonce.toml"))
    assert (settings.wait_seconds, settings.origins["wait_seconds"]) == (20.0, "GRADEONCE_LOCK_WAIT_SECONDS")
    assert (settings.store, settings.origins["store"]) == ("memory", "flag")
    assert settings.origins["book"] == "default"


def test_the_file_is_found_from_a_folder_below(tmp_path: Path) -> None:
    """Paths in it start from where it lies, not from where one stands."""
    written(tmp_path, "[warehouse]\nbook = 'season/book'\n[players]\nplayer_aliases = 'names.csv'\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    settings = load_settings(environment={}, folder=below)

    assert settings.book_path == tmp_path / "season" / "book"
    assert settings.aliases_path == tmp_path / "names.csv"


def test_environment_values_are_read_in_their_types(tmp_path: Path) -> None:
    """Numbers, lists with commas, and the words for yes and no."""
    environment = {
        "GRADEONCE_WAREHOUSE_THREADS": "3",
        "GRADEONCE_WAREHOUSE_ALLOW_NETWORK_FILESYSTEM": "Yes",
        "GRADEONCE_GRADING_EXCLUDED_LINES": "20.0, 5",
        "GRADEONCE_GRADING_LINE_SOURCES": "ACTUAL_PROP, ESTIMATED",
    }

    settings = load(tmp_path, environment=environment)

    assert settings.threads == 3
    assert settings.allow_network_filesystem is True
    assert settings.excluded_lines == (20.0, 5.0)
    assert settings.line_sources == ("ACTUAL_PROP", "ESTIMATED")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lock]\nttl_seconds = 'long'", "{file}: [lock] ttl_seconds is 'long'; expected a number above 0."),
        ("[lock]\nttl_seconds = 0", "{file}: [lock] ttl_seconds is 0; expected a number above 0."),
        (
            "[checks]\ndrift_level = 1",
            "{file}: [checks] drift_level is 1; expected a number above 0 and below 1.",
        ),
        ("[lock]\nttl_seconds = true", "{file}: [lock] ttl_seconds is True; expected a number above 0."),
        ("[lock]\nttl_seconds = inf", "{file}: [lock] ttl_seconds is inf; expected a number above 0."),
        ("[lock]\nttl_seconds = nan", "{file}: [lock] ttl_seconds is nan; expected a number above 0."),
        ("[lock]\nwait_seconds = -0.5", "{file}: [lock] wait_seconds is -0.5; expected a number 0 or more."),
        ("[warehouse]\nthreads = 1.5", "{file}: [warehouse] threads is 1.5; expected a whole number 0 or more."),
        ("[warehouse]\nthreads = inf", "{file}: [warehouse] threads is inf; expected a whole number 0 or more."),
        ("[warehouse]\nthreads = nan", "{file}: [warehouse] threads is nan; expected a whole number 0 or more."),
        (
            "[columns.player_prop_predictions]\nline_value = 'x'",
            "{file}: [columns.player_prop_predictions] needs the name of your table, in [tables].",
        ),
        (
            "[tables]\ninjury_reports = 'x'\n[columns.injury_reports]\nstate = 'x'",
            "{file}: [columns.injury_reports] state is not a column of ours; expected one of player_lookup, "
            "player_name, game_id, game_date, status, reason, reported_at, load_id, load_row, loaded_at.",
        ),
        (
            "[tables]\ninjury_reports = 'x'\n[columns.injury_reports]\nstatus = 'reason'",
            "{file}: [columns.injury_reports] names reason for two columns of ours.",
        ),
        (
            "[tables]\ninjury_reports = 'x'\n[columns.injury_reports]\nstatus = ''",
            "{file}: [columns.injury_reports] status is ''; expected a column name.",
        ),
        ("[warehouse]\nbook = 7", "{file}: [warehouse] book is 7; expected a text."),
        (
            "[warehouse]\nallow_network_filesystem = 1",
            "{file}: [warehouse] allow_network_filesystem is 1; expected true or false.",
        ),
        (
            "[lock]\non_unavailable = 'ignore'",
            "{file}: [lock] on_unavailable is 'ignore'; expected one of 'fence', 'fail'.",
        ),
        ("[grading]\nline_sources = 'A'", "{file}: [grading] line_sources is 'A'; expected a list of texts."),
        ("[grading]\nline_sources = [1]", "{file}: [grading] line_sources is [1]; expected a list of texts."),
        (
            "[grading]\nexcluded_lines = ['20']",
            "{file}: [grading] excluded_lines is ['20']; expected a list of numbers.",
        ),
        ("[grading]\nexcluded_lines = [nan]", "{file}: [grading] excluded_lines is [nan]; expected a list of numbers."),
        (
            "[league]\ntimezone = 'Mars/Olympus'",
            "{file}: [league] timezone is 'Mars/Olympus'; expected a time zone such as America/New_York.",
        ),
        (
            "[league]\ntimezone = 'America'",
            "{file}: [league] timezone is 'America'; expected a time zone such as America/New_York.",
        ),
        (
            "[tables]\nscores = 'x'",
            "{file}: [tables] scores is not a table; expected one of player_prop_predictions, staged_predictions, "
            "player_game_actuals, injury_reports, player_prop_lines, quarantined_rows, prediction_accuracy, "
            "system_daily_performance, grade_revisions.",
        ),
        (
            "[tables]\nprediction_accuracy = 'drop table'",
            "{file}: [tables] prediction_accuracy is 'drop table'; expected a table name.",
        ),
        (
            "[tables]\nprediction_accuracy = 'Ledger'",
            "{file}: [tables] prediction_accuracy is 'Ledger', which names another table already.",
        ),
        (
            "[tables]\nprediction_accuracy = 'grades'\ngrade_revisions = 'grades'",
            "{file}: [tables] prediction_accuracy is 'grades', which names another table already.",
        ),
    ],
)
def test_a_wrong_value_names_file_key_and_what_was_expected(tmp_path: Path, text: str, message: str) -> None:
    """Exit code 78, and nothing was touched."""
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, text)

    assert wrong.value.message == message.format(file=tmp_path / "gradeonce.toml")
    assert str(wrong.value).endswith("Nothing was changed.")
    assert wrong.value.exit_code == 78


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("[lok]\nttl_seconds = 5", "unknown section [lok]; expected one of [warehouse], [league], [lock], ", "'lock'?"),
        ("lock = 5", "unknown section [lock]; expected one of [warehouse], ", "'lock'?"),
        (
            "[lock]\nttl_second = 5",
            "unknown key 'ttl_second' in [lock]; expected one of store, ttl_seconds, wait_seconds, on_unavailable.",
            "Did you mean 'ttl_seconds'?",
        ),
        ("[lock]\nxyzzy = 5", "unknown key 'xyzzy' in [lock]; expected one of store, ", "on_unavailable."),
        ("[lock\n", "not valid TOML: ", "."),
        ("[columns.reports]\nstatus = 'x'", "[columns.reports] is not a table; expected one of player_prop_pred", "."),
    ],
)
def test_what_is_not_a_setting_is_named_with_the_nearest_one(tmp_path: Path, text: str, start: str, end: str) -> None:
    """A misspelt section or key is never ignored."""
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, text)

    assert wrong.value.message.startswith(f"{tmp_path / 'gradeonce.toml'}: {start}")
    assert wrong.value.message.endswith(end)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("GRADEONCE_WAREHOUSE_THREADS", "many", "a whole number 0 or more"),
        ("GRADEONCE_WAREHOUSE_THREADS", "-1", "a whole number 0 or more"),
        ("GRADEONCE_LOCK_TTL_SECONDS", "soon", "a number above 0"),
        ("GRADEONCE_LOCK_TTL_SECONDS", "inf", "a number above 0"),
        ("GRADEONCE_WAREHOUSE_ALLOW_NETWORK_FILESYSTEM", "maybe", "true or false"),
        ("GRADEONCE_GRADING_EXCLUDED_LINES", "20,x", "a list of numbers"),
        ("GRADEONCE_LOCK_ON_UNAVAILABLE", "shrug", "one of 'fence', 'fail'"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str, expected: str) -> None:
    """The message starts with the variable and ends with what was expected."""
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, environment={variable: value})

    assert wrong.value.message.startswith(f"{variable} is ")
    assert wrong.value.message.endswith(f"; expected {expected}.")


def test_a_wrong_flag_is_named_as_it_was_typed(tmp_path: Path) -> None:
    """`--wait-seconds`, not `wait_seconds`."""
    with pytest.raises(ConfigError, match=r"^--wait-seconds is -1; expected a number 0 or more\."):
        load(tmp_path, flags={"wait_seconds": -1})


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    """With the command that makes one, or with what is wrong in it."""
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file .*gradeonce init"):
        load_settings(tmp_path / "none.toml", environment={})
    (tmp_path / "gradeonce.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"gradeonce\.toml: not valid TOML"):
        load_settings(tmp_path / "gradeonce.toml", environment={})


def test_zero_means_zero(tmp_path: Path) -> None:
    """No wait and no tolerance for moved games are settings, not missing ones."""
    settings = load(tmp_path, "[lock]\nwait_seconds = 0\n[grading]\nmoved_game_days = 0\nexcluded_lines = [0.0]\n")

    assert (settings.wait_seconds, settings.moved_game_days, settings.excluded_lines) == (0.0, 0, (0.0,))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://ann:s3cret@host/db", "postgresql://ann:***@host/db"),
        ("postgresql://ann:p@ss@host/db", "postgresql://ann:***@host/db"),
        ("redis://:s3cret@host:6379/0", "redis://:***@host:6379/0"),
        ("two a://u:s3cret@h and b://v:s3cret@h", "two a://u:***@h and b://v:***@h"),
        ("postgresql://host/db?user=ann&password=s3cret", "postgresql://host/db?user=ann&password=***"),
        ("postgresql://ann@host/db", "postgresql://ann@host/db"),
        ("https://host:443/path", "https://host:443/path"),
        ("https://host/hook?date=1&access_token=s3cret&x=2", "https://host/hook?date=1&access_token=***&x=2"),
        ("https://host/hook?X-Api-Key=s3cret", "https://host/hook?X-Api-Key=***"),
        ("no secret: a@b", "no secret: a@b"),
    ],
)
def test_passwords_are_masked(text: str, masked: str) -> None:
    """The password of every URL, its keys and tokens, and nothing else."""
    assert mask_secrets(text) == masked
    assert "s3cret" not in mask_secrets(text)


def test_config_show_masks_and_tells_origins(tmp_path: Path) -> None:
    """Every setting once, as TOML would write it, with where it came from; a password is never shown."""
    environment = {"GRADEONCE_LOCK_STORE": "redis://:s3cret@host/0", "GRADEONCE_GRADING_EXCLUDED_LINES": "20"}
    shown = {row.key: row for row in shown_settings(load(tmp_path, environment=environment))}

    assert (shown["store"].value, shown["store"].origin) == ('"redis://:***@host/0"', "GRADEONCE_LOCK_STORE")
    assert shown["excluded_lines"].value == "[20.0]"
    assert shown["allow_network_filesystem"].value == "false"
    assert (shown["ttl_seconds"].section, shown["ttl_seconds"].value) == ("lock", "60.0")
    assert all(row.help for row in shown.values())


def test_an_error_about_a_lock_store_does_not_show_its_password(tmp_path: Path) -> None:
    """A scheme we do not know: the URL is told without its secret."""
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, "[lock]\nstore = 'mysql://ann:s3cret@host/db'")

    assert "s3cret" not in str(wrong.value)
    assert "mysql://ann:***@host/db" in str(wrong.value)


def test_the_template_is_valid_and_changes_nothing(tmp_path: Path) -> None:
    """All settings stand in it as comments; those given are set; read back, they are the only ones from the file."""
    template = config_template({"book": 'my "book"', "threads": 2})

    settings = load(tmp_path, template)

    assert (settings.book, settings.threads) == ('my "book"', 2)
    from_file = {name for name, origin in settings.origins.items() if origin != "default"}
    # The section [tables] is there, and empty.
    assert from_file == {"book", "threads", "tables"}
    assert settings.tables == {}
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in template.splitlines())
    assert load(tmp_path, uncommented.replace("[tables]", "[tables]\n#", 1)).ttl_seconds == Settings().ttl_seconds
