"""End to end on emulators, with Google's own clients: a message of Pub/Sub is pushed to the function, which takes the
lease in Firestore, grades in BigQuery, alerts Slack by a URL from Secret Manager, and tells a topic.

All tests share the servers, one book and one process; each has a date of its own.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import gradeonce
from acceptance.function_process import Function
from bigquery_book import small_book
from builders import duplicate_keys, land_actuals, land_predictions
from gradeonce.alerts import addresses
from gradeonce.book import Book
from gradeonce.schema import ACCURACY, ACTUALS, DAILY_PERFORMANCE, INJURIES, PREDICTIONS
from receiver import SECRET, Receiver, headings
from servers import BigQuery, Firestore, PubSub, Relay, SecretManager, require

PATIENCE_SECONDS = 150.0
"""How long something that must happen may take on a machine with much else to do."""

TTL_SECONDS = 8.0
"""Of the lease: whoever comes after a kill waits for its end."""


@dataclass
class World:
    """Everything a test needs: the function, whoever talks to it, and the book."""

    function: Function
    relay: Relay
    book: Book
    slack: Receiver
    publisher: Any
    subscriber: Any
    topic: str
    completions: str
    taken: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, **message: Any) -> str:
        """Publish a message; return the id that Pub/Sub gave it. Any: JSON values."""
        return self.publish_bytes(json.dumps(message).encode())

    def publish_bytes(self, data: bytes, **attributes: str) -> str:
        """Publish anything; return its id."""
        return str(self.publisher.publish(self.topic, data, **attributes).result(timeout=PATIENCE_SECONDS))

    def completion_of(self, event_id: str) -> dict[str, Any]:
        """Wait for the completion of an event, and return it. Any: JSON values."""
        self.wait_for(lambda: any(one["event_id"] == event_id for one in self._pull()), f"completion of {event_id}")
        return next(one for one in self.taken if one["event_id"] == event_id)

    def count(self, event_id: str) -> int:
        """Return how many completions of an event came so far."""
        return sum(one["event_id"] == event_id for one in self._pull())

    def wait_for(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        gives_up_at = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < gives_up_at, f"no {what}: {self.function.folder.joinpath('log.txt').read_text()}"
            time.sleep(0.05)

    def runs(self, day: str) -> list[str]:
        """Return what became of every run of a date, by the ledger."""
        sql = "SELECT status FROM ledger WHERE kind = 'grade' AND partition = $day ORDER BY number"
        return [status for (status,) in self.book.sql(sql, {"day": day}).rows]

    def _pull(self) -> list[dict[str, Any]]:
        # Any: JSON values.
        from google.api_core.exceptions import DeadlineExceeded

        try:
            got = self.subscriber.pull(subscription=self.completions, max_messages=10, timeout=1.0).received_messages
        except DeadlineExceeded:
            got = []
        if got:
            self.subscriber.acknowledge(subscription=self.completions, ack_ids=[one.ack_id for one in got])
        for one in got:
            document = json.loads(one.message.data)
            assert one.message.attributes["event_id"] == document["event_id"]
            assert one.message.attributes["status"] == document["status"]
            self.taken.append(document)
        return self.taken


@pytest.fixture(scope="module")
def world(pubsub: PubSub, bigquery: BigQuery, firestore: Firestore, secret_manager: SecretManager) -> Iterator[World]:
    """The servers, wired together; two dates, with box scores of one in four players."""
    require("functions_framework")
    from google.cloud import pubsub_v1

    emulators = {
        "BIGQUERY_EMULATOR_HOST": bigquery.url,
        "FIRESTORE_EMULATOR_HOST": firestore.host,
        "PUBSUB_EMULATOR_HOST": pubsub.host,
        "SECRET_MANAGER_EMULATOR_HOST": secret_manager.host,
    }
    with pytest.MonkeyPatch.context() as patch, Receiver() as slack:
        for name, value in emulators.items():
            patch.setenv(name, value)
        patch.setattr(addresses, "_resolvers", {})
        settings = {
            "GRADEONCE_WAREHOUSE_BOOK": small_book(PREDICTIONS, ACTUALS, INJURIES, ACCURACY, DAILY_PERFORMANCE),
            "GRADEONCE_LOCK_STORE": "firestore://demo/function_locks",
            "GRADEONCE_LOCK_TTL_SECONDS": str(TTL_SECONDS),
            "GRADEONCE_ALERTS_SLACK": secret_manager.keep("function-slack", slack.url),
            "GRADEONCE_FUNCTION_TIMEOUT_SECONDS": "300",
            "GRADEONCE_FUNCTION_ALERT_AFTER_SECONDS": "600",
        }
        book = gradeonce.open(settings["GRADEONCE_WAREHOUSE_BOOK"], store=settings["GRADEONCE_LOCK_STORE"], threads=1)
        land_predictions(book, 2, 4)
        land_actuals(book, 2, 1, points=11)
        publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
        topics = [f"projects/demo/topics/{name}" for name in ("grade-requests", "nba-grading-complete")]
        for topic in topics:
            publisher.create_topic(name=topic)
        completions = "projects/demo/subscriptions/completions"
        subscriber.create_subscription(name=completions, topic=topics[1])
        with Function({**emulators, **settings}) as function, Relay(function) as relay:
            subscriber.create_subscription(
                request={
                    "name": "projects/demo/subscriptions/grade",
                    "topic": topics[0],
                    "push_config": {"push_endpoint": f"http://127.0.0.1:{relay.port}/"},
                    # An answer that is lost is asked for again at once; one that takes long is waited for.
                    "ack_deadline_seconds": 600,
                    "retry_policy": {"minimum_backoff": {"seconds": 0}, "maximum_backoff": {"seconds": 1}},
                }
            )
            yield World(function, relay, book, slack, publisher, subscriber, topics[0], completions)
            subscriber.delete_subscription(subscription="projects/demo/subscriptions/grade")
        book.close()
        subscriber.close()
        publisher.stop()


def test_a_message_is_graded_alerted_and_told(world: World, firestore: Firestore) -> None:
    """Grades in BigQuery, a lease in Firestore, an alert in Slack, a completion in the topic. The first answer is lost
    on its way: Pub/Sub pushes the same message again, which is answered with what was done."""
    world.slack.on_request = lambda _: setattr(world.relay, "loses_next_answer", True)
    event_id = world.publish(target_date="2026-01-01", correlation_id="c-1", trigger_source="test")

    told = world.completion_of(event_id)
    world.wait_for(lambda: bool(world.function.lines("event_done_before")), "redelivery")

    assert (told["schema_version"], told["correlation_id"], told["trigger_source"]) == (1, "c-1", "test")
    assert (told["target_date"], told["status"], told["error"]) == ("2026-01-01", "published", None)
    assert (told["predictions"], told["outcomes"]["win"], told["outcomes"]["ungradable"]) == (4, 1, 3)
    assert (told["mae"], told["bias"], told["n"], told["duplicates"], told["token"]) == (9.0, 9.0, 1, 0, 1)
    assert [line["event_id"] for line in world.function.lines("event_done_before")] == [event_id]
    assert (world.count(event_id), world.runs("2026-01-01")) == (1, ["published"])
    sql = "SELECT run_id, COUNT(*) FROM prediction_accuracy WHERE game_date = '2026-01-01' GROUP BY 1"
    assert world.book.sql(sql).rows == [(told["run_id"], 4)]
    lease = firestore.client().collection("grading_function_locks").document("grading_2026-01-01").get().to_dict()
    assert (lease["token"], lease["released_at"] is None) == (1, False)
    assert headings(world.slack.documents) == ["🔴 2026-01-01: only 25.0% of the predictions came to a result"]
    seen = world.function.folder.joinpath("log.txt").read_text() + str(world.book.sql("SELECT * FROM alerts_sent").rows)
    for part in (*SECRET.split("/"), base64.b64encode(world.slack.url.encode()).decode()):
        assert part not in seen


def test_a_poison_message_is_logged_once(world: World) -> None:
    """It is acknowledged: a message that came after it was handled, and it has not come again."""
    poison = [world.publish_bytes(b"\xff\x00"), world.publish_bytes(b'{"target_date": "soon"}')]
    world.wait_for(lambda: len(world.function.lines("message_malformed")) == 2, "log line")

    told = world.completion_of(world.publish(target_date="2026-07-01"))

    lines = world.function.lines("message_malformed")
    assert sorted(line["event_id"] for line in lines) == sorted(poison)
    assert {line["severity"] for line in lines} == {"ERROR"}
    assert told["status"] == "nothing_to_grade"


def test_two_events_for_one_date_and_a_kill_before_the_commit(world: World) -> None:
    """One holds the lease and has staged, the other waits. Killed, both come again to the next process, which is the
    web service: one publishes, the other finds it done."""
    world.function.stand_still_at("publish.compared")
    events = [world.publish(target_date="2026-01-02") for _ in range(2)]
    world.wait_for(lambda: world.function.stands_still, "staged rows")
    world.function.kill()
    assert world.runs("2026-01-02") == []
    world.function.is_service = True
    world.function.start()

    told = [world.completion_of(event) for event in events]

    assert sorted(one["status"] for one in told) == ["published", "unchanged"]
    assert [(one["predictions"], one["duplicates"]) for one in told] == [(4, 0), (4, 0)]
    assert world.runs("2026-01-02") == ["published", "unchanged"]
    assert duplicate_keys(world.book, ACCURACY) == 0
