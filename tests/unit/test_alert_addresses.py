"""Addresses are looked up where a setting says, and are shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradeonce.alerts import add_resolver, addresses
from gradeonce.alerts.addresses import Secret, look_up
from gradeonce.alerts.channels import channels_of
from gradeonce.config import Settings, load_settings
from gradeonce.config_text import shown_settings
from gradeonce.errors import ConfigError, UsageError

URL = "https://hooks.example.com/services/T0SECRET01/B0SECRET02/x9SECRET03"


@pytest.fixture(autouse=True)
def no_resolvers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolvers that a test adds are gone after it."""
    monkeypatch.setattr(addresses, "_resolvers", {})


def test_a_variable_holds_the_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spaces around it, as a shell or a file leaves them, are no part of it."""
    monkeypatch.setenv("HOOK", f" {URL}\n")

    assert look_up("env:HOOK", base_folder=tmp_path).reveal() == URL


def test_a_file_holds_the_address(tmp_path: Path) -> None:
    """Relative to the settings file, or absolute."""
    (tmp_path / "hook.txt").write_text(URL + "\n", encoding="utf-8")

    assert look_up("file:hook.txt", base_folder=tmp_path).reveal() == URL
    assert look_up(f"file:{tmp_path}/hook.txt", base_folder=Path("/")).reveal() == URL


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NO_SUCH_HOOK", "The variable NO_SUCH_HOOK, which holds an address, is not set"),
        ("file:nowhere.txt", "cannot be read: No such file or directory"),
        ("file:empty.txt", "is empty"),
        ("file:binary.txt", "it is not text"),
        ("secret://slack-webhook", "names no secret; expected secret://projects/PROJECT/secrets/NAME"),
    ],
)
def test_an_address_that_is_not_to_be_found_is_an_error_that_names_the_place(
    reference: str, words: str, tmp_path: Path
) -> None:
    """So that one knows what to mend."""
    (tmp_path / "empty.txt").write_text(" \n", encoding="utf-8")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\xff")

    with pytest.raises(ConfigError, match=words):
        look_up(reference, base_folder=tmp_path)


def test_a_resolver_is_asked_for_its_scheme(tmp_path: Path) -> None:
    """The door for secret managers; a resolver that breaks is an error without its words, which may hold the secret."""
    add_resolver("secret", lambda reference: URL if reference == "secret://hook" else 1 / 0)  # type: ignore[return-value]

    assert look_up("secret://hook", base_folder=tmp_path).reveal() == URL
    with pytest.raises(ConfigError, match=r"secret://other could not be looked up \(ZeroDivisionError\)"):
        look_up("secret://other", base_folder=tmp_path)
    add_resolver("secret", lambda reference: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigError, match="secret://hook, which holds an address, is empty or no text"):
        look_up("secret://hook", base_folder=tmp_path)
    with pytest.raises(UsageError, match="secret://"):
        add_resolver("https", lambda reference: reference)


@pytest.mark.parametrize("key", ["slack", "webhook", "apprise"])
def test_a_settings_file_may_not_hold_an_address(key: str, tmp_path: Path) -> None:
    """It is copied and committed; the error does not show the address either."""
    path = tmp_path / "gradeonce.toml"
    path.write_text(f'[alerts]\n{key} = ["env:HOOK", "{URL}"]\n', encoding="utf-8")

    with pytest.raises(ConfigError, match="holds an address, which is a secret") as caught:
        load_settings(path, environment={})
    assert "SECRET" not in str(caught.value)


def test_one_reference_needs_no_list(tmp_path: Path) -> None:
    """`slack = "env:HOOK"`; in a variable, several are separated by spaces, for an address may hold a comma."""
    path = tmp_path / "gradeonce.toml"
    path.write_text('[alerts]\nslack = "env:HOOK"\n', encoding="utf-8")
    environment = {"GRADEONCE_ALERTS_APPRISE": "mailto://a?to=b,c json://d"}

    settings = load_settings(path, environment=environment)

    assert (settings.slack, settings.apprise) == (("env:HOOK",), ("mailto://a?to=b,c", "json://d"))


@pytest.mark.parametrize("value", [7, [7], {"a": 1}])
def test_a_wrong_value_is_not_shown(value: object) -> None:
    """Whatever was typed there may be a secret."""
    with pytest.raises(ConfigError, match="expected a list of texts") as caught:
        load_settings(environment={}, flags={"slack": value})
    assert "7" not in str(caught.value)


def test_settings_show_where_an_address_is_and_not_the_address() -> None:
    """In `config show`, and in the representation that a traceback or a debugger prints."""
    settings = Settings(slack=(URL, "env:HOOK", "file:/run/secrets/hook"))
    shown = {setting.key: setting.value for setting in shown_settings(settings)}

    assert shown["slack"] == '["***", "env:HOOK", "file:/run/secrets/hook"]'
    assert "SECRET" not in repr(settings)
    assert "SECRET" not in repr(channels_of(settings))
    assert "SECRET" not in f"{Secret(URL)} {Secret(URL)!r}"


def test_channels_of_a_kind_are_numbered() -> None:
    """The names are what records and `--channel` use."""
    settings = Settings(slack=("env:A", "env:B"), webhook=("env:C",))

    assert [channel.name for channel in channels_of(settings)] == ["slack", "slack-2", "webhook"]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (URL, f"POST {URL} failed"),
        (URL, "path /services/T0SECRET01/B0SECRET02/x9SECRET03 not found"),
        (URL, "no hook x9SECRET03 for team T0SECRET01"),
        ("https://user:hunter2SECRET@host.example/x", "login of hunter2SECRET refused"),
        ("https://host.example/x?token=abcSECRET&y=1", "token=abcSECRET is unknown"),
        ("discord://1234SECRET/tokenSECRET", "webhook 1234SECRET/tokenSECRET"),
        ("mailto://u:p%40SECRET@gmail.com", "bad password p@SECRET"),
    ],
)
def test_no_part_of_an_address_stays_in_a_text(address: str, text: str) -> None:
    """Whole, as a path, as one of its parts, quoted or not."""
    assert "SECRET" not in Secret(address).hidden_in(text)


def test_words_that_are_no_secret_stay() -> None:
    """The host, and short words of the path."""
    assert Secret("https://hooks.example.com/api/v1/x9SECRET03").hidden_in("hooks.example.com: api v1 is gone") == (
        "hooks.example.com: api v1 is gone"
    )
