"""Which store a setting opens, and that no message tells a password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gradeonce.config import load_settings, mask_secrets
from gradeonce.config_text import shown_settings
from gradeonce.errors import ConfigError
from gradeonce.leases import FirestoreLeases, MemoryLeases, PostgresLeases, RedisLeases, SqliteLeases, open_store

SERVERS = {
    "postgresql://ann:tell-nobody@db.example/season": PostgresLeases,
    "postgres://db.example/season?password=tell-nobody": PostgresLeases,
    "redis://:tell-nobody@cache.example:6380/2": RedisLeases,
    "rediss://ann:tell-nobody@cache.example": RedisLeases,
    "valkey://cache.example": RedisLeases,
    "valkeys://:tell-nobody@cache.example/1": RedisLeases,
    "firestore://project/locks": FirestoreLeases,
}


@pytest.mark.parametrize("url", SERVERS)
def test_url_opens_its_store_without_asking_the_server(url: str) -> None:
    """None of these servers exists: the first verb would notice, opening does not."""
    for driver in ("psycopg", "redis", "google.cloud.firestore"):
        pytest.importorskip(driver)
    store = open_store(url)

    assert isinstance(store, SERVERS[url])
    store.close()


def test_words_open_the_stores_without_a_server(tmp_path: Path) -> None:
    """`off` is no store; `memory` is one for the whole process; `sqlite` is the file that is named."""
    (tmp_path / "catalog.sqlite").touch()
    store = open_store("sqlite", catalog=tmp_path / "catalog.sqlite")

    assert isinstance(store, SqliteLeases)
    store.close()
    assert open_store("off") is None
    assert isinstance(open_store("memory"), MemoryLeases)
    assert open_store("memory") is open_store("memory")


@pytest.mark.parametrize("catalog", [None, "book/catalog.sqlite"])
def test_sqlite_needs_its_file(tmp_path: Path, catalog: str | None) -> None:
    """A store beside no book would be one that nobody else looks at; it is not made."""
    with pytest.raises(ConfigError, match="Leases in the book need a book"):
        open_store("sqlite", catalog=tmp_path / catalog if catalog else None)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("store", ["etcd://ann:tell-nobody@host", "redis", "", "postgresql:/host"])
def test_unknown_store_is_refused(store: str) -> None:
    """The message says what there is, and no password."""
    with pytest.raises(ConfigError, match="expected sqlite, memory, off, or postgresql://") as refused:
        open_store(store)

    assert "tell-nobody" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:tell%-nobody@host/db",
        "postgresql://ann:tell-nobody@host/db?no_such_option=tell-nobody",
        "redis://:tell-nobody@host:port",
        "redis://:tell-nobody@host/0?socket_timeout=tell-nobody",
    ],
)
def test_malformed_url_is_refused_without_telling_the_password(url: str) -> None:
    """Drivers quote what they cannot read; we do not, not even as the cause."""
    pytest.importorskip("psycopg")
    pytest.importorskip("redis")
    with pytest.raises(ConfigError, match="malformed") as refused:
        open_store(url)

    assert "nobody" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(("url", "driver", "extra"), [
    ("postgresql://host/db", "psycopg", "postgres"),
    ("redis://host", "redis", "redis"),
    ("firestore://project/locks", "google-cloud-firestore", "gcp"),
])  # fmt: skip
def test_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch, url: str, driver: str, extra: str) -> None:
    """What to type is in the hint, exit code 78."""
    module = {"google-cloud-firestore": "google.cloud.firestore"}.get(driver, driver)
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ConfigError, match=f"need {driver}, which is not installed") as missing:
        open_store(url)

    assert missing.value.hint == f"pip install 'gradeonce[{extra}]'"


@pytest.mark.parametrize("url", SERVERS)
def test_settings_take_urls_and_never_show_their_password(tmp_path: Path, url: str) -> None:
    """From the file as from the environment."""
    (tmp_path / "gradeonce.toml").write_text(f'[lock]\nstore = "{url}"\n')

    for settings in (
        load_settings(folder=tmp_path, environment={}),
        load_settings(folder=tmp_path, environment={"GRADEONCE_LOCK_STORE": url}),
    ):
        assert settings.store == url
        assert "tell-nobody" not in str(shown_settings(settings))


def test_wrong_store_in_the_settings_is_refused_without_its_password() -> None:
    """A scheme nobody knows: what is expected is said."""
    with pytest.raises(ConfigError, match=r"expected one of 'sqlite', 'memory', 'off', postgresql://") as refused:
        load_settings(environment={"GRADEONCE_LOCK_STORE": "mysql://ann:tell-nobody@host/db"})

    assert "tell-nobody" not in str(refused.value)


@pytest.mark.parametrize(("text", "shown"), [
    ("redis://:word@host/0", "redis://:***@host/0"),
    ("postgresql://ann:word@host/db is down", "postgresql://ann:***@host/db is down"),
    ("postgresql://ann:wo@rd@host/db", "postgresql://ann:***@host/db"),
    ("postgresql://host/db?user=ann&password=word&x=1", "postgresql://host/db?user=ann&password=***&x=1"),
    ("rediss://host?ssl_password=word", "rediss://host?ssl_password=***"),
    ("redis://host:6379/0", "redis://host:6379/0"),
])  # fmt: skip
def test_passwords_are_masked_wherever_they_stand_in_a_url(text: str, shown: str) -> None:
    """Before the host, also when they hold an unescaped @, or among the options."""
    assert mask_secrets(text) == shown
