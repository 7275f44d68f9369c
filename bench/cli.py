"""The command ``scripts/bench``."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import structlog
import typer
import uvloop
from rich.console import Console

from bench.job import RowFailed
from bench.plan import FULL, QUICK
from bench.progress import reporting
from bench.report import print_report, write_json
from bench.results import Results
from bench.run import names_of, run
from wallet_service.platform.database.migrate import MigrationError
from wallet_service.platform.embedded_postgres.server import EmbeddedError
from wallet_service.platform.telemetry.logging import configure_logging

_INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute and a half, with a tenth of the rows.")
    ] = False,
    rows: Annotated[
        str | None,
        typer.Option(
            help="Names of rows, as floor,http_consume; the first words of names choose all of them."
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            "--url",
            help="A PostgreSQL to measure instead of our own. Databases are created in it and dropped afterwards.",
        ),
    ] = None,
    json_path: Annotated[Path, typer.Option("--json", help="The file for the figures.")] = Path(
        "bench-results.json"
    ),
) -> None:
    """Measure the ledger next to a floor, an ordinary repository and an empty endpoint.

    Exit status 0 when every row was measured, whatever the figures; 1 when a row failed.
    """
    configure_logging("warning", sys.stderr)
    console = Console()
    names = names_of(rows)
    plan, mode = (QUICK, "quick") if quick else (FULL, "full")

    async def measure() -> Results:
        stop = _Stop(asyncio.current_task())
        for sign in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sign, stop)
        with reporting(console) as progress:
            return await run(plan, names, database_url, progress)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results = runner.run(measure())
    except asyncio.CancelledError:
        console.print("Interrupted; all databases and processes were removed")
        raise typer.Exit(_INTERRUPTED) from None
    print_report(results, console)
    write_json(results, json_path, mode)
    console.print(f"Written to {json_path}", markup=False, highlight=False)
    if results.failed:
        raise typer.Exit(1)


class _Stop:
    """Ends the run once: a second Ctrl-C must not interrupt the removal."""

    def __init__(self, task: "asyncio.Task[Any] | None") -> None:
        self._task = task

    def __call__(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()


def main() -> None:
    """Run the command line. Exit status 1 for a failure."""
    try:
        app(prog_name="scripts/bench")
    except (RowFailed, EmbeddedError, MigrationError, OSError, asyncpg.PostgresError) as error:
        structlog.get_logger().error("bench_failed", reason=str(error))
        sys.exit(1)
