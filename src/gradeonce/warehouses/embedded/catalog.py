"""The book's small state: fences, files, segments, loads and the ledger, in one SQLite file.

A *segment* is the rows of one partition in one file. It lives from the commit that added it (`added_seq`) to the one
that replaced it (`removed_seq`), so a publish moves pointers and never touches a row, and an old version stays readable
until its file is collected.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradeonce.chain import GENESIS, Entry, canonical_json, seal_all
from gradeonce.clock import Clock
from gradeonce.errors import PublishConflict, RefusedForSafety, WarehouseError
from gradeonce.model import Change, EntryDraft, Fence, Move
from gradeonce.schema import SMALL_STATE, SMALL_TABLES, SmallTable, Table
from gradeonce.sqlite_file import SqliteFile, write_turn
from gradeonce.statements import statement
from gradeonce.warehouses.base import OnStep, Params, Rows
from gradeonce.warehouses.definitions import defined_table, definition
from gradeonce.warehouses.embedded import small
from gradeonce.warehouses.embedded.files import sync_folder
from gradeonce.warehouses.refusals import refuse_other_columns, refused

SCHEMA_VERSION = 1
CATALOG_FILE = "catalog.sqlite"


@dataclass(frozen=True)
class WrittenFile:
    """A Parquet file that is complete and on disk, ready to be pointed at.

    Attributes:
        table: Table name.
        path: Relative to the book.
        bytes: Size.
        sha256: Of its bytes.
        rows: Rows per partition.
        values: Values of indexed columns: (column, value, partition).
    """

    table: str
    path: str
    bytes: int
    sha256: str
    rows: Mapping[str, int]
    values: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True)
class LiveSegment:
    """One partition's rows in one file, as readers see them now."""

    partition: str
    path: str
    segments_in_file: int
    rows: int


@dataclass(frozen=True)
class ReplacedFile:
    """A file of which every partition has been replaced: no reader looks there any more.

    Attributes:
        path: Relative to the book.
        bytes: Size.
        replaced_at: When the last of its partitions was, as the ledger says.
    """

    path: str
    bytes: int
    replaced_at: str


def _sql(name: str) -> str:
    return statement(__package__, "catalog.sql", name)


