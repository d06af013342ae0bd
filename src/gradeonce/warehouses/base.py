"""What every warehouse can do. The kernel and the operations know these protocols and never a backend by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from gradeonce.model import Copies, EntryDraft, Fence, Move, PartitionFacts, PartitionRange, Query
from gradeonce.schema import SmallTable, Table
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.landing_terms import APPEND, Emptied, Landed, Terms

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from gradeonce.chain import Entry
    from gradeonce.warehouses.beside import BesideTables

Params = Mapping[str, Any]
"""Values bound by name (`$name` in the text). Any: whatever the driver can bind (str, int, Decimal, date, list)."""

OnStep = Callable[[str], None]
"""Called with the name of each step as it is reached; tests stop the process there."""


@dataclass(frozen=True)
class Rows:
    """The answer to a query: column names and rows, in order.

    A row is a tuple of Any because its types are the query's own.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries, for JSON."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Reader(Protocol):
    """A consistent, read-only view of the book: every table under its own name, as of one instant."""

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """Run one SELECT; errors of the driver arrive as WarehouseError."""
        ...


@dataclass(frozen=True)
class Capabilities:
    """What a warehouse can do; the core asks this record, never a name.

    Attributes:
        local_engine: Whether rows are staged by the engine in this process.
        shares_tables: Whether others may put rows into its tables beside gradeonce.
        threads: Whether several threads may publish through it at once, which `cancel` can stop.
    """

    local_engine: bool
    shares_tables: bool
    threads: bool


@dataclass(frozen=True)
class Revised:
    """How many rows of a partition a publish adds, removes and changes, against what stood."""

    added: int
    removed: int
    changed: int

    @property
    def total(self) -> int:
        """All of them together."""
        return self.added + self.removed + self.changed


@dataclass(frozen=True)
class StagedRows:
    """Rows staged beside those of the run.

    Attributes:
        relation: Under what name they can be queried.
        facts: Rows and content hash of each partition that has any.
    """

    relation: str
    facts: list[PartitionFacts]


def staged_relation(table: Table) -> str:
    """Return the quoted name under which rows that follow from the staged ones are in view."""
    return quote_identifier(f"staged_{table.name}")


class Stage(Protocol):
    """Rows that were made and that nobody reads yet. Leaving the context throws away what was not committed.

    Attributes:
        compares_texts: Whether its queries can tell how alike two texts are (`jaro_winkler_similarity`).
    """

    compares_texts: bool

    def facts(self) -> list[PartitionFacts]:
        """Return rows and content hash of each staged partition that has any."""
        ...

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """Query the staged rows (relation `staged`) beside the inputs."""
        ...

    def key_json(self) -> str:
        """Return the SQL of a staged row's key as JSON text."""
        ...

    def derive(self, table: Table, sql: str) -> StagedRows:
        """Stage rows of another table that follow from the staged ones (relation `staged`), to be committed with them.

        Args:
            table: Theirs, without stamps, partitioned by the same values.
            sql: SELECT of all its columns.
        """
        ...

    def facts_of(self, table: Table, relation: str) -> list[PartitionFacts]:
        """Return rows and content hash, by the table's definition, of each partition of any relation in view."""
        ...

    def compare(
        self, partitions: Sequence[str], *, reason_sql: str, copies: Copies = Copies.NONE
    ) -> dict[str, Revised]:
        """Hold staged rows against what stands, and write the revisions that follow (`revisions`).

        Args:
            partitions: Partitions that have a base and differ from it.
            reason_sql: SQL expression over the relations `old` and `new` that says why a row changed.
            copies: `none` pairs rows by key, and rows that did not change will keep their stamps; otherwise whole rows
                are held against each other, stamps and all, and `reason_sql` says why a row went or came.
        """
        ...

    def commit(
        self, moves: Sequence[Move], entries: Sequence[EntryDraft], *, copies: Copies = Copies.NONE, on_step: OnStep
    ) -> list[Entry]:
        """Publish in one transaction: fences, rows, what stands verified, revisions, ledger.

        Args:
            moves: Of the run's table and of the tables that were derived.
            entries: For the ledger, in order.
            copies: Whether several rows of a key may stand afterwards: a warehouse that would refuse them lets them in,
                and refuses them again once it holds none.
            on_step: Called as each step is reached.

        Raises:
            LeaseLost: If a fence has seen a higher token. Nothing changed.
            PublishConflict: If a partition is no longer at its base. Nothing changed.
        """
        ...


@dataclass(frozen=True)
class Leftover:
    """Something that was staged and that no reader sees.

    Attributes:
        name: What it is called where it lies.
        kind: What it is, in words.
        bytes: Its size.
        made_at: When it was last written, UTC.
    """

    name: str
    kind: str
    bytes: int
    made_at: datetime


@dataclass(frozen=True)
class Removal:
    """What may go of what no reader sees, and who removes it.

    Attributes:
        unfinished_before: What was staged and not published goes if it was last written before this instant.
        replaced_before: The rows of a version go if all that shares a file with them was replaced before this instant.
        run_id: Identity of the run, in the ledger, which has an entry if the rows of old versions went.
        holder: Who does it, for the ledger.
        unless_since: Do nothing if it was done since this instant; None: do it in any case.
    """

    unfinished_before: datetime
    replaced_before: datetime
    run_id: str
    holder: str
    unless_since: datetime | None = None


