"""The BigQuery warehouse: tables in one dataset, for teams whose predictions are there already."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gradeonce.chain import Entry
from gradeonce.clock import Clock, SystemClock
from gradeonce.errors import PublishConflict, RefusedForSafety, UsageError
from gradeonce.model import EntryDraft, Fence, PartitionRange, Query
from gradeonce.schema import QUARANTINE, REVISIONS, ROW_TABLES, SMALL_TABLES, VIEWS, SmallTable, Table
from gradeonce.views import view_texts
from gradeonce.warehouses.base import Leftover, OnStep, Params, Removal, Rows
from gradeonce.warehouses.beside import BesideTables
from gradeonce.warehouses.bigquery import landing, layout, small, state
from gradeonce.warehouses.bigquery.beside import BigQueryBeside
from gradeonce.warehouses.bigquery.capabilities import CAPABILITIES
from gradeonce.warehouses.bigquery.connection import STAGING, Connection
from gradeonce.warehouses.bigquery.estimate import BigQueryEstimator, sharing_sql
from gradeonce.warehouses.bigquery.mapped import external_fences_sql, held, kept
from gradeonce.warehouses.bigquery.rows import everything, only_word, quoted, scoped
from gradeonce.warehouses.bigquery.spelling import spelled
from gradeonce.warehouses.bigquery.stage import BigQueryStage
from gradeonce.warehouses.bigquery.verify import verify_tables
from gradeonce.warehouses.engine import open_engine
from gradeonce.warehouses.landing_terms import APPEND, Emptied, Landed, Terms
from gradeonce.warehouses.mapped import asked_for, refuse_external

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LAND_ATTEMPTS = 20

_BUILT_IN = {table.name for table in ROW_TABLES}
_VIEWS = ("grading_runs", "loads")
_STATE = ("ledger", "publish_fences")


class BigQueryWarehouse:
    """A book in a BigQuery dataset.

    Guarantee: a publish is one multi-statement transaction that first changes the chain's head and the fence, so of two
    from the same base exactly one succeeds, and readers see whole versions only.
    Limit: BigQuery enforces no keys, and whoever writes to the tables beside gradeonce is not fenced; `ledger verify
    --deep` finds what he changed. Commits of one book take turns, whatever their dates.
    """

    capabilities = CAPABILITIES
    stage_type = BigQueryStage

    def __init__(
        self, url: str, *, clock: Clock | None = None, threads: int = 0, maximum_bytes_billed: int = 0
    ) -> None:
        """Remember where the book is; BigQuery is asked by the first call.

        Args:
            url: `bigquery://project/dataset`, with `?location=` for where it must be (see `Place`).
            clock: Time for back-off; None takes the machine's. Instants in the book are the server's.
            threads: Threads of the local engine that reads files; 0: one per core.
            maximum_bytes_billed: A query that would read more is refused; 0: no limit.

        Raises:
            ConfigError: If the driver is not installed.
        """
        self._connection = Connection(url, maximum_bytes_billed=maximum_bytes_billed)
        self._clock, self._threads = clock or SystemClock(), threads
        self._steady: tuple[str, list[Table]] | None = None

    @staticmethod
    def create(
        url: str,
        *,
        names: Mapping[str, str] | None = None,
        columns: Mapping[str, Mapping[str, str]] | None = None,
    ) -> bool:
        """Make or migrate the tables. Return whether anything had to be done.

        Args:
            url: See the class.
            names: Tables of the user's own that stand for ours, by our name.
            columns: The user's names of our columns, by our table and column.

        Raises:
            RefusedForSafety: If a newer gradeonce made them, or a table of the user's own cannot stand for ours.
        """
        connection = Connection(url)
        try:
            return layout.migrate(connection, asked_for(names or {}, columns or {}))
        finally:
            connection.close()

    @staticmethod
    def missing(
        url: str,
        *,
        names: Mapping[str, str] | None = None,
        columns: Mapping[str, Mapping[str, str]] | None = None,
    ) -> list[str]:
        """Return what `create` would have to do, one line each; nothing is changed."""
        connection = Connection(url)
        try:
            return layout.missing(connection, asked_for(names or {}, columns or {}))
        finally:
            connection.close()

    def close(self) -> None:
        """See `Warehouse.close`."""
        self._connection.close()

    def fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        """See `Warehouse.fences`."""
        is_known, found = state.known_fences(self._connection, table)
        absent = sorted({partition for partition in partitions if partition not in found})
        if absent:
            making = [] if is_known or table.name in _BUILT_IN else [layout.table_text(table)]
            found = state.create_fences(self._connection, self._clock, table, absent, before=making)
        return {partition: found[partition] for partition in partitions}

    def all_fences(self, table: Table) -> list[Fence]:
        """See `Warehouse.all_fences`."""
        if table.name in self._external:
            place = held(self._connection, table)
            text = external_fences_sql(place, moment=self._moment)
            return [Fence(*row) for row in self._connection.query(text, ours=False).rows]
        return list(state.fences(self._connection, table.name, moment=self._moment).values())

    @contextmanager
    def stage(self, table: Table, query: Query, *, run_id: str) -> Iterator[BigQueryStage]:
        """See `Warehouse.stage`."""
        inputs = self._inputs(query)
        stage = self.stage_type(self._connection, self._clock, table, run_id, inputs, os.urandom(4).hex())
        try:
            stage.fill(query)
            yield stage
        finally:
            self._drop(stage.made)

    @contextmanager
    def reader(
        self, inputs: Mapping[str, tuple[str, ...] | None] | None = None, *, joins_whole: bool = False
    ) -> Iterator[BigQueryReader]:
        """See `Warehouse.reader`. Everything in it is as of one instant, by time travel."""
        as_of, tables = self._steady or state.now_and_tables(self._connection)
        yield BigQueryReader(self._connection, self._relations(as_of, tables, inputs))

    @contextmanager
    def steady(self) -> Iterator[None]:
        """See `Warehouse.steady`."""
        if self._steady is not None:
            raise UsageError("This is within a steady block already.")
        self._steady = state.now_and_tables(self._connection)
        try:
            yield
        finally:
            self._steady = None

    @property
    def _moment(self) -> str:
        """The clause that says as of when tables are read within a steady block; empty outside: now."""
        return state.as_of(self._steady[0]) if self._steady else ""

    @contextmanager
    def engine(self) -> Iterator[DuckDBPyConnection]:
        """See `Warehouse.engine`."""
        with open_engine(threads=self._threads) as engine:
            yield engine

    def bring(self, engine: DuckDBPyConnection, table: Table, partitions: Sequence[str]) -> None:
        """See `Warehouse.bring`."""
        landing.fetch_table(self._connection, engine, table, partitions)

    def land(
        self,
        engine: DuckDBPyConnection,
        relations: Mapping[str, tuple[Table, str]],
        entry: EntryDraft,
        *,
        content_id: str,
        on_step: OnStep,
        terms: Terms = APPEND,
    ) -> Landed:
        """See `Warehouse.land`."""
        for table, _ in relations.values():
            if table.name in _BUILT_IN:
                refuse_external(table, self._external)
        made: list[str] = []
        try:
            offers = {}
            for number, (name, (table, relation)) in enumerate(relations.items()):
                sent = f"{STAGING}{only_word(entry.run_id)}_{os.urandom(4).hex()}_{name}"
                made.append(sent)
                offers[name] = landing.send(self._connection, engine, table, relation, sent)
                self.fences(table, terms.of_relation(number).concerned(offers[name].partitions))
            on_step("land.sent")
            for attempt in range(1, LAND_ATTEMPTS + 1):
                found = self.find_load(content_id)
                if found is not None:
                    return Landed(found, 0, 0, (), already=True)
                try:
                    return landing.land(
                        self._connection,
                        self._clock,
                        offers,
                        entry,
                        content_id=content_id,
                        unique=str(attempt),
                        made=made,
                        on_step=on_step,
                        terms=terms,
                    )
                except PublishConflict:
                    # Somebody landed rows in one of our partitions: what is new must be judged again from there.
                    if attempt == LAND_ATTEMPTS or terms.emptied is not None:
                        raise
            raise AssertionError("unreachable")
        finally:
            self._drop(made)

    def empty(self, emptied: Emptied, *, on_step: OnStep) -> None:
        """See `Warehouse.empty`."""
        state.before_commit(on_step)
        texts = landing.taking_out(self._connection, emptied)
        commit = state.Commit(emptied.entry.run_id, emptied.moves(), [emptied.draft()], texts)
        commit.run(self._connection, self._clock)
        on_step("commit.done")

    def find_load(self, content_id: str) -> str | None:
        """See `Warehouse.find_load`."""
        rows = self._connection.query(state.sql("find_load"), {"content_id": content_id}, ours=False).rows
        return str(rows[0][0]) if rows else None

    def sharing(self, table: Table, column: str, other: Table, partitions: Sequence[str]) -> list[str]:
        """See `Warehouse.sharing`."""
        text = sharing_sql(self._connection, table, column, other, partitions, moment=self._moment)
        return [partition for (partition,) in self._connection.query(text, ours=False).rows]

    def keep(self, table: SmallTable, rows: Sequence[Params], *, replace: bool = True) -> int:
        """See `Warehouse.keep`."""
        return small.keep(self._connection, self._clock, table, rows, replace=replace)

    def kept(self, table: SmallTable) -> Rows:
        """See `Warehouse.kept`."""
        return small.kept(self._connection, table, moment=self._moment)

    def drop_kept(self, table: SmallTable, keys: Sequence[Params]) -> int:
        """See `Warehouse.drop_kept`."""
        return small.drop_kept(self._connection, self._clock, table, keys)

    def tables(self) -> list[Table]:
        """See `Warehouse.tables`."""
        return self._steady[1] if self._steady else state.tables(self._connection)

    def beside(self) -> BesideTables:
        """See `Warehouse.beside`."""
        return BigQueryBeside(self._connection, self._clock)

    def estimator(self) -> BigQueryEstimator:
        """See `Warehouse.estimator`."""
        return BigQueryEstimator(self._connection, self._inputs)

    def cancel(self) -> None:
        """See `Warehouse.cancel`."""
        raise UsageError("The book is in BigQuery: it is written by one thread at a time.")

    def size_bytes(self, table: Table) -> int:
        """See `Warehouse.size_bytes`."""
        found = self._connection.table(held(self._connection, table).name.replace("`", ""))
        return int(found.num_bytes or 0) if found else 0

    def forget(self, table: Table) -> None:
        """See `Warehouse.forget`."""
        if table.name in self._connection.tables():
            rows = f"SELECT COUNT(*) AS n FROM {quoted(table.name)} WHERE {everything(table)}"
            if self._connection.query(rows, ours=False).rows[0][0]:
                raise RefusedForSafety(f"{table.name} still holds rows.", hint="Empty it first.")
            self._connection.execute(f"DROP TABLE {quoted(table.name)}")
        texts = [state.sql("forget_fences"), state.sql("forget_table")]
        state.counted_in_turn(self._connection, self._clock, texts, {"table": table.name})

    def append_entries(self, entries: Sequence[EntryDraft]) -> list[Entry]:
        """See `Warehouse.append_entries`."""
        if not entries:
            return []
        return state.Commit(entries[0].run_id, [], entries).run(self._connection, self._clock)

    def entries(self) -> Iterable[Entry]:
        """See `Warehouse.entries`."""
        return state.entries(self._connection, moment=self._moment)

    def verify_rows(
        self,
        entries: Sequence[Entry],
        standing: Mapping[tuple[str, str], EntryDraft],
        *,
        deep: bool,
        within: PartitionRange | None = None,
    ) -> list[str]:
        """See `Warehouse.verify_rows`."""
        passed = {REVISIONS.name, QUARANTINE.name, *self._external}
        tables = [table for table in self._tables().values() if table.name not in passed]
        return verify_tables(self._connection, tables, standing, deep=deep, within=within, moment=self._moment)

    def leftovers(self) -> list[Leftover]:
        """See `Warehouse.leftovers`. They go by themselves after a day."""
        return [
            Leftover(name, "staging table", size, made_at)
            for name in sorted(self._connection.tables())
            if name.startswith(STAGING)
            for size, made_at in self._connection.size_and_age(name)
        ]

    def collect(self, removal: Removal, *, apply: bool, on_step: OnStep) -> list[Leftover]:
        """See `Warehouse.collect`. Staging tables go by themselves after a day; replaced rows are deleted at once."""
        return []

    @property
    def _external(self) -> frozenset[str]:
        """The tables of the user's that something else fills: they have no fences, and nothing is loaded into them."""
        return frozenset(name for name, place in kept(self._connection).items() if place.is_external)

    def _inputs(self, query: Query) -> dict[str, Table]:
        """Return the tables that a query may read, by name."""
        return self._tables() if set(query.inputs) - _BUILT_IN else _by_name(())

    def _tables(self) -> dict[str, Table]:
        return _by_name(self.tables())

    def _relations(
        self, as_of: str, tables: Sequence[Table], inputs: Mapping[str, tuple[str, ...] | None] | None
    ) -> dict[str, str]:
        """Return, by name, the SELECT of every table as of an instant."""
        place = self._connection.place
        moment = state.as_of(as_of)

        def rows_of(name: str) -> str:
            return f"{quoted(place.project)}.{quoted(place.dataset)}.{quoted(name)} {moment}"

        relations = {}
        for name, table in _by_name(tables).items():
            wanted = (inputs or {}).get(name)
            relations[name] = held(self._connection, table).rows(wanted, moment=moment)
        relations |= {name: layout.view_text(name, rows_of("ledger")) for name in _VIEWS}
        relations |= {name: f"SELECT * FROM {rows_of(name)}" for name in _STATE}
        relations |= {table.name: f"SELECT * FROM {rows_of(table.name)}" for table in SMALL_TABLES}
        # Behind the tables that they are made of.
        return relations | {name: spelled(text) for name, text in view_texts().items()}

    def _drop(self, names: Sequence[str]) -> None:
        place = self._connection.place
        for name in names:
            self._connection.client.delete_table(f"{place.project}.{place.dataset}.{name}", not_found_ok=True)


def _by_name(tables: Sequence[Table]) -> dict[str, Table]:
    """Return tables that were written, and ours whether they were or not."""
    return {table.name: table for table in (*tables, *ROW_TABLES)}


class BigQueryReader:
    """Queries over the book's tables as of one instant, run by the server, in its own SQL or in ours."""

    def __init__(self, connection: Connection, relations: Mapping[str, str]) -> None:
        self._connection, self._relations = connection, relations

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """See `Reader.query`."""
        text = spelled(sql, params)
        words = _words(text)
        words |= {word for name in VIEWS if name in words for word in _words(self._relations[name])}
        needed = {name: select for name, select in self._relations.items() if name in words}
        return self._connection.query_of_a_caller(scoped(text, needed), params)


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\w+", text)}
