"""What BigQuery hears from us and what we make of its answers, seen at the edge of the network."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bigquery_book import empty_book, small_book
from bigquery_edge import Answer, Edge, Sent, refusal
from bigquery_locations import Locations
from builders import SHELVES, FakeClock, ledger_findings, shelf_query
from gradeonce.clock import SystemClock
from gradeonce.errors import ConfigError, LeaseLost, UsageError, WarehouseError
from gradeonce.model import EntryDraft
from gradeonce.publish import publish
from gradeonce.schema import ACCURACY, Column, ColumnType, SmallTable
from gradeonce.warehouses.bigquery import layout, mapped
from gradeonce.warehouses.bigquery.beside import BigQueryBeside
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse
from gradeonce.warehouses.mapped import Asked
from servers import BigQuery

DAY = "2026-01-17"
LIMIT = 123_456_789
NOTES = SmallTable("notes", (Column("name", ColumnType.TEXT), Column("text", ColumnType.TEXT)), key=("name",))


@pytest.fixture(scope="module")
def url(bigquery: BigQuery) -> Iterator[str]:
    """A book for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        yield small_book()


@pytest.fixture
def edge(bigquery: BigQuery, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edge]:
    """The way to the emulator; the book is emptied afterwards."""
    with Edge(bigquery) as edge:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", edge.url)
        yield edge
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    empty_book(url)


@pytest.fixture
def warehouse(edge: Edge, url: str) -> Iterator[BigQueryWarehouse]:
    """The book, reached through the edge, with a limit of what a query may bill."""
    found = BigQueryWarehouse(url, threads=1, maximum_bytes_billed=LIMIT)
    yield found
    found.close()


def put(warehouse: BigQueryWarehouse, marker: int, *, token: int | None = None) -> str:
    tokens = None if token is None else {DAY: token}
    query = shelf_query([DAY], marker)
    run = publish(warehouse, SHELVES, query, [DAY], run_id=f"run{marker}", tokens=tokens, clock=FakeClock())
    return str(run[DAY].status)


def markers(warehouse: BigQueryWarehouse) -> set[int]:
    with warehouse.reader() as reader:
        return {marker for (marker,) in reader.query("SELECT marker FROM shelf_counts").rows}


def is_commit(sent: Sent) -> bool:
    return "COMMIT TRANSACTION" in sent.sql and "INSERT INTO ledger " in sent.sql


def test_every_query_carries_the_limit_and_what_it_makes_expires(warehouse: BigQueryWarehouse, edge: Edge) -> None:
    """No query goes without the limit; staging tables are named by the run and go by themselves."""
    put(warehouse, 1)
    edge.sent.clear()
    put(warehouse, 2)
    assert markers(warehouse) == {2}

    jobs = [sent.job for sent in edge.sent if sent.job]
    assert len(jobs) >= 7
    assert {str(job.get("maximumBytesBilled")) for job in jobs} == {str(LIMIT)}
    expiring = re.compile(r"CREATE TABLE \S+`(\w+)` OPTIONS \(expiration_timestamp")
    made = [name for sent in edge.sent for name in expiring.findall(sent.sql)]
    assert len(made) == sum(sent.sql.count("CREATE TABLE") for sent in edge.sent) == 3
    assert all(name.startswith("staging_run2_") for name in made)


def test_a_query_that_is_too_dear_is_a_matter_of_the_settings(warehouse: BigQueryWarehouse, edge: Edge) -> None:
    """BigQuery's refusal becomes an error that names the limit and what to type; nothing was published."""
    put(warehouse, 1)
    said = f"Query exceeded limit for bytes billed: {LIMIT}. 999999999 or higher required."
    edge.instead = lambda sent: refusal(400, "bytesBilledLimitExceeded", said) if "staging_run2_" in sent.sql else None

    with pytest.raises(ConfigError, match=r"maximum_bytes_billed: .*999999999 or higher required") as refused:
        put(warehouse, 2)

    assert "gradeonce grade --estimate" in refused.value.hint
    assert (refused.value.exit_code, refused.value.is_transient) == (78, False)
    edge.instead = lambda _: None
    assert markers(warehouse) == {1}


