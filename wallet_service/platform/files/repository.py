"""The SQL functions of files."""

import json

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.web.created import Created

UPLOAD_TTL_S = 3600
"""Seconds after which an upload is given up when no chunk arrives."""

DELETED_CHUNKS = 200
"""Chunks that one call removes: 50 MiB."""


class FileRepository:
    """Stores and reads files and their chunks. Every call that changes something is safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        file_id: str,
        owner: str,
        key: str | None,
        *,
        name: str,
        media_type: str,
        personal: bool,
        expires_at: str | None,
        keep_s: int,
    ) -> bool:
        """Begin an upload, unless the key was spent on an upload before. Returns whether it was.

        Raises:
            ValidationFailed: the file would expire in the past, or later than ``keep_s`` seconds from now.
        """
        answer = await self._database.repeat(
            "begin_file",
            file_id=file_id,
            owner=owner,
            key=key,
            name=name,
            media_type=media_type,
            personal=personal,
            expires_at=expires_at,
            keep_s=keep_s,
            ttl_s=UPLOAD_TTL_S,
        )
        return bool(json.loads(answer)["spent"])

    async def write(
        self,
        owner: str,
        file_id: str,
        number: int,
        *,
        size: int,
        content: str,
        key_id: str | None,
        quota_bytes: int,
    ) -> None:
        """Store the next chunk of an upload.

        Args:
            owner: of the file.
            file_id: the file.
            number: of the chunk, from 0.
            size: its bytes.
            content: it in base64, or its sealed value.
            key_id: of the key that sealed it, if it is sealed.
            quota_bytes: of the owner.

        Raises:
            FileQuotaExceeded: with the chunk, the owner's files would be larger.
            FileNotFound: the upload was given up.
        """
        await self._database.repeat(
            "write_file_chunk",
            owner=owner,
            file_id=file_id,
            number=number,
            size=size,
            content=content,
            key_id=key_id,
            quota_bytes=quota_bytes,
            ttl_s=UPLOAD_TTL_S,
        )

    async def complete(
        self, owner: str, file_id: str, key: str | None, *, request_hash: str, sha256: str, size: int
    ) -> Created:
        """Complete an upload: the file, or that of an earlier request with the key.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
            FileIncomplete: the chunks have another size.
        """
        answer = await self._database.repeat(
            "complete_file",
            owner=owner,
            file_id=file_id,
            key=key,
            request_hash=request_hash,
            sha256=sha256,
            size=size,
            caller=caller_param(),
        )
        return Created.of(answer, "file")

    async def read(self, owner: str, file_id: str) -> bytes:
        """A file as JSON.

        Raises:
            FileNotFound: the owner has no such file.
        """
        return await self._database.read("read_file", owner=owner, file_id=file_id)

    async def read_chunk(self, owner: str, file_id: str, number: int) -> bytes:
        """A chunk in base64, or sealed; empty if there is no such chunk.

        Raises:
            FileNotFound: the owner has no such file, or no longer.
        """
        return await self._database.read("read_file_chunk", owner=owner, file_id=file_id, number=number)

    async def page(self, owner: str, after: str | None, limit: int) -> tuple[bytes, str | None]:
        """A page of the owner's files as JSON, newest first, and the id to continue after; None at the end."""
        items, _, following = (
            await self._database.read("list_files", owner=owner, after=after, limit=limit)
        ).rpartition(b"\n")
        return items, following.decode() or None

    async def delete(self, owner: str, file_id: str, *, complete: bool = True) -> bool:
        """Delete a file, or an upload if ``complete`` is false. Returns whether there was one, which no longer is."""
        answer = await self._database.repeat(
            "delete_file", owner=owner, file_id=file_id, complete=complete, caller=caller_param()
        )
        return bool(json.loads(answer))

    async def delete_expired(self) -> tuple[int, bool]:
        """Remove a part of what has expired: the number of files that are gone, and whether more is to be removed."""
        done = json.loads(await self._database.repeat("delete_expired_files", limit=DELETED_CHUNKS))
        return done["files"], done["more"]
