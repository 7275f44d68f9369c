"""The SQL functions of the sample room."""

from wallet_service.platform.database.gateway import Database


class NotesRepository:
    """Stores and lists notes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, wallet_id: str, text: str) -> bytes:
        """Store a note; the note as JSON."""
        return await self._database.call("write_note", wallet_id=wallet_id, text=text)

    async def page(self, wallet_id: str, after: int | None, limit: int) -> tuple[bytes, int | None]:
        """A page of a wallet's notes as JSON, oldest first, and the position after it; None at the end."""
        items, _, following = (
            await self._database.read("list_notes", wallet_id=wallet_id, after=after, limit=limit)
        ).rpartition(b"\n")
        return items, int(following) if following else None
