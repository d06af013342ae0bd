"""The embedded warehouse: the book, a folder with a SQLite catalog and immutable Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.chain import Entry
from gradeonce.clock import Clock, SystemClock
from gradeonce.errors import ConfigError, PublishConflict, RefusedForSafety, UsageError
from gradeonce.model import EntryDraft, Fence, PartitionRange, Query
from gradeonce.schema import ROW_TABLES, SmallTable, Table
from gradeonce.warehouses.base import Capabilities, Estimator, Leftover, OnStep, Params, Removal, Rows
from gradeonce.warehouses.beside import BesideTables
from gradeonce.warehouses.embedded import collecting
from gradeonce.warehouses.embedded.catalog import CATALOG_FILE, Catalog, LiveSegment
from gradeonce.warehouses.embedded.files import STAGING_FOLDER, leftover_files, require_free_space, require_local_disk
from gradeonce.warehouses.embedded.landing import land
from gradeonce.warehouses.embedded.small import define_small_tables
from gradeonce.warehouses.embedded.snapshot import EngineReader, define_small_state, define_views
from gradeonce.warehouses.embedded.stage import EmbeddedStage
from gradeonce.warehouses.embedded.verify import verify_files, verify_tables
from gradeonce.warehouses.engine import open_engine
from gradeonce.warehouses.landing_terms import APPEND, Emptied, Landed, Terms

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LAND_ATTEMPTS = 20


@dataclass(frozen=True)
class _Seen:
    """What the catalog says at one instant; `last_at` is when the last entry of the ledger was written."""

    tables: Sequence[Table]
    segments: Mapping[str, list[LiveSegment]]
    state: Mapping[str, tuple[tuple[str, ...], str]]
    small_tables: Sequence[tuple[SmallTable, str]]
    last_at: str


class EmbeddedWarehouse:
    """The book in one folder.

    Guarantee: a publish is a pointer that moves inside one SQLite transaction under the fence, so readers see whole
    versions only and never wait, and of two publishes from the same base exactly one succeeds.
    Limit: one machine, a local disk.
    """

    capabilities = Capabilities(local_engine=True, shares_tables=False, threads=False)

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        threads: int = 0,
        minimum_free_megabytes: int = 0,
        allow_network_filesystem: bool = False,
        names: Mapping[str, str] | None = None,
        columns: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Open a book that exists.

        Args:
            folder: The book.
            clock: Time; None takes the machine's.
            threads: Threads of the engine; 0: one per core.
            minimum_free_megabytes: Refuse to stage when less disk than this is free.
            allow_network_filesystem: Open it even where file locks are not to be trusted.
            names: The user's names for our tables, offered beside ours.
            columns: The user's names for our columns, by our table and column, in those tables.
        """
        self._folder, self._clock, self._threads = folder, clock or SystemClock(), threads
        self._minimum_free_megabytes = minimum_free_megabytes
        self._names, self._columns = dict(names or {}), dict(columns or {})
        if not allow_network_filesystem:
            require_local_disk(folder)
        self._catalog = Catalog(folder, clock=self._clock)

    @staticmethod
    def create(folder: Path, *, allow_network_filesystem: bool = False) -> bool:
        """Create the book if there is none. Return whether it was created now.

        Raises:
            RefusedForSafety: If the folder lies on a network file system, or holds something else.
            ConfigError: If there can be no such folder: a file is in the way, or the rights are missing.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{folder}: no folder can be made there ({error.strerror}).", hint="Name another folder for the book."
            ) from error
        if not allow_network_filesystem:
            require_local_disk(folder)
        # Looked at in this order: once the catalog is there, whoever made it may put more beside it.
        strangers = any(not path.name.startswith(CATALOG_FILE) for path in folder.iterdir())
        if strangers and not (folder / CATALOG_FILE).exists():
            raise RefusedForSafety(
                f"{folder} is not empty and holds no book.", hint="Name another folder with --book, or empty this one."
            )
        return Catalog.create(folder)

    def close(self) -> None:
        """See `Warehouse.close`."""
        self._catalog.close()

    def fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        """See `Warehouse.fences`."""
        return self._catalog.fences(table, partitions)

    def all_fences(self, table: Table) -> list[Fence]:
        """See `Warehouse.all_fences`."""
        return self._catalog.all_fences(table)

    @contextmanager
    def stage(self, table: Table, query: Query, *, run_id: str) -> Iterator[EmbeddedStage]:
        """See `Warehouse.stage`."""
        require_free_space(self._folder, self._minimum_free_megabytes)
        seen = self._look(query.inputs)
        with self._over(seen, query.inputs) as engine:
            stage = EmbeddedStage(engine, self._catalog, self._folder, table, run_id, self._clock, seen.last_at)
            try:
                stage.fill(query)
                yield stage
            finally:
                for path in stage.paths:
                    path.unlink(missing_ok=True)

    @contextmanager
    def reader(
        self, inputs: Mapping[str, tuple[str, ...] | None] | None = None, *, joins_whole: bool = False
    ) -> Iterator[EngineReader]:
        """See `Warehouse.reader`."""
        with self._open(inputs, small_state=inputs is None) as engine:
            yield EngineReader(engine)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """See `Warehouse.steady`."""
        with self._catalog.steady():
            yield

    @contextmanager
    def engine(self) -> Iterator[DuckDBPyConnection]:
        """See `Warehouse.engine`."""
        with self._open(None) as engine:
            yield engine

    def bring(self, engine: DuckDBPyConnection, table: Table, partitions: Sequence[str]) -> None:
        """See `Warehouse.bring`. Every table is in view from the start: a file that is not read costs nothing."""

    @contextmanager
    def _open(
        self, inputs: Mapping[str, tuple[str, ...] | None] | None, *, small_state: bool = False
    ) -> Iterator[DuckDBPyConnection]:
        with self._over(self._look(inputs, small_state=small_state), inputs) as engine:
            yield engine

    def _look(self, inputs: Mapping[str, tuple[str, ...] | None] | None, *, small_state: bool = False) -> _Seen:
        with self._catalog.steady():
            known = {table.name: table for table in (*ROW_TABLES, *self._catalog.tables())}
            tables = list(known.values()) if inputs is None else [known[name] for name in inputs if name in known]
            return _Seen(
                tables,
                self._catalog.live_segments([table.name for table in tables]),
                self._catalog.small_state() if small_state else {},
                self._catalog.small_tables() if small_state else [],
                self._catalog.last_at(),
            )

    @contextmanager
    def _over(self, seen: _Seen, inputs: Mapping[str, tuple[str, ...] | None] | None) -> Iterator[DuckDBPyConnection]:
        with open_engine(threads=self._threads, scratch=self._folder / STAGING_FOLDER) as engine:
            define_views(
                engine,
                seen.tables,
                seen.segments,
                self._folder,
                partitions=inputs or {},
                names=self._names,
                columns=self._columns,
            )
            define_small_state(engine, seen.state)
            define_small_tables(engine, seen.small_tables)
            yield engine

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
        require_free_space(self._folder, self._minimum_free_megabytes)
        for attempt in range(LAND_ATTEMPTS):
            found = self._catalog.find_load(content_id)
            if found is not None:
                return Landed(found, 0, 0, (), already=True)
            if terms.emptied is not None:
                # Outside the try: what somebody else has emptied cannot be had by trying again.
                terms.emptied.refuse_moved(self._catalog.fences(terms.emptied.table, terms.emptied.partitions))
            try:
                return land(
                    engine,
                    self._catalog,
                    self._folder,
                    relations,
                    entry,
                    content_id=content_id,
                    on_step=on_step,
                    terms=terms,
                )
            except PublishConflict:
                # Somebody landed rows in one of our partitions: what is new must be judged again from there.
                if attempt == LAND_ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def empty(self, emptied: Emptied, *, on_step: OnStep) -> None:
        """See `Warehouse.empty`."""
        self._catalog.commit(emptied.moves(), [], [emptied.draft()], version=emptied.entry.run_id, on_step=on_step)

    def find_load(self, content_id: str) -> str | None:
        """See `Warehouse.find_load`."""
        return self._catalog.find_load(content_id)

    def sharing(self, table: Table, column: str, other: Table, partitions: Sequence[str]) -> list[str]:
        """See `Warehouse.sharing`."""
        return self._catalog.sharing(table, column, other, partitions)

    def keep(self, table: SmallTable, rows: Sequence[Params], *, replace: bool = True) -> int:
        """See `Warehouse.keep`."""
        return self._catalog.keep(table, rows, replace=replace)

    def kept(self, table: SmallTable) -> Rows:
        """See `Warehouse.kept`."""
        return self._catalog.kept(table)

    def drop_kept(self, table: SmallTable, keys: Sequence[Params]) -> int:
        """See `Warehouse.drop_kept`."""
        return self._catalog.drop_kept(table, keys)

    def tables(self) -> list[Table]:
        """See `Warehouse.tables`."""
        return self._catalog.tables()

    def beside(self) -> BesideTables:
        """See `Warehouse.beside`. A folder holds the book and nothing else."""
        raise UsageError("In a folder there are no tables but the book's.", hint="`gradeonce sql` lists those.")

    def estimator(self) -> Estimator:
        """See `Warehouse.estimator`."""
        raise UsageError("The book is in a folder: reading it costs nothing, so there is nothing to estimate.")

    def cancel(self) -> None:
        """See `Warehouse.cancel`."""
        raise UsageError("The book is in a folder: it is written by one thread at a time.")

    def size_bytes(self, table: Table) -> int:
        """See `Warehouse.size_bytes`. A file that holds other partitions too counts whole."""
        return self._catalog.size_bytes(table.name)

    def forget(self, table: Table) -> None:
        """See `Warehouse.forget`. The files of its old versions go when superseded files are collected."""
        self._catalog.forget(table.name)

    def append_entries(self, entries: Sequence[EntryDraft]) -> list[Entry]:
        """See `Warehouse.append_entries`."""
        return self._catalog.append(entries)

    def entries(self) -> Iterable[Entry]:
        """See `Warehouse.entries`."""
        return self._catalog.entries()

    def verify_rows(
        self,
        entries: Sequence[Entry],
        standing: Mapping[tuple[str, str], EntryDraft],
        *,
        deep: bool,
        within: PartitionRange | None = None,
    ) -> list[str]:
        """See `Warehouse.verify_rows`."""
        findings, are_whole = verify_files(self._catalog, self._folder, entries, within=within)
        if not (deep and are_whole):
            return findings + verify_tables(None, self._catalog, entries, standing, within=within)
        with self._open(None) as engine:
            return findings + verify_tables(engine, self._catalog, entries, standing, within=within)

    def leftovers(self) -> list[Leftover]:
        """See `Warehouse.leftovers`: files in the staging folder, and files of rows that no version points at."""
        return leftover_files(self._folder, self._catalog.file_paths())

    def collect(self, removal: Removal, *, apply: bool, on_step: OnStep) -> list[Leftover]:
        """See `Warehouse.collect`: leftover files, and files of which every partition was replaced."""
        if removal.unless_since is not None and self._was_collected(removal.unless_since):
            return []
        if not apply:
            return collecting.find(self._catalog, self._folder, removal)
        return collecting.collect(self._catalog, self._folder, removal, on_step=on_step)

    def _was_collected(self, since: datetime) -> bool:
        done = self._catalog.collected_at()
        # In the future: the clock was wrong then, or is now.
        return bool(done) and since <= datetime.fromisoformat(done) <= self._clock.now()
