"""A process of its own that does one job and stops or dies at a step of it.

Run as `python -m races.child ORDERS`, with the orders as JSON: folder, settings, job, values, step, signal, fenced,
struck.
It prints its answer as JSON and exits with the exit code of its error.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 300.0


@contextmanager
def child(
    folder: Path, job: str, values: dict[str, Any], *, step: str = "", signal_name: str = "", **orders: Any
) -> Iterator[subprocess.Popen[str]]:
    """Start a child; it is gone at the end of the block, whatever happened.

    Args:
        folder: The book.
        job: Name of a job.
        values: What the job is given.
        step: The step at which it sends itself the signal.
        signal_name: SIGSTOP or SIGKILL.
        orders: settings (of the book), fenced, struck (whether a book in BigQuery has the step `commit.sent`),
            file_size_limit (bytes). Any: they cross as JSON.
    """
    text = json.dumps(
        {"folder": str(folder), "job": job, "values": values, "step": step, "signal": signal_name, **orders}
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "races.child", text],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_stopped(process: subprocess.Popen[str]) -> None:
    """Return when the child has stopped itself; fail if it ended instead."""
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        process.returncode = os.waitstatus_to_exitcode(status)
        raise AssertionError(f"the child ended instead of stopping: {process.communicate()}")


def answer_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for the child to end, and return what it printed, or an empty answer if it was killed."""
    out, errors = process.communicate(timeout=PATIENCE_SECONDS)
    if out:
        answer: dict[str, Any] = json.loads(out)
        return answer
    if process.returncode == -signal.SIGKILL:
        return {}
    raise AssertionError(f"the child failed: {errors}")


def _main(orders: dict[str, Any]) -> int:
    from builders import open_book
    from gradeonce.errors import GradeonceError
    from races.jobs import JOBS
    from races.unfenced import fence_switched_off

    steps = []

    def on_step(name: str) -> None:
        steps.append(name)
        if name == orders["step"] and steps.count(name) == 1:
            os.kill(os.getpid(), getattr(signal, orders["signal"]))

    with ExitStack() as stack:
        if not orders.get("fenced", True):
            stack.enter_context(fence_switched_off())
        if orders.get("struck", False):
            from gradeonce.torture.bigquery_place import StruckBigQuery
            from gradeonce.warehouses.bigquery import warehouse

            warehouse.BigQueryWarehouse = StruckBigQuery  # type: ignore[misc]
        book = stack.enter_context(
            open_book(
                orders["folder"] if "://" in orders["folder"] else Path(orders["folder"]),
                on_step=on_step,
                **orders.get("settings", {}),
            )
        )
        if "file_size_limit" in orders:
            import resource

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (orders["file_size_limit"], resource.RLIM_INFINITY))
        try:
            answer = JOBS[orders["job"]](book, on_step, **orders["values"])
            code = 0
        except GradeonceError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
            code = error.exit_code
    sys.stdout.write(json.dumps({**answer, "steps": steps}))
    return code


if __name__ == "__main__":
    sys.exit(_main(json.loads(sys.argv[1])))
