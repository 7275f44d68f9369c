"""The command ``scripts/bench growth``: builds a large ledger once, and measures what its size costs."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import structlog
import typer
from rich.console import Console

from bench import growth_calls, growth_upkeep
from bench.data import Size
from bench.growth_load import DATABASE, Say, build, pid_of, size_of
from bench.growth_upkeep import Figures, Ledger
from bench.job import RowFailed
from bench.machine import describe
from bench.server import server_of
from wallet_service.platform.database.migrate import MigrationError
from wallet_service.platform.embedded_postgres.server import EmbeddedError, EmbeddedPostgres
from wallet_service.platform.telemetry.logging import configure_logging

Step = Callable[[Ledger, Path], Awaitable[Figures]]
"""A measurement. The folder is for logs."""

_LEAST_ROWS = 100_000

_HTTP_SHARE = 12
"""Requests of a kind are measured for a shorter time than a walk of `verify` by this factor."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def steps(*, calls: int, seconds: float) -> Mapping[str, Step]:
    """The measurements by name, in their order: postings come after all that counts what was built.

    Args:
        calls: the number of calls of each kind.
        seconds: for each walk of `verify`.
    """
    return {
        "sizes": lambda ledger, _: growth_upkeep.sizes(ledger),
        "reads_before_vacuum": lambda ledger, _: growth_calls.reads(ledger, calls),
        "vacuum": lambda ledger, _: growth_upkeep.vacuum(ledger),
        "reads": lambda ledger, _: growth_calls.reads(ledger, calls),
        "index": lambda ledger, _: growth_upkeep.index(ledger),
        "verify": lambda ledger, _: growth_upkeep.verify(ledger, seconds),
        "base_backup": lambda ledger, _: growth_upkeep.base_backup(ledger),
        "dump": lambda ledger, _: growth_upkeep.dump(ledger),
        "restore": growth_upkeep.restore,
        "redis": lambda ledger, _: growth_calls.redis(ledger, calls),
        "postings": lambda ledger, _: growth_calls.postings(ledger, calls),
        "http": lambda ledger, folder: growth_calls.http(ledger, folder, seconds / _HTTP_SHARE),
    }


async def grow(folder: Path, size: Size, chosen: Mapping[str, Step], say: Say) -> Figures:
    """Build the ledger, unless the folder has one, and measure it. Figures are kept in the folder after each step.

    Args:
        folder: for the server and ``figures.json``. It stays.
        size: of a new ledger.
        chosen: the steps.
        say: receives the progress.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    kept = folder / "figures.json"
    if not kept.exists():
        built = await build(folder / "data", size, say)
        _keep(kept, {"size": asdict(size), "build": built})
    figures: Figures = json.loads(kept.read_text())
    async with EmbeddedPostgres(folder / "data") as embedded:
        server = server_of(embedded)
        connection: asyncpg.Connection[Any] = await asyncpg.connect(server.admin_dsn(DATABASE))
        try:
            ledger = Ledger(
                size=Size(**figures["size"]),
                pid=pid_of(server),
                admin_dsn=server.admin_dsn(DATABASE),
                service_dsn=server.service_dsn(DATABASE),
                connection=connection,
            )
            figures["machine"] = await describe(ledger.admin_dsn, server.data_dir)
            for name, step in chosen.items():
                figures[name] = await step(ledger, folder)
                _keep(kept, figures)
                say(f"{name}: {json.dumps(figures[name])}")
        finally:
            await connection.close()
    return figures


def _keep(path: Path, figures: Figures) -> None:
    path.write_text(json.dumps(figures, indent=2) + "\n")


@app.command()
def growth(
    folder: Annotated[
        Path,
        typer.Option(help="For the ledger, 0.5 kB a row. It stays: remove it yourself."),
    ],
    rows: Annotated[int, typer.Option(min=_LEAST_ROWS, help="Entries of a new ledger.")] = 1_000_000,
    only: Annotated[
        str | None, typer.Option("--steps", help="Steps, as reads,verify; all without it.")
    ] = None,
    calls: Annotated[int, typer.Option(min=100, help="Calls of each kind.")] = 4000,
    seconds: Annotated[float, typer.Option(min=0.1, help="For each walk of verify.")] = 60.0,
) -> None:
    """Build a ledger of this size once, and measure sizes, vacuum, backups, verify, reads and postings on it.

    Later runs on the same folder measure the same ledger. The figures are in its figures.json.
    """
    configure_logging("warning", sys.stderr)
    console = Console()
    known = steps(calls=calls, seconds=seconds)
    names = list(known) if only is None else only.split(",")
    if unknown := [name for name in names if name not in known]:
        raise RowFailed(f"no step has the name {', '.join(unknown)}; steps are {', '.join(known)}")

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    asyncio.run(
        grow(folder.absolute(), size_of(rows), {name: known[name] for name in known if name in names}, say)
    )


def main() -> None:
    """Run the command line. Exit status 1 for a failure."""
    try:
        app(prog_name="scripts/bench growth")
    except (RowFailed, EmbeddedError, MigrationError, OSError, asyncpg.PostgresError) as error:
        structlog.get_logger().error("growth_failed", reason=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