def test_a_count_whose_answer_was_lost_is_asked_for_again(warehouse: BigQueryWarehouse, edge: Edge) -> None:
    """The row was written by us, and we are told so, once; a job that is known to have failed is run again."""
    lost: list[str] = []

    def lose(sent: Sent, answer: Answer) -> Answer:
        if sent.job and "INSERT INTO `notes`" in sent.sql and not lost:
            lost.append(sent.body["jobReference"]["jobId"])
            return refusal(400, "invalidQuery", "The quux was frobnicated.")
        return answer

    edge.after = lose
    assert warehouse.keep(NOTES, [{"name": "a", "text": "ours"}], replace=False) == 1
    assert len(lost) == 1
    assert warehouse.keep(NOTES, [{"name": "a", "text": "theirs"}], replace=False) == 0

    aborted: list[str] = []

    def abort(sent: Sent) -> Answer | None:
        if sent.job and "INSERT INTO `notes`" in sent.sql and not aborted:
            aborted.append(sent.body["jobReference"]["jobId"])
            return refusal(400, "invalidQuery", "Transaction is aborted due to concurrent update against table t.")
        if aborted and sent.path.split("?")[0].endswith(f"/jobs/{aborted[0]}"):
            why = {"reason": "invalidQuery", "message": "Transaction is aborted"}
            job = {
                "jobReference": {"projectId": "demo", "jobId": aborted[0]},
                "configuration": {"query": {"query": ""}},
            }
            return 200, {**job, "status": {"state": "DONE", "errorResult": why, "errors": [why]}}
        return None

    edge.instead = abort
    assert warehouse.keep(NOTES, [{"name": "b", "text": "ours"}], replace=False) == 1
    names = [sent.body["jobReference"]["jobId"] for sent in edge.sent if "INSERT INTO `notes`" in sent.sql]
    assert (names.count(aborted[0]), len(set(names))) == (1, 4)
    assert warehouse.kept(NOTES).rows == [("a", "ours"), ("b", "ours")]


