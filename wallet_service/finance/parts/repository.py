"""The SQL functions of parts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json


class Catalogued(NamedTuple):
    """What a call of ``catalogue`` did.

    Attributes:
        written: entries that it catalogued.
        pending: entries of the book that are not.
    """

    written: int
    pending: int


class WalletOwner(NamedTuple):
    """Whose a wallet is. None of it ever changes, but for the book, which its owner may get.

    Attributes:
        keeping: ``operating`` or ``mirrored``.
        book_id: None: the owner has no book.
    """

    wallet_id: str
    user_id: str
    organization_id: str | None
    currency: str
    keeping: str
    book_id: str | None


class CatalogueRepository:
    """Catalogues the entries of books: gives them the parts that they have by default."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def catalogue(self, book_id: str, limit: int) -> Catalogued:
        """Catalogue at most so many entries of a book that are missing. A standby counts them only."""
        found = json.loads(await self._database.repeat("catalogue_book", book_id=book_id, limit=limit))
        return Catalogued(found["written"], found["pending"])

    async def books_of(self, wallet_ids: Sequence[str]) -> Mapping[str, str | None]:
        """The book of each wallet; None: it has none."""
        return json.loads(
            await self._database.read("list_books_of_wallets", wallet_ids=Json.of(list(wallet_ids)))
        )

    async def pending_books(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Of some books, those with entries that are not catalogued, and the book to continue after."""
        found = json.loads(await self._database.read("list_pending_books", after=after, limit=limit))
        return found["books"], found["next"]

    async def redate(
        self, book_id: str, run_id: str, after: Mapping[str, Any], limit: int
    ) -> tuple[int, Mapping[str, Any] | None]:
        """Give a piece of a book's entries their day again: how many moved, and after which place to go on."""
        found = json.loads(
            await self._database.repeat(
                "redate_parts",
                book_id=book_id,
                run_id=run_id,
                after_wallet=after.get("after_wallet"),
                after_version=after.get("after_version"),
                limit=limit,
                caller=caller_param(),
            )
        )
        return found["moved"], found["next"]


class PartRepository:
    """Reads and changes parts. Who may see their book is decided before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, book_id: str, filters: Mapping[str, Any], before: Mapping[str, Any] | None, limit: int
    ) -> tuple[bytes, Mapping[str, Any] | None]:
        """A page of parts, newest day first: JSON, and the place to continue after; None at the end.

        It can be short, even empty, and not be the last: a call reads a bounded number of parts.

        Raises:
            LabelNotFound: the book has no such label.
        """
        answer = await self._database.read(
            "list_book_parts",
            book_id=book_id,
            filters=Json.of(filters),
            before=None if before is None else Json.of(before),
            limit=limit,
        )
        items, _, place = answer.rpartition(b"\n")
        return items, json.loads(place) if place else None

    async def get(self, book_id: str, wallet_id: str, version: int) -> bytes:
        """An entry with its parts.

        Raises:
            EntryNotFound: the book has no such entry.
            EntryPending: it is not catalogued yet.
        """
        return await self._database.read(
            "get_entry_parts", book_id=book_id, wallet_id=wallet_id, version=version
        )

    async def set(
        self, book_id: str, wallet_id: str, version: int, change: Mapping[str, Any], run_id: str
    ) -> bytes:
        """Change the parts of an entry, and return it with them.

        Raises:
            VersionMismatch: they have another etag.
            PartsUnbalanced, LabelNotFound, AmountPrecision, EntryNotFound, EntryPending: they can't be so.
        """
        return await self._database.call(
            "set_entry_parts",
            book_id=book_id,
            wallet_id=wallet_id,
            version=version,
            change=Json.of(change),
            run_id=run_id,
            caller=caller_param(),
        )

    async def edit(self, book_id: str, changes: Sequence[Mapping[str, Any]], run_id: str) -> Any:
        """Change the parts of several entries, each for itself: ``{"run_id","items"}``."""
        return json.loads(
            await self._database.call(
                "edit_parts",
                book_id=book_id,
                items=Json.of(list(changes)),
                run_id=run_id,
                caller=caller_param(),
            )
        )

    async def book_of_run(self, run_id: str) -> str:
        """The book of a run.

        Raises:
            RunNotFound: there is none.
        """
        return json.loads(await self._database.read("get_run", run_id=run_id))["book_id"]

    async def undo(self, book_id: str, run_id: str, undo_run_id: str, limit: int) -> dict[str, Any]:
        """Take back a piece of a run; what that came to so far, and as ``done`` whether it is all."""
        answer = await self._database.repeat(
            "undo_run",
            book_id=book_id,
            run_id=run_id,
            undo_run_id=undo_run_id,
            limit=limit,
            caller=caller_param(),
        )
        return json.loads(answer)

    async def pairs(
        self, book_id: str, state: str, after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """A page of pairs in a state: JSON, and the id to continue after; None at the end."""
        answer = await self._database.read(
            "list_pairs", book_id=book_id, state=state, after=after, limit=limit
        )
        items, _, following = answer.rpartition(b"\n")
        return items, following.decode() or None

    async def book_of_pair(self, pair_id: str) -> str:
        """The book of a pair.

        Raises:
            PairNotFound: there is none.
        """
        return json.loads(await self._database.read("get_pair", pair_id=pair_id))["book_id"]

    async def pair(
        self, book_id: str, pair_id: str, debit: Mapping[str, Any], credit: Mapping[str, Any], run_id: str
    ) -> bytes:
        """Make two entries a pair. The same call again returns the same pair.

        Raises:
            EntryNotFound, EntryPending: the book has no such entry, or not yet.
            PairExists: one of them is in another pair.
            ValidationFailed: they are not a debit and a credit of two wallets.
        """
        return await self._database.repeat(
            "create_pair",
            pair_id=pair_id,
            book_id=book_id,
            pair=Json.of({"debit": debit, "credit": credit}),
            run_id=run_id,
            caller=caller_param(),
        )

    async def unpair(self, book_id: str, pair_id: str, run_id: str) -> None:
        """Dismiss a pair, or a suggestion.

        Raises:
            PairNotFound: the book has no such pair.
        """
        await self._database.repeat(
            "delete_pair", book_id=book_id, pair_id=pair_id, run_id=run_id, caller=caller_param()
        )

    async def owner_of(self, wallet_id: str) -> WalletOwner:
        """Whose a wallet is.

        Raises:
            WalletNotFound: there is none.
        """
        return WalletOwner(**json.loads(await self._database.read("read_wallet_owner", wallet_id=wallet_id)))

    async def quick_wallet(
        self, book_id: str, currency: str | None, client_id: str, key: str | None
    ) -> WalletOwner:
        """The wallet in which an income or expense is noted that names none: a mirrored one, else an operating one.

        A key of the client that was spent on one names that.

        Raises:
            WalletNotFound: the book has none.
        """
        found = await self._database.read(
            "get_quick_wallet",
            book_id=book_id,
            currency=currency,
            client_id=client_id,
            key=key,
        )
        return WalletOwner(**json.loads(found))
