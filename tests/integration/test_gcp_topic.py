"""The topic of completions, on Google's emulator: what it takes, refuses, and cannot take now."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gcp_messages import some_completion
from gradeonce.config import Settings
from gradeonce.errors import CompletionError, ConfigError, TransientCompletionError
from gradeonce.gcp.topic import Topic, topic_of
from servers import PubSub


@pytest.fixture
def emulator(pubsub: PubSub, monkeypatch: pytest.MonkeyPatch) -> PubSub:
    """The environment leads to the server."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
    return pubsub


def test_a_completion_is_one_json_object_with_attributes(emulator: PubSub) -> None:
    """What is pulled is what was told; no data is null, and letters stay letters."""
    from google.cloud import pubsub_v1

    topic = "projects/demo/topics/completions"
    with pubsub_v1.PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name="projects/demo/subscriptions/all", topic=topic)
        told = replace(some_completion(), correlation_id="Dončić", mae=None)
        Topic(topic)(told, seconds=20.0)
        got = subscriber.pull(subscription="projects/demo/subscriptions/all", max_messages=1, timeout=20)
    (message,) = [one.message for one in got.received_messages]

    assert json.loads(message.data) == json.loads(told.to_json())
    assert "Dončić" in message.data.decode()
    assert json.loads(message.data)["mae"] is None
    assert dict(message.attributes) == {
        "schema_version": "1",
        "event_id": "e1",
        "correlation_id": "Dončić",
        "target_date": "2026-01-01",
        "status": "published",
    }


def test_a_topic_that_is_not_there_refuses(emulator: PubSub) -> None:
    """Another try would not help, so it is no transient error."""
    with pytest.raises(CompletionError, match="NotFound") as caught:
        Topic("projects/demo/topics/none")(some_completion(), seconds=20.0)

    assert not caught.value.is_transient


def test_a_topic_out_of_reach_may_take_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: it gives up within its time."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")

    with pytest.raises(TransientCompletionError, match=r"within 0\.5 s"):
        Topic("projects/demo/topics/none")(some_completion(), seconds=0.5)


def test_the_settings_name_the_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """In full, or by its name in the project of the book, or in that of the environment; or none."""
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)

    def path(topic: str, book: str = "book") -> str | None:
        found = topic_of(Settings(completion_topic=topic, book=book))
        return None if found is None else found.path

    assert path("projects/p/topics/t") == "projects/p/topics/t"
    assert path("done", "bigquery://mine/grades?location=EU") == "projects/mine/topics/done"
    assert path(" ") is None
    with pytest.raises(ConfigError, match="no project is known"):
        path("done")
    with pytest.raises(ConfigError, match="expected projects/PROJECT/topics/NAME"):
        path("projects/p/done")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "theirs")
    assert path("done") == "projects/theirs/topics/done"
