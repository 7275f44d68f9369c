"""Commands of the sample room."""

from wallet_service.core.commands import CommandLine, print_line

from .settings import NotesSettings


def add_commands(line: CommandLine) -> None:
    """Add the room's commands."""

    @line.app.command()
    def longest_note() -> None:  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        """Print how long notes are."""
        print_line(str(line.settings()[NotesSettings].longest))