class Catalog:
    """The catalog of one book, on a connection of its own."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        """Open an existing catalog.

        Raises:
            WarehouseError: If the folder holds no book.
            RefusedForSafety: If a newer gradeonce wrote it.
        """
        path = folder / CATALOG_FILE
        if not path.is_file():
            raise WarehouseError(f"{folder} holds no book.", hint="Make one with `gradeonce init`.")
        self._file = SqliteFile(path, durable=True)
        self._clock = clock
        version = self._file.connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise RefusedForSafety(
                f"{folder} was written by a newer gradeonce (layout {version}, this one knows {SCHEMA_VERSION}).",
                hint="Upgrade gradeonce.",
            )

    @staticmethod
    def create(folder: Path) -> bool:
        """Create the catalog if the folder has none. Return whether it was created now.

        It is made under another name and then renamed: a catalog that is there is whole, whoever dies on the way. Of
        several processes one makes it; SQLite itself would refuse the others instead of letting them wait, because
        the switch to a write-ahead log needs the file for itself.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / CATALOG_FILE
        with write_turn(path):
            if path.exists():
                return False
            draft = folder / f"{CATALOG_FILE}.new"
            _remove_leftovers(draft)
            file = SqliteFile(draft, durable=True)
            try:
                with file.write() as connection:
                    for part in _sql("create").split(";\n"):
                        connection.execute(part)
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            finally:
                file.close()
            draft.rename(path)
            sync_folder(folder)
            _remove_leftovers(draft)
            return True

    def close(self) -> None:
        """Close the connection."""
        self._file.close()

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Let everything that is read inside the block be as of one instant. Nothing can be written there."""
        with self._file.read():
            yield

    def fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        """Return the fences of these partitions, creating those that are missing.

        Raises:
            RefusedForSafety: If a table of this name was written before with other columns.
        """
        found = self._fences(table)
        self._refuse_other(table)
        missing = [partition for partition in partitions if partition not in found]
        if missing:
            with self._file.write() as connection:
                connection.executemany(_sql("create_fence"), [{"table": table.name, "partition": p} for p in missing])
                connection.execute(
                    "INSERT INTO tables (name, definition) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (table.name, definition(table)),
                )
            found = self._fences(table)
        return {partition: found[partition] for partition in partitions}

    def _refuse_other(self, table: Table) -> None:
        # Files with and without a column cannot be read together: every later query would fail.
        with self._file.read() as connection:
            row = connection.execute("SELECT definition FROM tables WHERE name = ?", (table.name,)).fetchone()
        if row is not None:
            refuse_other_columns(table, row[0])

    def all_fences(self, table: Table) -> list[Fence]:
        """Return every fence of the table, in the order of partitions."""
        return list(self._fences(table).values())

    def _fences(self, table: Table) -> dict[str, Fence]:
        with self._file.read() as connection:
            rows = connection.execute(_sql("fences"), {"table": table.name})
            return {row[1]: Fence(*row) for row in rows}

    def live_segments(self, tables: Sequence[str]) -> dict[str, list[LiveSegment]]:
        """Return what readers see of each table, all as of one instant."""
        with self._file.read() as connection:
            return {
                table: [LiveSegment(*row) for row in connection.execute(_sql("live_segments"), {"table": table})]
                for table in tables
            }

    def tables(self) -> list[Table]:
        """Return the definition of every table that was ever written."""
        with self._file.read() as connection:
            return [
                defined_table(text) for (text,) in connection.execute("SELECT definition FROM tables ORDER BY name")
            ]

    def size_bytes(self, table: str) -> int:
        """Return the bytes of every file that readers of the table read."""
        with self._file.read() as connection:
            return int(connection.execute(_sql("size_bytes"), {"table": table}).fetchone()[0])

    def forget(self, table: str) -> None:
        """Remove the definition and the fences of a table that holds no rows.

        Raises:
            RefusedForSafety: If it holds rows.
        """
        with self._file.write() as connection:
            if connection.execute(_sql("holds_rows"), {"table": table}).fetchone()[0]:
                raise RefusedForSafety(f"{table} still holds rows.", hint="Empty it first.")
            connection.execute("DELETE FROM publish_fences WHERE table_name = ?", (table,))
            connection.execute("DELETE FROM tables WHERE name = ?", (table,))

    def sharing(self, table: Table, column: str, other: Table, partitions: Sequence[str]) -> list[str]:
        """Return the partitions of `table` that share a value of the indexed column with those of `other`."""
        values = {
            "table": table.name,
            "column": column,
            "other": other.name,
            "partitions": json.dumps(list(partitions)),
        }
        with self._file.read() as connection:
            return [partition for (partition,) in connection.execute(_sql("sharing"), values)]

    def find_load(self, content_id: str) -> str | None:
        """Return the load that brought this content, or None."""
        with self._file.read() as connection:
            row = connection.execute(_sql("find_load"), {"content_id": content_id}).fetchone()
        return None if row is None else str(row[0])

    def commit(
        self,
        moves: Sequence[Move],
        files: Sequence[WrittenFile],
        drafts: Sequence[EntryDraft],
        *,
        version: str,
        on_step: OnStep,
        content_id: str | None = None,
    ) -> list[Entry]:
        """Publish: advance every fence, point at the new files, verify what stands, append to the ledger.

        One transaction: all of it happened when this returns, none of it when it raises.

        Raises:
            LeaseLost: If a fence has accepted a higher token than a move's.
            PublishConflict: If a partition is no longer at its move's base, or the content was loaded meanwhile.
        """
        with self._file.write() as connection:
            on_step("commit.begun")
            # Taken while nobody else writes: instants in the ledger then rise with its numbers.
            at = self._clock.now().isoformat(timespec="microseconds")
            for move in moves:
                self._advance(connection, move, version, at)
            on_step("commit.fenced")
            for file in files:
                self._refuse_collected(file)
                _point_at(connection, file, moves, at)
            on_step("commit.pointed")
            for move in moves:
                _verify(connection, move)
            if content_id is not None:
                try:
                    connection.execute(_sql("add_load"), {"content_id": content_id, "load_id": version})
                except sqlite3.IntegrityError as error:
                    raise PublishConflict("The same content was loaded by somebody else just now.") from error
            entries = _append(connection, drafts, at)
            on_step("commit.ledgered")
        on_step("commit.done")
        return entries

    def _refuse_collected(self, file: WrittenFile) -> None:
        # Whoever collects keeps commits out: a file that is there now stays.
        if not (self._file.path.parent / file.path).is_file():
            raise PublishConflict(
                f"{file.path} was removed as a leftover before it was published.",
                hint="The run was asleep for long. Run the same command again.",
            )

    def _advance(self, connection: sqlite3.Connection, move: Move, version: str, at: str) -> None:
        values = {
            "table": move.table,
            "partition": move.partition,
            "token": move.token,
            "base_seq": move.base_seq,
            "rows": move.rows,
            "content_hash": move.content_hash,
            "version": version,
            "keeps": move.change is Change.KEEP,
            "at": at,
        }
        # Writers take turns in SQLite, so looking is enough to watch a partition: nobody moves it before we are done.
        passed = move.change is not Change.WATCH and connection.execute(_sql("advance_fence"), values).rowcount == 1
        if not passed:
            token, seq = connection.execute(_sql("fence_now"), values).fetchone()
            if move.change is Change.WATCH and seq == move.base_seq:
                return
            raise refused(move, Fence(move.table, move.partition, token, seq))
        if move.change is Change.REPLACE:
            connection.execute(_sql("retire_segments"), {**values, "seq": move.base_seq + 1})

    def append(self, drafts: Sequence[EntryDraft]) -> list[Entry]:
        """Append entries that move no rows."""
        with self._file.write() as connection:
            return _append(connection, drafts, self._clock.now().isoformat(timespec="microseconds"))

    def keep(self, table: SmallTable, rows: Sequence[Params], *, replace: bool) -> int:
        """See `Warehouse.keep`."""
        with self._file.write() as connection:
            return small.keep(connection, table, rows, replace=replace)

    def kept(self, table: SmallTable) -> Rows:
        """See `Warehouse.kept`."""
        with self._file.read() as connection:
            return small.kept(connection, table)

    def drop_kept(self, table: SmallTable, keys: Sequence[Params]) -> int:
        """See `Warehouse.drop_kept`."""
        with self._file.write() as connection:
            return small.drop_kept(connection, table, keys)

    def small_tables(self) -> list[tuple[SmallTable, str]]:
        """Return our small tables for queries, each with its rows as a JSON array of arrays."""
        with self._file.read() as connection:
            return [(table, small.as_json(connection, table)) for table in SMALL_TABLES]

    def entries(self) -> Iterator[Entry]:
        """Yield the whole ledger, oldest first."""
        with self._file.read() as connection:
            for row in connection.execute(_sql("entries")):
                yield _entry(row)

    def last_at(self) -> str:
        """Return when the last entry was written, ISO 8601 UTC; empty while there is none."""
        with self._file.read() as connection:
            row = connection.execute(_sql("last_at")).fetchone()
        return "" if row is None else str(row[0])

    def file_hashes(self) -> list[tuple[str, str, str]]:
        """Return path, SHA-256 and partition of every file that a reader may see, once for each of its partitions."""
        with self._file.read() as connection:
            return connection.execute(
                "SELECT path, sha256, partition FROM files JOIN segments USING (file_id) "
                "WHERE removed_seq IS NULL ORDER BY path, partition"
            ).fetchall()

    def file_paths(self) -> set[str]:
        """Return every file that a version, old ones included, points at."""
        with self._file.read() as connection:
            return {path for (path,) in connection.execute("SELECT path FROM files JOIN segments USING (file_id)")}

    def replaced_files(self, before: str) -> list[ReplacedFile]:
        """Return the files of which every partition was replaced before this instant (as the ledger writes it)."""
        with self._file.read() as connection:
            return _replaced_files(connection, before)

    def forget_files(
        self,
        before: str,
        *,
        sweep: Callable[[Collection[str]], None],
        entry: Callable[[Sequence[ReplacedFile]], EntryDraft],
    ) -> list[ReplacedFile]:
        """Forget the files of which every partition was replaced before an instant. Return them; they are still there.

        Args:
            before: The instant, as the ledger writes it.
            sweep: Called with the paths that some version points at, those of the files to forget among them, while
                nobody can commit.
            entry: Makes the ledger's entry if any file is forgotten.
        """
        with self._file.write() as connection:
            sweep(self.file_paths())
            gone = _replaced_files(connection, before)
            at = self._clock.now().isoformat(timespec="microseconds")
            connection.execute(_sql("set_collected_at"), {"at": at})
            if gone:
                paths = {"paths": json.dumps([file.path for file in gone])}
                connection.execute(_sql("forget_segments"), paths)
                connection.execute(_sql("forget_files"), paths)
                _append(connection, [entry(gone)], at)
        return gone

    def collected_at(self) -> str:
        """Return when files were collected last, ISO 8601 UTC; empty: never."""
        with self._file.read() as connection:
            row = connection.execute(_sql("collected_at")).fetchone()
        return "" if row is None else str(row[0])

    def small_state(self) -> dict[str, tuple[tuple[str, ...], str]]:
        """Return the small tables for queries: name -> (columns, rows as a JSON array of arrays)."""
        state = {}
        with self._file.read() as connection:
            for name in SMALL_STATE:
                if name == "leases" and not _has_leases(connection):
                    continue
                cursor = connection.execute(_sql(f"view_{name}"))
                columns = tuple(column[0] for column in cursor.description)
                state[name] = (columns, json.dumps(cursor.fetchall()))
        return state


def _remove_leftovers(draft: Path) -> None:
    for path in draft.parent.glob(f"{draft.name}*"):
        path.unlink(missing_ok=True)


def _has_leases(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'leases'").fetchone() is not None


def _replaced_files(connection: sqlite3.Connection, before: str) -> list[ReplacedFile]:
    return [ReplacedFile(*row) for row in connection.execute(_sql("replaced_files"), {"before": before})]


def _point_at(connection: sqlite3.Connection, file: WrittenFile, moves: Sequence[Move], at: str) -> None:
    values = {
        "table": file.table,
        "path": file.path,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "segments": len(file.rows),
        "at": at,
    }
    file_id = connection.execute(_sql("add_file"), values).lastrowid
    seqs = {move.partition: move.base_seq + 1 for move in moves if move.table == file.table}
    connection.executemany(
        _sql("add_segment"),
        [
            {"table": file.table, "partition": partition, "file_id": file_id, "rows": rows, "seq": seqs[partition]}
            for partition, rows in file.rows.items()
        ],
    )
    connection.executemany(
        _sql("add_value"),
        [
            {"table": file.table, "column": column, "value": value, "partition": partition}
            for column, value, partition in file.values
        ],
    )


def _verify(connection: sqlite3.Connection, move: Move) -> None:
    values = {"table": move.table, "partition": move.partition}
    standing = connection.execute(_sql("standing_rows"), values).fetchone()[0]
    if standing != move.rows:
        raise WarehouseError(
            f"{move.table} {move.partition} would hold {standing} rows, not the {move.rows} that were staged; "
            "the publish was taken back.",
            hint="Run `gradeonce ledger verify`.",
        )


def _append(connection: sqlite3.Connection, drafts: Sequence[EntryDraft], at: str) -> list[Entry]:
    number, previous = connection.execute(_sql("last_entry")).fetchone() or (0, GENESIS)
    entries = seal_all(drafts, number=number, at=at, previous_hash=previous)
    connection.executemany(
        _sql("add_entry"),
        [
            {
                "number": entry.number,
                "at": entry.at,
                "kind": entry.draft.kind,
                "run_id": entry.draft.run_id,
                "table": entry.draft.table,
                "partition": entry.draft.partition,
                "status": entry.draft.status,
                "token": entry.draft.token,
                "seq": entry.draft.seq,
                "rows": entry.draft.rows,
                "content_hash": entry.draft.content_hash,
                "holder": entry.draft.holder,
                "details": canonical_json(entry.draft.details),
                "previous_hash": entry.previous_hash,
                "entry_hash": entry.entry_hash,
            }
            for entry in entries
        ],
    )
    return entries


def _entry(row: tuple[int, str, str, str, str, str, str, int, int, int, str, str, str, str, str]) -> Entry:
    (number, at, kind, run_id, table, partition, status, token, seq, rows, content, holder, details, previous, own) = (
        row
    )
    draft = EntryDraft(
        kind=kind,
        run_id=run_id,
        table=table,
        partition=partition,
        status=status,
        token=token,
        seq=seq,
        rows=rows,
        content_hash=content,
        holder=holder,
        details=json.loads(details),
    )
    return Entry(number, at, draft, previous, own)
