"""Declares the room."""

from wallet_service.core.room import EventType, Permission, RecordedRead, Room, VerifyWalk
from wallet_service.finance.books.problems import BookExists, BookNotFound

PATH = "/api/v1/books"

BOOKS_READ = Permission("books:read", "Read books and which wallets belong to them", is_users=True)
BOOKS_WRITE = Permission(
    "books:write",
    "Create and change books, and set what their wallets are for: a user its own and those of its organizations",
    includes=("books:read",),
    is_users=True,
)

ROOM = Room(
    name="books",
    module=__name__,
    summary="books: whose money is kept together, in which currency, time zone and calendar",
    routers=("router:router",),
    tags={
        "books": "A book is the money of a person or an organization: the wallets, a base currency, a time zone and "
        "a calendar, in which all figures of money management are."
    },
    permissions=(BOOKS_READ, BOOKS_WRITE),
    problems=(BookNotFound, BookExists),
    lifespan="lifespan:open_books",
    schema="finance",
    event_types=(
        EventType(name="book.created", summary="A book was created.", data="schemas:Book"),
        EventType(name="book.updated", summary="A book was changed.", data="schemas:Book"),
        EventType(
            name="book_wallet.updated",
            summary="What a wallet of a book is for was changed.",
            data="schemas:BookWallet",
            masked=("purpose",),
        ),
    ),
    recorded_reads={
        "list_books": RecordedRead(action="book.read"),
        "get_book": RecordedRead(action="book.read"),
        "list_book_wallets": RecordedRead(action="book_wallet.read"),
    },
    verify_walks=(
        VerifyWalk(
            "verify_books",
            "books",
            {
                "book wallets": "a wallet with a purpose belongs to the book that says so",
                "book calendar": "a book has a time zone that the database knows",
            },
        ),
    ),
)
