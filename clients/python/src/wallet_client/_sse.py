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


class LineReader:
    """Cuts the bytes of a stream into lines. Only CR LF, LF and CR end one: other separators of Unicode are text."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._is_after_cr = False

    def add(self, part: bytes) -> list[str]:
        """Add the next bytes. Returns the lines that they end, without their ends."""
        if self._is_after_cr and part:
            self._is_after_cr = False
            part = part.removeprefix(b"\n")
        if b"\r" in part:
            self._is_after_cr = part.endswith(b"\r")  # its LF, if it has one, comes with the next bytes
            part = part.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *ended, rest = part.split(b"\n")
        lines: list[str] = []
        for line in ended:
            lines.append(b"".join((*self._begun, line)).decode("utf-8", "replace"))
            self._begun.clear()
        if rest:
            self._begun.append(rest)
        return lines


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
