"""What a room's commands on the command line are given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import typer

from wallet_service.core.room import Room
from wallet_service.core.settings import Settings


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line that rooms add their commands to.

    Attributes:
        app: takes the commands.
        settings: reads the settings of this process, for a command whose output is on stdout: the log goes to stderr.
        rooms: all of them.
    """

    app: typer.Typer
    settings: Callable[[], Settings]
    rooms: Sequence[Room]


def print_line(line: str) -> None:
    """Write a line to stdout, at once."""
    print(line, flush=True)  # noqa: T201  # the command line's output