def test_every_job_is_sent_to_where_the_dataset_is(bigquery: BigQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made where the URL says, and found wherever it is; another place is told before anything is asked."""
    with Edge(bigquery) as edge:
        locations = Locations()
        locations.on(edge)
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", edge.url)
        maker = Connection("bigquery://demo/far_away?location=asia-northeast1")
        layout.make_bare(maker)
        try:
            assert locations.datasets == {"far_away": "asia-northeast1"}
            finder, wrong = Connection("bigquery://demo/far_away"), Connection("bigquery://demo/far_away?location=EU")
            for connection in (maker, finder):
                # Asked at once and in two steps, judged only, under a name, and looked up.
                assert connection.query("SELECT number FROM ledger_head", ours=False).rows == [(0,)]
                assert connection.execute("UPDATE ledger_head SET touched = 0 WHERE TRUE") == 1
                assert connection.execute_apart("UPDATE ledger_head SET touched = 0 WHERE TRUE", on_sent=str) == 1
                assert connection.estimate("SELECT number FROM ledger_head", ours=False) == 0
                name = f"once_{id(connection)}"
                assert connection.query_once("SELECT 1 AS one", {}, name=name).rows == [(1,)]
                assert connection.query_once("SELECT 1 AS one", {}, name=name).rows == [(1,)]
                assert not connection.has_failed(name)
                assert connection.location == "asia-northeast1"
            assert locations.refused == []
            jobs = len([sent for sent in edge.sent if sent.job])

            with pytest.raises(ConfigError, match=r"demo\.far_away is in asia-northeast1, .*location=EU") as refused:
                wrong.query("SELECT number FROM ledger_head", ours=False)
            assert (refused.value.state, "?location=asia-northeast1" in refused.value.hint) == (
                "Nothing was changed.",
                True,
            )
            with pytest.raises(ConfigError, match="asia-northeast1"):
                BigQueryWarehouse.create("bigquery://demo/far_away?location=EU")
            assert len([sent for sent in edge.sent if sent.job]) == jobs

            # A table of the user's that is elsewhere cannot be read beside ours, and that is said, too.
            here = Connection("bigquery://demo/near")
            here.make_dataset()
            assert here.location == "US"
            beside = BigQueryBeside(here, SystemClock())
            with pytest.raises(UsageError, match="is in asia-northeast1 and the book in US"):
                beside.columns("demo.far_away.ledger_head")
            asked = Asked(ACCURACY, "far_away.ledger", {})
            assert "is in asia-northeast1 and the book in US" in mapped.examine(here, asked).problems[-1]
        finally:
            for dataset in ("far_away", "near"):
                Connection(f"bigquery://demo/{dataset}").delete_dataset()


@pytest.mark.parametrize("question", ["loction=EU", "location=", "location=EU'", "location=EU&x=1"])
def test_a_url_that_asks_for_something_unknown_is_refused(question: str) -> None:
    """A slip of the pen must not put the book on another continent."""
    with pytest.raises(ConfigError, match="expected bigquery://PROJECT/DATASET"):
        Connection(f"bigquery://demo/book?{question}")


def test_a_commit_that_the_server_aborts_is_sent_again(bigquery: BigQuery, edge: Edge, url: str) -> None:
    """Two runs commit two days at the same moment, from the same end of the chain: one is aborted, and both publish.

    They are sent together. The first may be through before the second begins, which then finds the chain moved; so
    there are further pairs of days until the server has aborted one for its own reasons.
    """
    pairs = [(f"2026-01-{first}", f"2026-01-{first + 1}") for first in (17, 19, 21, 23, 25)]
    together = threading.Barrier(2, timeout=60)
    aborted: list[str] = []
    held: set[str] = set()

    def hold(sent: Sent) -> None:
        run = next((run for pair in pairs for run in pair if f"staging_{run.replace('-', '_')}" in sent.sql), "")
        if is_commit(sent) and run not in held:
            held.add(run)
            together.wait()

    def heard(sent: Sent, answer: Answer) -> Answer:
        if is_commit(sent) and answer[0] >= 400:
            aborted.append(str(answer[1]["error"]["message"]))
        return answer

    def is_aborted() -> bool:
        # Not by our own condition that the chain has not moved: that one was in the same transaction, and held.
        return any("gradeonce: the chain moved" not in said for said in aborted)

    edge.instead, edge.after = hold, heard
    books = [BigQueryWarehouse(url, threads=1) for _ in range(2)]
    try:
        for days in pairs:
            # Made before, or they would take turns over the table.
            books[0].fences(SHELVES, days)
            with ThreadPoolExecutor(2) as pool:
                runs = [
                    pool.submit(publish, book, SHELVES, shelf_query([day], 1), [day], run_id=day, clock=FakeClock())
                    for book, day in zip(books, days, strict=True)
                ]
                assert {run.result()[day].status for run, day in zip(runs, days, strict=True)} == {"published"}
            assert [fence.seq for fence in books[0].fences(SHELVES, days).values()] == [1, 1]
            if is_aborted():
                break
        assert is_aborted(), aborted
        assert ledger_findings(books[0]) == ()
    finally:
        for book in books:
            book.close()


@pytest.mark.usefixtures("all_bigquery")
def test_a_conflict_in_unknown_words_is_told_by_what_stands(
    warehouse: BigQueryWarehouse, edge: Edge, bigquery: BigQuery, url: str
) -> None:
    """The chain has moved: again. A successor's token stands: lost. It landed: published. Nothing moved: an error."""
    said = refusal(400, "invalidQuery", "The quux was frobnicated. Job ID: 7")
    before: Callable[[], object] | None = None
    refused = 0

    def refuse_once(sent: Sent) -> Answer | None:
        nonlocal before, refused
        if not is_commit(sent) or before is None:
            return None
        first, before = before, None
        first()
        refused += 1
        return said

    edge.instead = refuse_once
    put(warehouse, 1, token=1)

    with Edge(bigquery) as other, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", other.url)
        rival = BigQueryWarehouse(url, threads=1)
        rival.fences(SHELVES, [DAY])
    try:
        before = lambda: rival.append_entries([EntryDraft("publish", "neighbour", "", "", "published")])  # noqa: E731
        assert put(warehouse, 2, token=1) == "published"
        assert (refused, markers(warehouse)) == (1, {2})

        before = lambda: put(rival, 3, token=3)  # noqa: E731
        with pytest.raises(LeaseLost, match="has accepted token 3"):
            put(warehouse, 4, token=2)
        assert (refused, markers(warehouse)) == (2, {3})

        edge.after = lambda sent, answer: said if is_commit(sent) else answer
        assert put(warehouse, 5, token=3) == "published"
        assert markers(warehouse) == {5}

        edge.after = lambda _, answer: answer
        before = lambda: None  # noqa: E731
        with pytest.raises(WarehouseError, match="The quux was frobnicated"):
            put(warehouse, 6, token=3)
        assert (refused, markers(warehouse)) == (3, {5})
        assert ledger_findings(warehouse) == ()
    finally:
        rival.close()
