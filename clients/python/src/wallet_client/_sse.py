"""Reads server-sent events, line by line. Nothing here does I/O."""

from typing import NamedTuple

QUIET_S = 45.0
"""The service sends a block every 15 s: after three of these without any, the connection is taken for lost."""

PAUSE_S = 1.0
"""Before the next connection, if the last one brought no event."""


class Block(NamedTuple):
    """A server-sent event.

    Attributes:
        place: its id: the cursor that continues after it; None: as before.
        data: None: it names a place only.
    """

    place: str | None
    data: str | None


class BlockReader:
    """Collects the lines of a stream."""

    def __init__(self) -> None:
        self._place: str | None = None
        self._data: list[str] = []

    def add(self, line: str) -> Block | None:
        """Add the next line, without its end. Returns the block that it ends, if it ends one."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            elif name == "id":
                self._place = value
            return None
        block = Block(self._place, "\n".join(self._data) if self._data else None)
        self._place, self._data = None, []
        return block if block != (None, None) else None
