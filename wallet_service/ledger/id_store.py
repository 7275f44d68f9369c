"""Many transaction ids in bounded memory: they overflow into a temporary file."""

import tempfile
from collections.abc import Iterator
from typing import IO

ID_BYTES = 16
PARTS = 256
"""An id belongs to a part by its hash, whatever ids clients choose."""

SEGMENT_BYTES = 16_384
"""A part is written to the file in pieces of this size: the ids in memory take at most 4 MiB."""


class IdStore:
    """Ids in the order in which they were added, by part.

    The file has no name, and 16 bytes for each id. It is in the folder of ``TMPDIR``. Fewer than about 250,000 ids need
    none. Reads and writes block.
    """

    def __init__(self, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._segment_bytes = segment_bytes
        self._memory = [bytearray() for _ in range(PARTS)]
        self._segments: list[list[tuple[int, int]]] = [[] for _ in range(PARTS)]
        self._file: IO[bytes] | None = None

    def add(self, ids: bytes) -> None:
        """Add ids, 16 bytes each.

        Raises:
            OSError: there is no folder for temporary files, or no space left in it.
        """
        for one in split(ids):
            part = hash(one) % PARTS
            self._memory[part] += one
            if len(self._memory[part]) >= self._segment_bytes:
                self._write(part)

    def part(self, number: int) -> bytes:
        """All ids of a part, 0 to 255."""
        pieces: list[bytes] = []
        for start, length in self._segments[number]:
            assert self._file is not None  # noqa: S101 - where there is a segment, there is a file
            self._file.seek(start)
            pieces.append(self._file.read(length))
        return b"".join((*pieces, self._memory[number]))

    @property
    def memory_bytes(self) -> int:
        """Bytes of the ids that are in memory."""
        return sum(map(len, self._memory))

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, part: int) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="wallet-verify-")  # noqa: SIM115 - closed by close
        start = self._file.seek(0, 2)
        self._file.write(self._memory[part])
        self._segments[part].append((start, len(self._memory[part])))
        self._memory[part].clear()


def split(ids: bytes) -> Iterator[bytes]:
    """The ids one by one."""
    return (ids[start : start + ID_BYTES] for start in range(0, len(ids), ID_BYTES))
