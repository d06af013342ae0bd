"""The driver's errors as ours, decided once: which are worth another try, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradeonce.errors import (
    ConfigError,
    GradeonceError,
    TransientWarehouseError,
    UsageError,
    WarehouseError,
)

if TYPE_CHECKING:
    import psycopg

# 40001 serialization, 40P01 deadlock, 55P03 lock timeout, 57014 cancelled, 57P0x shutting down or starting,
# 25P03 idle too long inside a transaction (we were paused), 53xxx out of connections, memory or disk, 08xxx connection.
_TRANSIENT = ("40001", "40P01", "55P03", "57014", "57P", "25P03", "53", "08")


def translated(error: psycopg.Error) -> GradeonceError:
    """Return our error for one of the driver's."""
    import psycopg

    code = error.sqlstate or ""
    text = (error.diag.message_primary or str(error)).strip().splitlines()[0] if str(error) else type(error).__name__
    if code.startswith(_TRANSIENT):
        return TransientWarehouseError(f"PostgreSQL took the transaction back: {text}.", hint="Run the same again.")
    if code in ("42P01", "3F000"):
        return WarehouseError(f"PostgreSQL: {text}.", hint="Make or migrate the tables with `gradeonce init`.")
    if code == "42501":
        return WarehouseError(f"PostgreSQL refused: {text}.", hint="Grant the role what it lacks, or use another role.")
    if code.startswith("42") or code in ("0A000", "25006"):
        return UsageError(f"The query is not valid: {text}.")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not code:
        return TransientWarehouseError(
            f"PostgreSQL is out of reach: {text.rstrip('.')}.",
            hint="Check the address and the server, then run the same again.",
        )
    return WarehouseError(f"PostgreSQL failed: {text}.")


def driver_missing(error: ImportError) -> ConfigError:
    """Return the error that names the extra to install."""
    return ConfigError(
        f"A book in PostgreSQL needs the driver psycopg, which cannot be imported ({error}).",
        hint="Install it: pip install 'gradeonce[postgres]'",
    )
