"""The command ``wallet-service``: ``serve``, ``version``, and the commands that rooms declare."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Annotated

import asyncpg
import typer

from wallet_service import __version__
from wallet_service.core.commands import CommandLine, print_line
from wallet_service.core.errors import ReportedError, WalletError
from wallet_service.core.settings import Settings
from wallet_service.platform.telemetry.logging import configure_logging
from wallet_service.platform.telemetry.settings import TelemetrySettings
from wallet_service.rooms import ROOMS
from wallet_service.runtime.configuration import load_settings, warn_of_unused

EXPECTED = (ReportedError, WalletError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""Errors that are not faults of the service: reported in one line, exit status 1."""

app = typer.Typer(
    name="wallet-service",
    help="A wallet and credits ledger behind an HTTP API. Settings come from the environment (WALLET_…).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # typer calls it with the option's value
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""
    del version  # its callback prints it


@app.command()
def serve() -> None:
    """Serve the API until Ctrl-C.

    Without WALLET_DATABASE_URL the embedded PostgreSQL is started on WALLET_DATA_DIR. The first start prints
    an admin key, once, unless WALLET_ADMIN_KEY is set.
    """
    settings = _logged_settings()
    # Imports that take a second, and that few commands need.
    from wallet_service.runtime.serve import serve as serve_until_stopped  # noqa: PLC0415

    _run(serve_until_stopped(settings, print_line))


@app.command()
def worker() -> None:
    """Run jobs until Ctrl-C. Several workers, on several machines, share the jobs.

    `serve` runs jobs, too, unless WALLET_WORKER=false. With the embedded PostgreSQL, start `serve` first.
    """
    settings = _logged_settings()
    from wallet_service.runtime.worker import work  # noqa: PLC0415  # as above

    _run(work(settings, print_line))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _logged_settings() -> Settings:
    settings = load_settings()
    telemetry = settings[TelemetrySettings]
    configure_logging(telemetry.log_level, traced=telemetry.tracing, form=telemetry.log_format)
    warn_of_unused(settings, os.environ)
    return settings


def _run(until_stopped: Coroutine[None, None, None]) -> None:
    import uvloop  # noqa: PLC0415  # only the processes that serve need it

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_stopped)
    except asyncio.CancelledError:
        print_line("Stopped before it was ready")


def _quiet_settings() -> Settings:
    settings = load_settings()
    configure_logging("warning", sys.stderr, form=settings[TelemetrySettings].log_format)
    return settings


for _room in ROOMS:
    if _room.commands is not None:
        _room.load(_room.commands)(CommandLine(app, _quiet_settings, ROOMS))


def main() -> None:
    """Run the command line. The exit status is 1 after an error, 2 for a wrong command or option."""
    try:
        app(prog_name="wallet-service")
    except EXPECTED as error:
        typer.echo(f"wallet-service: {_message(error)}", err=True)
        sys.exit(1)


def _message(error: Exception) -> str:
    return str(error) or type(error).__name__
