"""The lease store in Firestore, held to the suite of all servers, and to what only documents can suffer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from builders import land_season, new_book, open_book
from conformance.test_lease_stores_servers import OwnServerConformance, ServerConformance, until
from gradeonce.clock import FakeClock, SystemClock
from gradeonce.errors import ConfigError, LeaseHeld, LeaseLost, WarehouseError
from gradeonce.leases import FirestoreLeases, LeaseStore, acquire, open_store
from gradeonce.testing import KEY, TTL
from gradeonce.torture.stores import Off, lock_faults
from servers import Firestore, require


class OnTestTime(FirestoreLeases):
    """A store for which every read and every write happened at the time of the test."""

    def __init__(self, url: str, *, clock: FakeClock, writes: dict[Any, datetime]) -> None:
        super().__init__(url)
        self._clock, self._writes = clock, writes

    def _now(self) -> datetime:
        return self._clock.now()

    def _read_at(self, snapshot: Any) -> datetime:
        return self._clock.now()

    def _written_at(self, written: Any) -> datetime:
        # Whoever is first to see a write is who made it.
        return self._writes.setdefault(str(written.update_time), self._clock.now())


class TestFirestoreLeases(ServerConformance):
    """Collections of its own for each test, in the emulator of the run."""

    turns = 50
    processes = 8

    @pytest.fixture(autouse=True)
    def place(self, firestore: Firestore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take collections that are not there yet."""
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
        self.server, self.name = firestore, f"locks{os.urandom(4).hex()}"
        self.url, self.writes = f"firestore://demo/{self.name}", dict[Any, datetime]()

    def open_on(self, url: str) -> LeaseStore:
        return FirestoreLeases(self.url, client=partial(self.server.client, url.removeprefix("http://")))

    def open_on_test_time(self, clock: FakeClock) -> LeaseStore:
        return OnTestTime(self.url, clock=clock, writes=self.writes)

    def opener(self, folder: Path) -> Callable[[], LeaseStore]:
        return partial(FirestoreLeases, self.url)

    def documents(self, collection: str) -> dict[str, dict[str, Any]]:
        """Return the documents of a collection. Any: their fields."""
        return {each.id: each.to_dict() for each in self.server.client().collection(collection).stream()}

    def put(self, collection: str, name: str, fields: dict[str, Any]) -> None:
        """Write a document as somebody else would."""
        self.server.client().collection(collection).document(name).set(fields)

    def forget(self) -> None:
        client = self.server.client()
        for collection in client.collections():
            if collection.id.endswith(self.name):
                for document in collection.list_documents():
                    document.delete()

    def test_each_kind_of_lease_has_a_collection_of_its_own(self, real: LeaseStore) -> None:
        """`grading/2026-01-17` is grading_2026-01-17 in grading_locks; one without a kind lies in locks."""
        for key in (KEY, "consolidation/2026-01-17", "nightly", "a/b/c d", "..", "/x"):
            assert real.try_acquire(key, holder="ann", ttl_seconds=TTL, floor=0).token == 1

        assert set(self.documents(f"grading_{self.name}")) == {"grading_2026-01-17"}
        assert set(self.documents(f"consolidation_{self.name}")) == {"consolidation_2026-01-17"}
        assert set(self.documents(f"a_{self.name}")) == {"a_b%2Fc d"}
        assert set(self.documents(self.name)) == {"nightly", "%2E%2E", "%2Fx"}
        assert [record.key for record in real.records()] == sorted(
            [KEY, "consolidation/2026-01-17", "nightly", "a/b/c d", "..", "/x"]
        )

    def test_a_document_is_never_deleted(self, real: LeaseStore) -> None:
        """After release and break it still counts."""
        real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        real.release(KEY, holder="ann", token=1)
        real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        real.break_claim(KEY, token=2)

        assert self.documents(f"grading_{self.name}")["grading_2026-01-17"]["token"] == 2

    @pytest.mark.parametrize("verb", ["create", "update"])
    def test_a_write_whose_answer_is_lost_is_found_again(
        self, real: LeaseStore, monkeypatch: pytest.MonkeyPatch, verb: str
    ) -> None:
        """The server has written and the answer does not come: the next try finds its own claim, token unchanged."""
        from google.api_core.exceptions import ServiceUnavailable
        from google.cloud.firestore import DocumentReference

        if verb == "update":
            real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
            real.release(KEY, holder="ann", token=1)
        write, lost = getattr(DocumentReference, verb), []

        def write_and_lose(document: Any, *values: Any, **options: Any) -> Any:
            answer = write(document, *values, **options)
            if not lost:
                lost.append(answer)
                raise ServiceUnavailable("the answer was lost")
            return answer

        monkeypatch.setattr(DocumentReference, verb, write_and_lose)
        record = real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        assert lost
        assert (record.is_granted, record.token) == (True, 2 if verb == "update" else 1)

    @pytest.mark.parametrize("verb", ["try_acquire", "renew", "release"])
    def test_a_write_in_between_is_not_overwritten(
        self, real: LeaseStore, monkeypatch: pytest.MonkeyPatch, verb: str
    ) -> None:
        """A rival writes between our read and our write: the server refuses ours, and we look again."""
        from google.cloud.firestore import DocumentReference

        rival = self.open_on(self.server.url)
        real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        if verb == "try_acquire":
            real.release(KEY, holder="ann", token=1)
        update, came = DocumentReference.update, []

        def rival_first(document: Any, *values: Any, **options: Any) -> Any:
            if not came:
                came.append(True)
                rival.break_claim(KEY, token=1)
                came.append(rival.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).is_granted)
            return update(document, *values, **options)

        monkeypatch.setattr(DocumentReference, "update", rival_first)
        if verb == "try_acquire":
            assert not real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0).is_granted
        else:
            assert not getattr(real, verb)(KEY, holder="ann", token=1)

        assert came == [True, True]
        assert [(record.holder, record.token, record.is_held) for record in real.records()] == [("bob", 2, True)]
        rival.close()

    def test_a_deleted_document_is_made_up_for_by_the_fence(self, tmp_path: Path) -> None:
        """A book graded twice, so that its fence has seen token 2; the documents are deleted; the next token is 3."""
        folder = new_book(tmp_path / "book")
        land_season(folder, days=1, players=2)
        with open_book(folder, store=self.url) as book:
            assert [book.grade("2026-01-01").runs[0].token for _ in range(2)] == [1, 2]
            assert [record.key for record in book.leases.records()] == ["grading/2026-01-01"]
            self.forget()
            assert book.leases.records() == []

            assert book.grade("2026-01-01").runs[0].token == 3

    def test_a_torture_has_collections_of_its_own_and_removes_them(self, real: LeaseStore) -> None:
        """A flush deletes the leases of the torture and nobody else's."""
        real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        faults = lock_faults(self.url, in_the_book=Off(), name=f"torture_{self.name}")
        faults.reach()
        store = faults.open(SystemClock())
        assert store is not None
        store.try_acquire(KEY, holder="worker", ttl_seconds=TTL, floor=0)

        assert faults.flush() == 1
        assert store.records() == []
        assert [record.holder for record in real.records()] == ["ann"]
        faults.remove()
        store.close()

    def older(self, expires_in: timedelta) -> dict[str, Any]:
        """Return a document as the layout before ours wrote it. Any: its fields."""
        now = datetime.now(UTC)
        return {
            "operation_id": "op-1",
            "holder_id": "grader-17",
            "lock_type": "grading",
            "acquired_at": now - timedelta(seconds=100),
            "expires_at": now + expires_in,
            "lock_key": "grading_2026-01-17",
        }

    @pytest.mark.parametrize("name", ["grading_2026-01-17", "2026-01-17"])
    def test_a_claim_of_the_older_layout_is_honoured_then_taken_over(self, real: LeaseStore, name: str) -> None:
        """While it has not expired nobody gets in, whatever his ttl; then it is taken over where it lies."""
        self.put(f"grading_{self.name}", name, self.older(timedelta(minutes=5)))
        with pytest.raises(LeaseHeld) as held, acquire(real, KEY, ttl_seconds=TTL):
            pytest.fail("the block ran without the lease")
        assert (held.value.holder, held.value.token) == ("grader-17", 0)
        assert 290 < held.value.expires_in_seconds <= 300
        (record,) = real.records()
        assert (record.key, record.is_held, round(record.ttl_seconds)) == (KEY, True, 400)

        self.put(f"grading_{self.name}", name, self.older(-timedelta(seconds=1)))
        with acquire(real, KEY, ttl_seconds=TTL, floor=41) as lease:
            assert lease.token == 42
            (record,) = real.records()
            assert (record.took_over, record.is_held) == (True, True)
            assert lease.renew()
        assert real.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).token == 43
        (fields,) = self.documents(f"grading_{self.name}").values()
        assert set(fields) == {
            "key", "holder", "token", "ttl_seconds", "acquired_at", "renewed_at", "released_at", "took_over", "claim",
        }  # fmt: skip

    def test_a_claim_of_the_older_layout_can_be_broken(self, real: LeaseStore) -> None:
        """The operator names token 0."""
        self.put(f"grading_{self.name}", "grading_2026-01-17", self.older(timedelta(minutes=5)))

        assert real.break_claim(KEY, token=0)
        assert real.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).token == 1

    def test_a_document_of_nobodys_layout_is_not_touched(self, real: LeaseStore) -> None:
        """What cannot be read is not taken over; the listing leaves it out."""
        self.put(f"grading_{self.name}", "grading_2026-01-17", {"colour": "green"})

        with pytest.raises(WarehouseError, match="neither ours nor of the layout before ours") as strange:
            real.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0)
        assert not strange.value.is_transient
        assert real.records() == []

    def test_database_and_default_project_are_taken_from_the_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`firestore:///locks?database=second` leaves the project to the credentials."""
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "elsewhere")
        store = open_store(f"firestore:///{self.name}?database=second")
        assert isinstance(store, FirestoreLeases)

        assert store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0).token == 1
        assert store._client is not None
        assert (store._client.project, store._client._database) == ("elsewhere", "second")
        store.close()


@pytest.mark.parametrize("url", ["firestore://p/a/b", "firestore://p/c?key=1", "firestore://me:word@p/c"])
def test_malformed_url_is_refused(url: str) -> None:
    """The hint says how it is written; nothing is asked of a server."""
    require("google.cloud.firestore")
    with pytest.raises(ConfigError, match="malformed"):
        open_store(url)


@pytest.fixture(scope="module")
def own_firestore() -> Iterator[Firestore]:
    """An emulator that may be stopped; whoever stops it starts it again."""
    require("google.cloud.firestore")
    with Firestore() as server:
        yield server


class TestFirestoreRestarts(OwnServerConformance):
    """An emulator for these tests alone. It forgets when it ends, which the real one does not."""

    @pytest.fixture(autouse=True)
    def place(self, own_firestore: Firestore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take collections that are not there yet."""
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", own_firestore.host)
        self.own, self.store_url = own_firestore, f"firestore://demo/locks{os.urandom(4).hex()}"

    def open_own(self) -> LeaseStore:
        return FirestoreLeases(self.store_url)

    def go_away(self) -> None:
        # Quicker than to end a Java program and begin another.
        self.own.pause()

    def come_back(self) -> None:
        self.own.resume()

    @pytest.mark.parametrize("how", ["kill"])
    def test_a_server_restarted_in_mid_hold_costs_nothing(self, how: str) -> None:
        """Killed and started again, empty: the holder is told, and 42 comes after 41."""
        store, rival = self.open_own(), self.open_own()
        assert [s.records() for s in (rival, store)] == [[], []]
        with acquire(store, KEY, ttl_seconds=TTL, floor=40) as lease:
            getattr(self.own, how)()
            assert lease.renew()
            lease.check()
            self.own.start()

            # The other client keeps the channel, which waits a little before it connects again.
            until(lambda: not lease.renew())
            with pytest.raises(LeaseLost, match="taken over"):
                lease.check()
            assert rival.try_acquire(KEY, holder="rival", ttl_seconds=TTL, floor=41).token == 42
        assert rival.renew(KEY, holder="rival", token=42)
        store.close()
        rival.close()
