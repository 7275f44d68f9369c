"""The SQL functions of the sample room."""

from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.web.created import Created, request_hash


class NotesRepository:
    """Stores and lists notes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, client_id: str, key: str | None, wallet_id: str, text: str) -> Created:
        """Store a note, once for each key of the client.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
        """
        answer = await self._database.repeat(
            "write_note",
            note_id=new_id(),
            client_id=client_id,
            key=key,
            request_hash=request_hash(1, wallet_id, text),
            wallet_id=wallet_id,
            text=text,
        )
        return Created.of(answer, "note")

    async def page(self, wallet_id: str, after: str | None, limit: int) -> tuple[bytes, str | None]:
        """A page of a wallet's notes as JSON, oldest first, and the id to continue after; None at the end."""
        items, _, following = (
            await self._database.read("list_notes", wallet_id=wallet_id, after=after, limit=limit)
        ).rpartition(b"\n")
        return items, following.decode() or None
