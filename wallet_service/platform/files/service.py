"""Uploads, downloads and deletes files. Memory is that of a few chunks, however large a file is.

Imports and exports use it, too: an owner is a client or a user, whichever room asks.
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import ClientDisconnect

from wallet_service.core.errors import WalletError
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.files.metrics import FilesMetrics
from wallet_service.platform.files.problems import FileIncomplete, FileNotFound
from wallet_service.platform.files.repository import FileRepository
from wallet_service.platform.files.room import ROOM
from wallet_service.platform.files.settings import FilesSettings
from wallet_service.platform.vault.service import Vault
from wallet_service.platform.web.created import Created, request_hash

CHUNK_BYTES = 256 * 1024
"""A call of the database carries at most 1 MiB, and a chunk is a third longer in base64."""

_SECONDS_PER_DAY = 86_400
_MOST_DELETIONS = 10

_log = structlog.get_logger(__name__)


class FileCorrupt(Exception):
    """A stored file is not what was uploaded: a chunk is missing or changed. The message names the file."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to upload.

    Attributes:
        name: for people; the content is found by the file's id.
        media_type: ``type/subtype``, as the caller declares it.
        personal: whether the vault seals its chunks.
        expires_at: RFC 3339; None for the latest moment that the settings allow.
        sha256: of the content, hexadecimal, if the caller knows it.
    """

    name: str
    media_type: str
    personal: bool = False
    expires_at: str | None = None
    sha256: str | None = None


def owner_of(caller: Principal) -> str:
    """The owner of the files of this caller: a user, or a client."""
    return f"user:{caller.user_id}" if caller.user_id is not None else f"client:{caller.client_id}"


class FileService:
    """The files of all owners.

    Args:
        repository: stores them.
        vault: seals personal ones.
        settings: limits.
        metrics: counts uploads and bytes.
    """

    def __init__(
        self,
        repository: FileRepository,
        vault: Vault,
        settings: FilesSettings,
        metrics: FilesMetrics | None = None,
    ) -> None:
        self._repository = repository
        self._vault = vault
        self._settings = settings
        self._metrics = metrics or FilesMetrics()

    async def upload(
        self, owner: str, new: NewFile, content: AsyncIterator[bytes], key: str | None = None
    ) -> Created:
        """Store a file. Nothing is left of one that does not arrive whole.

        Args:
            owner: as of ``owner_of``.
            new: its description.
            content: its bytes, in pieces of any size.
            key: the idempotency key: sent again with the same file, the file is stored once.

        Raises:
            VaultUnavailable: the file is personal, and the vault has no key.
            FileQuotaExceeded: the owner's files would be larger than its quota.
            FileIncomplete: the content has another SHA-256 than declared.
            IdempotencyKeyReused: the key was spent on another file or description.
            ValidationFailed: the file would expire in the past or too late.
        """
        outcome = "failed"
        try:
            stored = await self._upload(owner, new, content, key)
            outcome = "replayed" if stored.replayed else "stored"
        except WalletError as error:
            outcome = error.code
            raise
        except ClientDisconnect:
            outcome = "disconnected"
            raise
        finally:
            self._metrics.uploaded(outcome)
        return stored

    async def find(self, owner: str, file_id: str) -> bytes:
        """A file as JSON.

        Raises:
            FileNotFound: the owner has no such file.
        """
        return await self._repository.read(owner, file_id)

    async def open(self, owner: str, file_id: str) -> tuple[dict[str, Any], AsyncIterator[bytes]]:
        """A file and its content, chunk by chunk. The first chunk is read before this returns.

        The last chunk comes only if the whole content has its SHA-256: a file that is not as it was uploaded ends early,
        with FileCorrupt.

        Raises:
            FileNotFound: the owner has no such file.
            VaultUnavailable: the file is personal, and the vault does not have the key.
        """
        file: dict[str, Any] = json.loads(await self._repository.read(owner, file_id))
        first = await self._read(owner, file, 0) if file["size_bytes"] else b""
        return file, self._content(owner, file, first)

    async def delete(self, owner: str, file_id: str) -> None:
        """Delete a file.

        Raises:
            FileNotFound: the owner has no such file.
        """
        if not await self._repository.delete(owner, file_id):
            raise FileNotFound
        for _ in range(_MOST_DELETIONS):
            _, more = await self._repository.delete_expired()
            if not more:
                break

    async def page(self, owner: str, after: str | None, limit: int) -> tuple[bytes, str | None]:
        """A page of the owner's files as JSON, newest first, and the id to continue after; None at the end."""
        return await self._repository.page(owner, after, limit)

    async def _upload(
        self, owner: str, new: NewFile, content: AsyncIterator[bytes], key: str | None
    ) -> Created:
        if new.personal:
            self._vault.require()
        file_id = new_id()
        is_spent = await self._repository.begin(
            file_id,
            owner,
            key,
            name=new.name,
            media_type=new.media_type,
            personal=new.personal,
            expires_at=new.expires_at,
            keep_s=self._settings.keep_days * _SECONDS_PER_DAY,
        )
        try:
            size, sha256 = 0, hashlib.sha256()
            number = 0
            async for chunk in chunks_of(content):
                size += len(chunk)
                sha256.update(chunk)
                if not is_spent:
                    await self._write(owner, file_id, number, chunk, personal=new.personal)
                number += 1
            digest = sha256.hexdigest()
            _check_digest(new, digest, size)
            created = await self._repository.complete(
                owner, file_id, key, request_hash=_request_hash(new, digest), sha256=digest, size=size
            )
        except BaseException:  # also of a cancelled request: nothing is left of its upload
            if not is_spent:
                await self._give_up(owner, file_id)
            raise
        return created

    async def _write(self, owner: str, file_id: str, number: int, chunk: bytes, *, personal: bool) -> None:
        key_id = None
        if personal:
            key_id = self._vault.require().key_id
            content = self._vault.seal_bytes(ROOM.name, _row_id(file_id, number), chunk)
        else:
            content = base64.b64encode(chunk).decode()
        await self._repository.write(
            owner,
            file_id,
            number,
            size=len(chunk),
            content=content,
            key_id=key_id,
            quota_bytes=self._settings.quota_bytes,
        )
        self._metrics.written(len(chunk))

    async def _give_up(self, owner: str, file_id: str) -> None:
        try:
            await self._repository.delete(owner, file_id, complete=False)
        except WalletError as error:
            _log.warning(
                "upload_not_removed", file_id=file_id, reason=error.code, meaning="it expires in an hour"
            )

    async def _content(self, owner: str, file: dict[str, Any], first: bytes) -> AsyncIterator[bytes]:
        size, sha256 = 0, hashlib.sha256()
        number, chunk = 0, first
        while True:
            size += len(chunk)
            sha256.update(chunk)
            if size >= file["size_bytes"]:
                break
            yield chunk
            number += 1
            chunk = await self._read(owner, file, number)
        if size != file["size_bytes"] or sha256.hexdigest() != file["sha256"]:
            raise FileCorrupt(f"file {file['file_id']} is not as it was uploaded")
        yield chunk

    async def _read(self, owner: str, file: dict[str, Any], number: int) -> bytes:
        stored = await self._repository.read_chunk(owner, file["file_id"], number)
        if not stored:
            raise FileCorrupt(f"file {file['file_id']} has no chunk {number}")
        if file["personal"]:
            chunk = self._vault.open_bytes(ROOM.name, _row_id(file["file_id"], number), stored.decode())
        else:
            chunk = base64.b64decode(stored)
        self._metrics.read(len(chunk))
        return chunk


async def chunks_of(content: AsyncIterator[bytes], size: int = CHUNK_BYTES) -> AsyncIterator[bytes]:
    """Pieces of any size as chunks of this size; the last one may be shorter."""
    waiting = bytearray()
    async for piece in content:
        for start in range(0, len(piece), size):
            waiting += piece[start : start + size]
            if len(waiting) >= size:
                yield bytes(waiting[:size])
                del waiting[:size]
    if waiting:
        yield bytes(waiting)


def _check_digest(new: NewFile, digest: str, size: int) -> None:
    if new.sha256 not in (None, digest):
        detail = "The content has another SHA-256 than the request declares"
        raise FileIncomplete(detail, size_bytes=size, sha256=digest)


def _row_id(file_id: str, number: int) -> str:
    return f"{file_id}/{number}"


def _request_hash(new: NewFile, digest: str) -> str:
    """What makes a request the same: its description and content."""
    return request_hash(1, new.name, new.media_type, new.personal, new.expires_at, digest)
