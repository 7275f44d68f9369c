"""Whose book a request is about, and whether its caller may see it. Every room of the group finance asks here.

A user's token sees the book of its user, and those of organizations of which the user is known to be a member. A key
sees every book, or those of the user or organization to which it is restricted; a key restricted to some wallets sees
none, because a book has all wallets of its owner. What a caller may not see does not exist for it.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from cachetools import LRUCache
from fastapi import Depends
from starlette.requests import Request

from wallet_service.core.errors import Forbidden
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.repository import BookRepository
from wallet_service.platform.auth.authentication import Principal, principal
from wallet_service.platform.membership.access import CallerAccess, caller_access
from wallet_service.platform.web.problems import validation_problem

MOST_KNOWN = 100_000
"""Books whose owner is cached. It never changes, and no book is deleted."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a book is: either a user's or an organization's."""

    user_id: str | None = None
    organization_id: str | None = None


@dataclass(frozen=True, slots=True)
class KnownBook:
    """A book and its owner."""

    book_id: str
    owner: Owner


class KnownBooks:
    """Finds the owner of a book, and the book of an owner. Each is read once and cached.

    Args:
        repository: has the books.
    """

    def __init__(self, repository: BookRepository) -> None:
        self._repository = repository
        self._known: LRUCache[str | Owner, KnownBook] = LRUCache(MOST_KNOWN)

    async def by_id(self, book_id: str) -> KnownBook:
        """The book of this id.

        Raises:
            BookNotFound: there is none.
        """
        return self._known.get(book_id) or self._keep(await self._repository.find(book_id=book_id))

    async def of_owner(self, owner: Owner) -> KnownBook:
        """The book of an owner.

        Raises:
            BookNotFound: there is none.
        """
        return self._known.get(owner) or self._keep(
            await self._repository.find(user_id=owner.user_id, organization_id=owner.organization_id)
        )

    def _keep(self, found: bytes) -> KnownBook:
        document: dict[str, Any] = json.loads(found)
        book = KnownBook(document["book_id"], Owner(document["user_id"], document["organization_id"]))
        self._known[book.book_id] = self._known[book.owner] = book
        return book


class BookAccess:
    """The books that the caller of a request may see.

    Args:
        known: finds books.
        caller: who asks.
        access: its access checks.
    """

    def __init__(self, known: KnownBooks, caller: Principal, access: CallerAccess) -> None:
        self._known = known
        self._caller = caller
        self._access = access

    async def require(self, book_id: str) -> KnownBook:
        """The book of this id.

        Raises:
            BookNotFound: there is none, or the caller may not see it.
            UpstreamUnavailable: it is an organization's, and the membership can't be checked now.
        """
        book = await self._known.by_id(book_id)
        if not await self.covers(book.owner):
            raise BookNotFound(book_id=book_id)
        return book

    async def find(
        self, user_id: str | None, organization_id: str | None, *, place: str = "query"
    ) -> KnownBook:
        """The book that a request is about, which names its owner or leaves that out; ``place`` as of ``owner_of``.

        Raises:
            ValidationFailed: a key names no owner, or the request names two.
            BookNotFound, UpstreamUnavailable: as ``require``.
        """
        owner = self.owner_of(user_id, organization_id, place=place)
        if not await self.covers(owner):
            raise BookNotFound(**_facts(owner))
        return await self._known.of_owner(owner)

    def owner_of(self, user_id: str | None, organization_id: str | None, *, place: str) -> Owner:
        """The owner that a request names, or by default the user of the token or key.

        Args:
            user_id: as the request has it.
            organization_id: as the request has it.
            place: where the request has them, for the problem: ``body`` or ``query``.

        Raises:
            ValidationFailed: it names both, or a key none.
        """
        if user_id is not None and organization_id is not None:
            raise _owner_fault(
                place, "organization_id", "a book has one owner: give user_id or organization_id"
            )
        if user_id is None and organization_id is None:
            found = self.own()
            if found is None:
                raise _owner_fault(place, "user_id", "a key names the owner: give user_id or organization_id")
            return found
        return Owner(user_id, organization_id)

    def own(self) -> Owner | None:
        """The only owner whose book the caller means without naming it; None: it must name one."""
        if self._caller.is_user:
            return Owner(user_id=self._caller.user_id)
        restriction = self._caller.restriction
        if restriction is None or (restriction.user_id is None) == (restriction.organization_id is None):
            return None
        return Owner(restriction.user_id, restriction.organization_id)

    async def covers(self, owner: Owner) -> bool:
        """Whether the caller may see the book of an owner.

        Raises:
            UpstreamUnavailable: as ``require``.
        """
        if self._caller.is_user:
            if owner.organization_id is not None:
                return await self._access.is_member(owner.organization_id)
            return owner.user_id == self._caller.user_id
        restriction = self._caller.restriction
        return restriction is None or (
            not restriction.wallet_ids
            and restriction.user_id in (None, owner.user_id)
            and restriction.organization_id in (None, owner.organization_id)
        )

    async def require_creation(self, owner: Owner) -> None:
        """Refuse a caller who may not create the book of an owner: users create their own, keys those that they cover.

        Raises:
            Forbidden: with the reason.
        """
        if self._caller.is_user and owner != self.own():
            raise Forbidden("A user token creates the book of its own user only")
        if not await self.covers(owner):
            raise Forbidden("The key is restricted and can't create this book")


def _facts(owner: Owner) -> dict[str, str]:
    if owner.user_id is not None:
        return {"user_id": owner.user_id}
    return {"organization_id": owner.organization_id or ""}


def _owner_fault(place: str, member: str, message: str) -> Exception:
    return validation_problem([{"type": "owner_invalid", "loc": (place, member), "msg": message}])


async def _book_access(request: Request) -> BookAccess:
    caller = await principal(request)
    return BookAccess(request.app.state.known_books, caller, caller_access(request))


BookAccessOf = Annotated[BookAccess, Depends(_book_access)]
"""Parameter type of an endpoint that is about a book."""
