"""Progress of a run: a bar on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Generator
from typing import Protocol

from rich import progress as bars
from rich.console import Console

_REFRESHES_PER_S = 2  # each costs CPU time that is being measured


class Progress(Protocol):
    """Receives the progress."""

    def begin(self, stage: str, steps: int) -> None:
        """A stage with this number of steps begins."""

    def advance(self, steps: int = 1) -> None:
        """This number of steps is done."""


class _Bar:
    def __init__(self, progress: bars.Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None)

    def begin(self, stage: str, steps: int) -> None:
        self._progress.reset(self._task, description=stage, total=steps)

    def advance(self, steps: int = 1) -> None:
        self._progress.advance(self._task, steps)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def begin(self, stage: str, steps: int) -> None:
        del steps
        self._console.print(f"{time.monotonic() - self._began:6.1f} s  {stage}", highlight=False)

    def advance(self, steps: int = 1) -> None:
        del steps


@contextlib.contextmanager
def reporting(console: Console) -> Generator[Progress, None, None]:
    """Report the progress on this console."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(
        *columns, console=console, refresh_per_second=_REFRESHES_PER_S, transient=True
    ) as progress:
        yield _Bar(progress)
