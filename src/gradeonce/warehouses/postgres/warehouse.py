"""The PostgreSQL warehouse: tables in one schema of a database, for several machines that grade together."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from gradeonce.chain import Entry
from gradeonce.errors import RefusedForSafety, UsageError
from gradeonce.model import EntryDraft, Fence, PartitionRange, Query
from gradeonce.schema import QUARANTINE, REVISIONS, ROW_TABLES, SmallTable, Table
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.base import Estimator, Leftover, OnStep, Params, Removal, Rows
from gradeonce.warehouses.definitions import definition
from gradeonce.warehouses.engine import open_engine
from gradeonce.warehouses.landing_terms import APPEND, Emptied, Landed, Terms
from gradeonce.warehouses.mapped import refuse_external
from gradeonce.warehouses.postgres import layout, mapped, small, state
from gradeonce.warehouses.postgres.beside import PostgresBeside
from gradeonce.warehouses.postgres.capabilities import CAPABILITIES
from gradeonce.warehouses.postgres.connection import JOIN_BY_HASH, Connections, Session
from gradeonce.warehouses.postgres.landing import fetch_table, land, offer, take_out
from gradeonce.warehouses.postgres.rows import partition_list, sql
from gradeonce.warehouses.postgres.stage import PostgresStage
from gradeonce.warehouses.postgres.verify import verify_table
from gradeonce.warehouses.refusals import refuse_other_columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BUILT_IN = {table.name for table in ROW_TABLES}


class PostgresWarehouse:
    """A book in PostgreSQL 15 to 18.

    Guarantee: a publish is one transaction that first advances the fence, so of two from the same base exactly one
    succeeds, and readers see whole versions only. A unique index over the key, in which nulls are equal, is the belt.
    Limit: whoever writes to the tables beside gradeonce is not fenced; `ledger verify --deep` finds what he changed.
    Nothing is kept in a session between calls: any pooler will do.
    """

    capabilities = CAPABILITIES
    stage_type: ClassVar[type[PostgresStage]] = PostgresStage

    def __init__(self, url: str, *, schema: str = "gradeonce", threads: int = 0) -> None:
        """Remember where the book is; the server is asked by the first call.

        Args:
            url: `postgresql://user:password@host:port/database`, with libpq's options.
            schema: Where the tables are.
            threads: Threads of the local engine that reads files; 0: one per core.

        Raises:
            ConfigError: If the driver is not installed.
        """
        self._connections = Connections(url, schema)
        self._threads = threads
        self._steady: Session | None = None

    @staticmethod
    def create(
        url: str,
        *,
        schema: str = "gradeonce",
        names: Mapping[str, str] | None = None,
        columns: Mapping[str, Mapping[str, str]] | None = None,
    ) -> bool:
        """Make or migrate the tables. Return whether anything had to be done.

        Args:
            names: Tables of the user's own that stand for ours, by our name.
            columns: The user's names of our columns, by our table and column.

        Raises:
            RefusedForSafety: If a newer gradeonce made them, or a table of the user's own cannot stand for ours.
        """
        connections = Connections(url, schema)
        try:
            return layout.migrate(connections, names or {}, columns or {})
        finally:
            connections.close()

    @staticmethod
    def missing(
        url: str,
        *,
        schema: str = "gradeonce",
        names: Mapping[str, str] | None = None,
        columns: Mapping[str, Mapping[str, str]] | None = None,
    ) -> list[str]:
        """Return what `create` would have to do, one line each; nothing is changed."""
        connections = Connections(url, schema)
        try:
            return layout.missing(connections, names or {}, columns or {})
        finally:
            connections.close()

    def close(self) -> None:
        """See `Warehouse.close`."""
        self._connections.close()

    @cached_property
    def _external(self) -> frozenset[str]:
        """The tables of the user's that something else fills: they have no fences, and nothing is loaded into them."""
        with self._reading() as session:
            return frozenset(name for name, kept in mapped.kept(session).items() if kept.is_external)

    @contextmanager
    def _reading(self, settings: Sequence[str] = ()) -> Iterator[Session]:
        if self._steady is not None:
            yield self._steady
            return
        with self._connections.transaction(reads_only=True, settings=settings) as session:
            yield session

    def _read(self, sql: str, params: Params) -> Rows:
        return self._steady.query(sql, params) if self._steady is not None else self._connections.read(sql, params)

    def fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        """See `Warehouse.fences`."""
        if not partitions:
            return {}
        found = self._fences(table, partitions)
        absent = sorted(partition for partition in set(partitions) if partition not in found)
        if absent:
            found = self._create_fences(table, partitions, absent)
        return {partition: found[partition] for partition in partitions}

    def _create_fences(self, table: Table, partitions: Sequence[str], absent: Sequence[str]) -> dict[str, Fence]:
        if table.name not in _BUILT_IN:
            with self._connections.transaction() as session:
                self._remember(session, table)
                session.commit()
        values = {**self._identity(table), "partitions": sorted(set(partitions)), "absent": list(absent)}
        statements = (state.sql(name) for name in ("remember_table", "create_fences", "fences_of"))
        return state.fences_of(table, self._connections.write("; ".join(statements), values))

    @staticmethod
    def _identity(table: Table) -> dict[str, str]:
        return {"table": table.name, "definition": definition(table)}

    def _fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        values = {"table": table.name, "partitions": sorted(set(partitions))}
        return state.fences_of(table, self._read(state.sql("fences_of"), values))

    def _remember(self, session: Session, table: Table) -> None:
        if session.execute(state.sql("remember_table"), self._identity(table)):
            # The row just inserted makes a second maker wait, so two of them cannot collide over the table's name.
            layout.make_table(session, table)
        refuse_other_columns(table, state.remembered(session, table))

    def all_fences(self, table: Table) -> list[Fence]:
        """See `Warehouse.all_fences`."""
        if table.name in self._external:
            return state.fences(self._read(mapped.external_fences_sql(table), {}))
        return state.fences(self._read(state.sql("fences"), {"table": table.name}))

    @contextmanager
    def stage(self, table: Table, query: Query, *, run_id: str) -> Iterator[PostgresStage]:
        """See `Warehouse.stage`."""
        with self._connections.transaction(settings=JOIN_BY_HASH) as session:
            inputs = ROW_TABLES if _BUILT_IN.issuperset(query.inputs) else self._tables(session)
            stage = self.stage_type(session, table, run_id, inputs)
            stage.fill(query, self._connections.schema)
            yield stage

    def _tables(self, session: Session) -> list[Table]:
        return list({table.name: table for table in (*state.tables(session), *ROW_TABLES)}.values())

    @contextmanager
    def reader(
        self, inputs: Mapping[str, tuple[str, ...] | None] | None = None, *, joins_whole: bool = False
    ) -> Iterator[PostgresReader]:
        """See `Warehouse.reader`. Everything is offered: what a query does not name costs nothing."""
        with self._reading(JOIN_BY_HASH if joins_whole else ()) as session:
            yield PostgresReader(session)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """See `Warehouse.steady`."""
        if self._steady is not None:
            raise UsageError("This is within a steady block already.")
        with self._connections.transaction(reads_only=True) as session:
            self._steady = session
            try:
                yield
            finally:
                self._steady = None

    @contextmanager
    def engine(self) -> Iterator[DuckDBPyConnection]:
        """See `Warehouse.engine`."""
        with open_engine(threads=self._threads) as engine:
            yield engine

    def bring(self, engine: DuckDBPyConnection, table: Table, partitions: Sequence[str]) -> None:
        """See `Warehouse.bring`."""
        with self._reading() as session:
            fetch_table(session, engine, table, tuple(partitions))

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
        found = self.find_load(content_id)
        if found is not None:
            return Landed(found, 0, 0, (), already=True)
        for table, _ in relations.values():
            refuse_external(table, self._external)
        with tempfile.TemporaryDirectory(prefix="gradeonce-") as folder:
            offers = {
                name: offer(engine, table, relation, Path(folder) / f"{name}.csv")
                for name, (table, relation) in relations.items()
            }
            for number, offered in enumerate(offers.values()):
                self.fences(offered.table, terms.of_relation(number).concerned(offered.partitions))
            with self._connections.transaction(settings=JOIN_BY_HASH) as session:
                return land(session, offers, entry, content_id=content_id, on_step=on_step, terms=terms)

    def empty(self, emptied: Emptied, *, on_step: OnStep) -> None:
        """See `Warehouse.empty`."""
        with self._connections.transaction() as session:
            session.let_go_when_idle()
            on_step("commit.begun")
            state.advance(session, emptied.moves(), version=emptied.entry.run_id)
            on_step("commit.fenced")
            take_out(session, emptied)
            on_step("commit.pointed")
            state.append(session, [emptied.draft()])
            on_step("commit.ledgered")
            session.commit()
        on_step("commit.done")

    def find_load(self, content_id: str) -> str | None:
        """See `Warehouse.find_load`."""
        rows = self._read(state.sql("find_load"), {"content_id": content_id}).rows
        return str(rows[0][0]) if rows else None

    def sharing(self, table: Table, column: str, other: Table, partitions: Sequence[str]) -> list[str]:
        """See `Warehouse.sharing`."""
        text = sql(
            "sharing",
            table=quote_identifier(table.name),
            partition=quote_identifier(table.partition),
            column=quote_identifier(column),
            other=quote_identifier(other.name),
            other_partition=quote_identifier(other.partition),
            partitions=partition_list(other, partitions),
        )
        return [partition for (partition,) in self._read(text, {}).rows]

    def keep(self, table: SmallTable, rows: Sequence[Params], *, replace: bool = True) -> int:
        """See `Warehouse.keep`."""
        with self._connections.transaction() as session:
            written = small.keep(session, self._connections.schema, table, rows, replace=replace)
            session.commit()
        return written

    def kept(self, table: SmallTable) -> Rows:
        """See `Warehouse.kept`."""
        with self._reading() as session:
            return small.kept(session, self._connections.schema, table)

    def drop_kept(self, table: SmallTable, keys: Sequence[Params]) -> int:
        """See `Warehouse.drop_kept`."""
        with self._connections.transaction() as session:
            dropped = small.drop_kept(session, self._connections.schema, table, keys)
            session.commit()
        return dropped

    def tables(self) -> list[Table]:
        """See `Warehouse.tables`."""
        with self._reading() as session:
            return state.tables(session)

    def beside(self) -> PostgresBeside:
        """See `Warehouse.beside`."""
        return PostgresBeside(self._connections)

    def estimator(self) -> Estimator:
        """See `Warehouse.estimator`."""
        raise UsageError("The book is in PostgreSQL: reading it is not billed, so there is nothing to estimate.")

    def cancel(self) -> None:
        """See `Warehouse.cancel`."""
        self._connections.cancel()

    def size_bytes(self, table: Table) -> int:
        """See `Warehouse.size_bytes`."""
        with self._reading() as session:
            found = session.query(state.sql("size_bytes"), {"name": quote_identifier(table.name)}).rows[0][0]
        return int(found or 0)

    def forget(self, table: Table) -> None:
        """See `Warehouse.forget`."""
        with self._connections.transaction() as session:
            name = quote_identifier(table.name)
            if session.query("SELECT to_regclass($name) IS NOT NULL", {"name": name}).rows[0][0]:
                session.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
                if session.query(f"SELECT EXISTS (SELECT 1 FROM {name})").rows[0][0]:
                    raise RefusedForSafety(f"{table.name} still holds rows.", hint="Empty it first.")
                session.execute(f"DROP TABLE {name}")
            session.execute(state.sql("forget_fences"), {"table": table.name})
            session.execute(state.sql("forget_table"), {"name": table.name})
            session.commit()

    def append_entries(self, entries: Sequence[EntryDraft]) -> list[Entry]:
        """See `Warehouse.append_entries`."""
        with self._connections.transaction() as session:
            appended = state.append(session, entries)
            session.commit()
        return appended

    def entries(self) -> Iterable[Entry]:
        """See `Warehouse.entries`."""
        with self._reading() as session:
            return state.entries(session)

    def verify_rows(
        self,
        entries: Sequence[Entry],
        standing: Mapping[tuple[str, str], EntryDraft],
        *,
        deep: bool,
        within: PartitionRange | None = None,
    ) -> list[str]:
        """See `Warehouse.verify_rows`."""
        with self._reading() as session:
            return [
                finding
                for table in self._tables(session)
                if table.name not in (REVISIONS.name, QUARANTINE.name, *self._external)
                for finding in verify_table(session, table, standing, deep=deep, within=within)
            ]

    def leftovers(self) -> list[Leftover]:
        """See `Warehouse.leftovers`. What a run stages here are temporary tables, which end with its session."""
        return []

    def collect(self, removal: Removal, *, apply: bool, on_step: OnStep) -> list[Leftover]:
        """See `Warehouse.collect`. What a run stages ends with its session; replaced rows are deleted at once."""
        return []


class PostgresReader:
    """Queries over the book's tables as of one instant, run by the server, in its own SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """See `Reader.query`."""
        return self._session.select_alone(sql, params)
