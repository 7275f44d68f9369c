"""Problems of books. SQL uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class BookNotFound(WalletError):
    """The book does not exist, the user or organization has none, or the caller may not see it."""

    code, status, title = "book_not_found", 404, "Book not found"
    details = (
        "There is no book {book_id}, or the caller may not see it",
        "The user {user_id} has no book, or the caller may not see it: POST /api/v1/books creates one",
        "The organization {organization_id} has no book, or the caller may not see it: POST /api/v1/books creates one",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {"book_id": "0199d0a8-0000-7000-8000-00000000b001"}


class BookExists(WalletError):
    """The user or organization has a book, and there is one of each."""

    code, status, title = "book_exists", 409, "Book exists"
    details = ("The owner has the book {book_id}, and there is one of each user and organization",)
    example_facts: ClassVar[Mapping[str, Any]] = {"book_id": "0199d0a8-0000-7000-8000-00000000b001"}
