"""The SQL functions of books."""

from collections.abc import Mapping
from typing import Any

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created


class BookRepository:
    """Reads and changes books. Who may see which is decided before (``service.py``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, book_id: str, client_id: str, key: str | None, request_hash: str, book: Mapping[str, Any]
    ) -> Created:
        """Create a book, once for each key.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
            BookExists: the owner has one.
            CurrencyUnknown, ValidationFailed: the currency or the time zone does not exist.
        """
        answer = await self._database.repeat(
            "create_book",
            book_id=book_id,
            client_id=client_id,
            key=key,
            request_hash=request_hash,
            book=Json.of(book),
            caller=caller_param(),
        )
        return Created.of(answer, "book")

    async def find(
        self, *, book_id: str | None = None, user_id: str | None = None, organization_id: str | None = None
    ) -> bytes:
        """The id and the owner of a book, by one of them.

        Raises:
            BookNotFound: there is none.
        """
        return await self._database.read(
            "read_book_owner", book_id=book_id, user_id=user_id, organization_id=organization_id
        )

    async def get(self, book_id: str) -> bytes:
        """A book as JSON."""
        return await self._database.read("get_book", book_id=book_id)

    async def update(
        self, book_id: str, version: int | None, changes: Mapping[str, Any], creator: Mapping[str, str]
    ) -> bytes:
        """Apply a merge patch, if the book has this version (None: any), and return it, with the job that redates.

        Args:
            book_id: the book.
            version: that the caller read.
            changes: the patch.
            creator: of the job.

        Raises:
            VersionMismatch: it has another one.
            CurrencyUnknown, ValidationFailed: as ``create``.
        """
        return await self._database.call(
            "update_book",
            book_id=book_id,
            version=version,
            changes=Json.of(changes),
            caller=caller_param(),
            creator=Json.of(creator),
        )

    async def page(
        self,
        user_id: str | None,
        organization_id: str | None,
        after: str | None,
        limit: int,
    ) -> tuple[bytes, str | None]:
        """A page of the books of these owners, or of all without one: JSON, and the id to continue after."""
        return _page(
            await self._database.read(
                "list_books",
                user_id=user_id,
                organization_id=organization_id,
                every=user_id is None and organization_id is None,
                after=after,
                limit=limit,
            )
        )

    async def set_wallet(self, book_id: str, wallet_id: str, purpose: str | None) -> bytes:
        """Set what a wallet of a book is for; None: nothing. The wallet as JSON.

        Raises:
            WalletNotFound: the book has no such wallet.
        """
        return await self._database.repeat(
            "set_book_wallet", book_id=book_id, wallet_id=wallet_id, purpose=purpose, caller=caller_param()
        )

    async def wallets(self, book_id: str, after: str | None, limit: int) -> tuple[bytes, str | None]:
        """A page of the wallets of a book: JSON, and the id to continue after; None at the end."""
        return _page(
            await self._database.read("list_book_wallets", book_id=book_id, after=after, limit=limit)
        )


def _page(answer: bytes) -> tuple[bytes, str | None]:
    items, _, following = answer.rpartition(b"\n")
    return items, following.decode() or None
