"""Books of users and organizations."""

from typing import TYPE_CHECKING, Any

from wallet_client._async.pages import AsyncPages
from wallet_client._async.runner import AsyncRunner
from wallet_client._call import PAGE_SIZE, UNSET, Call, Id, Unset, change_call, encode, get_call, post_call
from wallet_client._responses import book_of, book_wallet_of, book_wallets_of, books_of, changed_book_of

if TYPE_CHECKING:
    from wallet_client.books import Book, BookWallet, ChangedBook, Weekday
    from wallet_client.models import Page

_ROUTE = "/books/{book_id}"


class AsyncBooksResource:
    """``client.books``: whose money is kept together, in which currency, time zone and calendar."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def create(
        self,
        base_currency: str,
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        time_zone: str = "UTC",
        month_start_day: int = 1,
        week_start: "Weekday" = "monday",
        year_start_month: int = 1,
        idempotency_key: str | None = None,
    ) -> "Book":
        """Create the book of a user, or with a key of an organization. It has 60 categories.

        Args:
            base_currency: in which figures of the book are.
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.
            time_zone: a name of the IANA time zone database.
            month_start_day: on which months begin, 1 to 31.
            week_start: the day on which weeks begin.
            year_start_month: in which years begin, 1 to 12.
            idempotency_key: one book is created per key; default: a new key.

        Raises:
            BookExists: the user or organization has one; ``facts`` has its ``book_id``.
            CurrencyUnknown: there is no such currency.
            ValidationFailed: there is no such time zone, or a number is out of its range.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        body = {
            "user_id": None if user_id is None else str(user_id),
            "organization_id": None if organization_id is None else str(organization_id),
            "base_currency": base_currency,
            "time_zone": time_zone,
            "month_start_day": month_start_day,
            "week_start": week_start,
            "year_start_month": year_start_month,
        }
        return await self._runner.run(post_call("create_book", "/books", book_of, body, idempotency_key))

    async def get(self, book_id: Id) -> "Book":
        """Read a book.

        Args:
            book_id: the book.

        Raises:
            BookNotFound: there is no such book, or the caller may not see it.
        """
        return await self._runner.run(get_call("get_book", _ROUTE, book_of, book_id=book_id))

    def list(
        self, *, user_id: Id | None = None, organization_id: Id | None = None, page_size: int = PAGE_SIZE
    ) -> "AsyncPages[Book]":
        """The books that the caller sees, oldest first: a user's own, a key's all.

        Args:
            user_id: only that of this user.
            organization_id: only that of this organization.
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[Book]]":
            query = {"user_id": user_id, "organization_id": organization_id}
            return get_call("list_books", "/books", books_of, query | {"limit": page_size, "cursor": cursor})

        return AsyncPages(self._runner, page_after)

    async def update(
        self,
        book_id: Id,
        *,
        base_currency: str | Unset = UNSET,
        time_zone: str | Unset = UNSET,
        month_start_day: int | Unset = UNSET,
        week_start: "Weekday | Unset" = UNSET,
        year_start_month: int | Unset = UNSET,
        redate: bool | Unset = UNSET,
        if_version: int | None = None,
    ) -> "ChangedBook":
        """Change a book. Arguments that are left out (``wallet_client.UNSET``) change nothing.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            book_id: the book.
            base_currency: in which figures of the book are. Nothing that is stored is converted.
            time_zone: a name of the IANA time zone database.
            month_start_day: on which months begin, 1 to 31.
            week_start: the day on which weeks begin.
            year_start_month: in which years begin, 1 to 12.
            redate: with True, a job gives all entries their day in the time zone again; ``redate_job_id`` names it.
            if_version: change it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            BookNotFound: there is no such book, or the caller may not see it.
            CurrencyUnknown: there is no such currency.
            ValidationFailed: there is no such time zone, or a number is out of its range.
            OutcomeUnknown: the change may have been made; read the book.
        """
        members: dict[str, Any] = {
            "base_currency": base_currency,
            "time_zone": time_zone,
            "month_start_day": month_start_day,
            "week_start": week_start,
            "year_start_month": year_start_month,
            "redate": redate,
        }
        body = encode({member: value for member, value in members.items() if value is not UNSET})
        call = change_call("update_book", "PATCH", _ROUTE, changed_book_of, body, if_version, book_id=book_id)
        return await self._runner.run(call)

    def wallets(self, book_id: Id, *, page_size: int = PAGE_SIZE) -> "AsyncPages[BookWallet]":
        """The wallets that belong to a book, oldest first, closed ones too.

        Args:
            book_id: the book.
            page_size: items per request, 1 to 100.

        Raises:
            BookNotFound: there is no such book, or the caller may not see it.
        """

        def page_after(cursor: str | None) -> "Call[Page[BookWallet]]":
            query = {"limit": page_size, "cursor": cursor}
            return get_call("list_book_wallets", f"{_ROUTE}/wallets", book_wallets_of, query, book_id=book_id)

        return AsyncPages(self._runner, page_after)

    async def set_wallet(self, book_id: Id, wallet_id: Id, purpose: str | None) -> "BookWallet":
        """Set what a wallet of a book is for. The same call again changes nothing.

        Args:
            book_id: the book.
            wallet_id: a wallet that belongs to it.
            purpose: ``personal``, ``business``, ``savings``, ``asset``, ``debt``, or a word of your own; None: nothing.

        Raises:
            BookNotFound: there is no such book, or the caller may not see it.
            WalletNotFound: the book has no such wallet.
            ValidationFailed: the purpose is empty, or longer than 64 characters.
            OutcomeUnknown: it may have been set; call again.
        """
        call = change_call(
            "set_book_wallet",
            "PUT",
            f"{_ROUTE}/wallets/{{wallet_id}}",
            book_wallet_of,
            encode({"purpose": purpose}),
            None,
            book_id=book_id,
            wallet_id=wallet_id,
        )
        return await self._runner.run(call)
