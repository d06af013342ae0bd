"""Opening, making and checking the warehouse that the settings name; the one place that knows backends by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeonce.clock import Clock
from gradeonce.errors import ConfigError

if TYPE_CHECKING:
    from gradeonce.config import Settings
    from gradeonce.warehouses.base import Warehouse


def open_warehouse(settings: Settings, *, clock: Clock) -> Warehouse:
    """Open the warehouse; a server is asked by the first call only.

    Raises:
        ConfigError: If the folder holds no book, or the driver of a server is not installed.
    """
    if _is_in_bigquery(settings):
        from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse

        return BigQueryWarehouse(
            settings.book, clock=clock, threads=settings.threads, maximum_bytes_billed=settings.maximum_bytes_billed
        )
    if settings.book_is_url:
        from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse

        return PostgresWarehouse(settings.book, schema=settings.schema, threads=settings.threads)
    from gradeonce.warehouses.embedded.catalog import CATALOG_FILE
    from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse

    path = settings.book_path
    if not (path / CATALOG_FILE).is_file():
        raise ConfigError(
            f"{path} holds no book.",
            hint="Make one with `gradeonce init`, or name the folder of one with --book.",
        )
    return EmbeddedWarehouse(
        path,
        clock=clock,
        threads=settings.threads,
        minimum_free_megabytes=settings.minimum_free_megabytes,
        allow_network_filesystem=settings.allow_network_filesystem,
        names=settings.tables,
        columns=settings.columns,
    )


def create_warehouse(settings: Settings) -> bool:
    """Make the warehouse, or bring it up to date. Return whether anything had to be done.

    Raises:
        RefusedForSafety: If something else is there, or a newer gradeonce made it.
    """
    if _is_in_bigquery(settings):
        from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse

        return BigQueryWarehouse.create(settings.book, names=settings.tables, columns=settings.columns)
    if settings.book_is_url:
        from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse

        return PostgresWarehouse.create(
            settings.book, schema=settings.schema, names=settings.tables, columns=settings.columns
        )
    from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse

    return EmbeddedWarehouse.create(settings.book_path, allow_network_filesystem=settings.allow_network_filesystem)


def missing_parts(settings: Settings) -> list[str]:
    """Return what `create_warehouse` would have to do, one line each; nothing is changed."""
    if _is_in_bigquery(settings):
        from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse

        return BigQueryWarehouse.missing(settings.book, names=settings.tables, columns=settings.columns)
    if settings.book_is_url:
        from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse

        return PostgresWarehouse.missing(
            settings.book, schema=settings.schema, names=settings.tables, columns=settings.columns
        )
    from gradeonce.warehouses.embedded.catalog import CATALOG_FILE

    path = settings.book_path
    return [] if (path / CATALOG_FILE).is_file() else [f"{path} holds no book"]


def _is_in_bigquery(settings: Settings) -> bool:
    return settings.book.startswith("bigquery://")