class Estimator(Protocol):
    """Says what a warehouse that is paid by the byte would read, and reads nothing."""

    def staging(self, query: Query) -> int:
        """Return the bytes that staging the query would read."""
        ...

    def sharing(self, table: Table, column: str, other: Table, partitions: Sequence[str]) -> int:
        """Return the bytes that `Warehouse.sharing` would read."""
        ...


class Warehouse(Protocol):
    """A place for tables whose partitions are replaced whole."""

    capabilities: Capabilities

    def fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        """Return the fences, creating the missing ones in a transaction of their own."""
        ...

    def all_fences(self, table: Table) -> list[Fence]:
        """Return the fences of every partition of the table that has any, in order."""
        ...

    def stage(self, table: Table, query: Query, *, run_id: str) -> AbstractContextManager[Stage]:
        """Run the query into a place nobody reads."""
        ...

    def reader(
        self, inputs: Mapping[str, tuple[str, ...] | None] | None = None, *, joins_whole: bool = False
    ) -> AbstractContextManager[Reader]:
        """Open a consistent view.

        Args:
            inputs: Limits it to tables and partitions; None offers everything.
            joins_whole: Whether whole tables are held against each other in it. Then a server must not choose the way
                by what it takes their sizes to be: it may know nothing of rows that came a moment ago.
        """
        ...

    def steady(self) -> AbstractContextManager[None]:
        """Let everything that is read inside the block be as of one instant. Nothing can be written there."""
        ...

    def engine(self) -> AbstractContextManager[DuckDBPyConnection]:
        """Open a local engine for reading files. Tables of the book are in view once they were brought."""
        ...

    def bring(self, engine: DuckDBPyConnection, table: Table, partitions: Sequence[str]) -> None:
        """Put at least these partitions of a table in view of the engine, under the table's own name."""
        ...

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
        """Append relations of the engine to their tables, all or nothing, once per content_id.

        Raises:
            LeaseLost: If a fence has accepted a higher token than ours. Nothing landed.
            PublishConflict: If a partition that was to be emptied is no longer as it was seen. Nothing landed.
        """
        ...

    def empty(self, emptied: Emptied, *, on_step: OnStep) -> None:
        """Take all rows out of partitions, all or nothing, and say so in the ledger.

        Raises:
            PublishConflict: If a partition is no longer as it was seen. Nothing changed.
        """
        ...

    def find_load(self, content_id: str) -> str | None:
        """Return the load_id of content that was loaded before."""
        ...

    def sharing(self, table: Table, column: str, other: Table, partitions: Sequence[str]) -> list[str]:
        """Return the partitions of `table` that hold a value of the indexed column which `other` holds in those."""
        ...

    def keep(self, table: SmallTable, rows: Sequence[Params], *, replace: bool = True) -> int:
        """Write rows of a small table in one transaction; the table is made when it is missing.

        Args:
            table: Which one.
            rows: Each with a value for every column of the key; other columns left out are null.
            replace: Whether a row whose key stands already is replaced; False leaves it as it is.

        Returns:
            How many rows were written; of two processes that keep the same new key at once without `replace`, exactly
            one is told 1.
        """
        ...

    def kept(self, table: SmallTable) -> Rows:
        """Return all rows of a small table in the order of its key; none while nobody wrote any."""
        ...

    def drop_kept(self, table: SmallTable, keys: Sequence[Params]) -> int:
        """Remove the rows with these keys; return how many there were."""
        ...

    def tables(self) -> list[Table]:
        """Return the definition of every table of rows that was ever written."""
        ...

    def beside(self) -> BesideTables:
        """Return access to tables in the same place that are not the book's.

        Raises:
            UsageError: If there can be none.
        """
        ...

    def estimator(self) -> Estimator:
        """Return what says what reading would cost.

        Raises:
            UsageError: If it costs nothing here.
        """
        ...

    def size_bytes(self, table: Table) -> int:
        """Return how many bytes the rows that stand in a table take up; 0 where there is no such table."""
        ...

    def forget(self, table: Table) -> None:
        """Drop a table that holds no rows; its history stays in the ledger.

        Raises:
            RefusedForSafety: If it holds rows.
        """
        ...

    def append_entries(self, entries: Sequence[EntryDraft]) -> list[Entry]:
        """Append to the ledger something that moved no rows (a failed run, a broken lease)."""
        ...

    def entries(self) -> Iterable[Entry]:
        """Return the whole ledger, oldest first."""
        ...

    def verify_rows(
        self,
        entries: Sequence[Entry],
        standing: Mapping[tuple[str, str], EntryDraft],
        *,
        deep: bool,
        within: PartitionRange | None = None,
    ) -> list[str]:
        """Compare what readers see with what the ledger says; return what differs, one line each.

        Args:
            entries: The whole ledger.
            standing: Per table and partition, the last entry that says what stands there.
            deep: Hash every row again.
            within: Look only at these partitions, and at the files that hold them; None: at all.
        """
        ...

    def cancel(self) -> None:
        """Have given up what other threads are doing here: Stopped is raised in them, and nothing of it stands.

        What stands between two statements does not hear it, and what is being committed may stand all the same.

        Raises:
            UsageError: If other threads cannot do anything here.
        """
        ...

    def leftovers(self) -> list[Leftover]:
        """Return what was staged and not published, whoever staged it; a run under way has some, too."""
        ...

    def collect(self, removal: Removal, *, apply: bool, on_step: OnStep) -> list[Leftover]:
        """Remove what no reader sees and nobody needs any more. Return what went; without `apply`, what would go."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
