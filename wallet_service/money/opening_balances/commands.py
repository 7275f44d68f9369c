"""The command ``import``."""

import asyncio
import json
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from wallet_service.core.commands import CommandLine, print_line
from wallet_service.core.errors import MalformedRequest, WalletError
from wallet_service.core.settings import Settings
from wallet_service.platform.database.dsns import open_existing
from wallet_service.platform.membership.settings import MembershipSettings
from wallet_service.platform.telemetry.logging import printable

if TYPE_CHECKING:
    from wallet_service.money.opening_balances.service import ImportService

_CHUNK_BYTES = 8 * 1024
_TERMINAL_PAUSE_S = 0.2
_LOG_PAUSE_S = 10.0


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""

    @line.app.command("import", no_args_is_help=True)
    def import_(  # pyright: ignore[reportUnusedFunction]  # typer registers it
        file: Annotated[
            typer.FileBinaryRead,
            typer.Argument(help="CSV with a header, or JSON lines; - reads from stdin.", show_default=False),
        ],
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Check every line with the database, and keep nothing.")
        ] = False,
        client: Annotated[
            str,
            typer.Option(
                help="The client that the lines' idempotency keys belong to. That of the admin key is admin."
            ),
        ] = "admin",
        as_json: Annotated[
            bool, typer.Option("--json", help="Print the result of each line as JSON, as the API returns it.")
        ] = False,
    ) -> None:
        """Create wallets with opening balances from a file, also while the service runs.

        The columns are those of POST /api/v1/wallets/import: user_id, currency,
        balance and others. Lines that are refused are printed, and the exit
        status is then 1. After an interruption run the same command again: no
        line is imported twice.
        """
        counts = asyncio.run(_import(line.settings(), file, client, dry_run=dry_run, as_json=as_json))
        if counts["refused"]:
            raise typer.Exit(1)


async def _import(
    settings: Settings, file: IO[bytes], client: str, *, dry_run: bool, as_json: bool
) -> Counter[str]:
    # Imports of the HTTP code, which other commands do not need.
    from wallet_service.money.opening_balances.records import csv_records, json_records  # noqa: PLC0415
    from wallet_service.money.opening_balances.repository import ImportRepository  # noqa: PLC0415
    from wallet_service.money.opening_balances.service import ImportService  # noqa: PLC0415

    progress = _Progress(file)
    async with open_existing(settings) as database:
        service = ImportService(
            ImportRepository(database),
            client,
            verified=not settings[MembershipSettings].verify_users,
            dry_run=dry_run,
        )
        first, chunks = await _with_first_byte(progress.chunks())
        reader = json_records if first == b"{" else csv_records
        try:
            await _report(service, reader(chunks), progress, as_json=as_json)
        except WalletError as error:
            progress.clear()
            if dry_run or not service.last_line_done:
                raise
            raise type(error)(f"{error}. {_how_to_continue(service.last_line_done)}") from error
        except asyncio.CancelledError:  # by Ctrl-C
            progress.clear()
            how = "" if dry_run else f". {_how_to_continue(service.last_line_done)}"
            typer.echo(f"\nInterrupted{how}", err=True)
            raise
    progress.clear()
    if not progress.counts:
        raise MalformedRequest("The file has no lines")
    typer.echo(_summary(progress.counts, dry_run=dry_run), err=True)
    return progress.counts


def _how_to_continue(line: int) -> str:
    return f"The lines up to {line} are done: run the command again to continue"


async def _report(
    service: "ImportService", records: AsyncIterator[Any], progress: "_Progress", *, as_json: bool
) -> None:
    async for lines in service.outcomes(records):
        outcomes: list[dict[str, Any]] = [json.loads(each) for each in lines.splitlines()]
        progress.counts.update(outcome["status"] for outcome in outcomes)
        refused = [_shown(outcome) for outcome in outcomes if outcome["status"] == "refused"]
        if as_json or refused:
            progress.clear()
            print_line(lines.decode().rstrip("\n") if as_json else "\n".join(refused))
        progress.show()


def _shown(outcome: dict[str, Any]) -> str:
    problem = outcome["problem"]
    return printable(f"line {outcome['line']}: {problem['code']}: {problem['detail']}")


def _summary(counts: Counter[str], *, dry_run: bool) -> str:
    lines = f"{counts.total():,} line{'s' * (counts.total() != 1)}"
    others = f"{counts['replayed']:,} imported before, {counts['refused']:,} refused"
    if dry_run:
        return f"Dry run of {lines}: {counts['created']:,} would be created, {others}. Nothing was changed"
    return f"{lines}: {counts['created']:,} created, {others}"


async def _with_first_byte(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first byte that is not blank, and all chunks. A line of JSON begins with {, a header of CSV never does."""
    read: list[bytes] = []
    async for chunk in chunks:
        read.append(chunk)
        if chunk.strip():
            break

    async def all_chunks() -> AsyncIterator[bytes]:
        for chunk in read:
            yield chunk
        async for chunk in chunks:
            yield chunk

    return b"".join(read).lstrip()[:1], all_chunks()


class _Progress:
    """Reads the file, and shows on stderr how far the import is: one line that changes, or a line every 10 s."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        status = os.fstat(file.fileno())
        self._size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        self._read = 0
        self._is_terminal = sys.stderr.isatty()
        self._shown_at = time.monotonic()
        self._is_shown = False
        self.counts: Counter[str] = Counter()
        """The lines by their status."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file."""
        while chunk := await asyncio.to_thread(self._file.read, _CHUNK_BYTES):
            self._read += len(chunk)
            yield chunk

    def show(self) -> None:
        """Show the progress, if that was not done a moment ago."""
        pause_s = _TERMINAL_PAUSE_S if self._is_terminal else _LOG_PAUSE_S
        if time.monotonic() - self._shown_at < pause_s:
            return
        self._shown_at = time.monotonic()
        part = f" ({self._read / self._size:.0%} of the file)" if self._size else ""
        text = f"{self.counts.total():,} lines done, {self.counts['refused']:,} refused{part}"
        if self._is_terminal:
            self.clear()
            self._is_shown = True
        typer.echo(text, err=True, nl=not self._is_terminal)

    def clear(self) -> None:
        """Remove the changing line from the terminal."""
        if self._is_shown:
            typer.echo("\r\x1b[K", err=True, nl=False)
            self._is_shown = False
