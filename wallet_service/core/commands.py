"""What rooms need to add commands to the command line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import typer

from wallet_service.core.room import Room
from wallet_service.core.settings import Settings


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line that rooms add their commands to.

    Attributes:
        app: the Typer application that commands are added to.
        settings: loads the settings of this process, and sends the log to stderr, because stdout is the command's.
        rooms: all rooms.
    """

    app: typer.Typer
    settings: Callable[[], Settings]
    rooms: Sequence[Room]


def print_line(line: str) -> None:
    """Write a line to stdout and flush it."""
    print(line, flush=True)  # noqa: T201  # the command line's output
