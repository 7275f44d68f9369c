"""Requests and responses of pairs."""

from datetime import date
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from wallet_service.core.fields import Line, UserId
from wallet_service.core.money import AmountText
from wallet_service.finance.parts.schemas import (
    AMOUNT_TEXT,
    BOOKED_ON_TEXT,
    EXAMPLE_BOOK,
    EXAMPLE_OTHER_WALLET,
    EXAMPLE_PAIR,
    EXAMPLE_TIME,
    EXAMPLE_WALLET,
    PairState,
    Version,
)
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit


class PairSide(BaseModel):
    """One entry of a pair."""

    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: int = Field(description="The number of the entry within its wallet.")
    transaction_id: UUID = Field(description="The posting that the entry belongs to.")
    currency: str = Field(description="The currency of the wallet.")
    amount: AmountText = Field(description=AMOUNT_TEXT)
    booked_on: date = Field(description=BOOKED_ON_TEXT)


PAIR: dict[str, Any] = {
    "pair_id": EXAMPLE_PAIR,
    "book_id": EXAMPLE_BOOK,
    "state": "paired",
    "is_automatic": True,
    "debit": {
        "wallet_id": EXAMPLE_WALLET,
        "wallet_version": 3,
        "transaction_id": "0199d0a8-0000-7000-8000-000000000003",
        "booked_on": "2026-01-02",
        "currency": "EUR",
        "amount": "-500.00",
    },
    "credit": {
        "wallet_id": EXAMPLE_OTHER_WALLET,
        "wallet_version": 1,
        "transaction_id": "0199d0a8-0000-7000-8000-000000000004",
        "booked_on": "2026-01-05",
        "currency": "EUR",
        "amount": "500.00",
    },
    "created_at": EXAMPLE_TIME,
}


class Pair(BaseModel):
    """A debit in one wallet of a book and a credit in another that are one transfer of its owner."""

    model_config = ConfigDict(json_schema_extra={"examples": [PAIR]})

    pair_id: UUID = Field(description="The pair.")
    book_id: UUID = Field(description="The book.")
    state: PairState = Field(
        description="`paired`: they are one transfer. `suggested`: they could be; a POST of the two pairs them."
    )
    is_automatic: bool = Field(description="Whether the service found it.")
    debit: PairSide = Field(description="The entry that takes the amount from its wallet.")
    credit: PairSide = Field(description="The entry that adds it.")
    created_at: AwareDatetime = Field(description="When it was found or made.")


class PairPage(BaseModel):
    """Pairs, oldest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [PAIR], "next_cursor": None, "pending_entries": 0}]}
    )

    items: list[Pair] = Field(description="The pairs.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
    pending_entries: int = Field(
        description="Entries that the book has not read yet: their pairs are missing here."
    )


class PairQuery(BaseModel):
    """Which pairs a list has."""

    model_config = ConfigDict(extra="forbid")

    user_id: Line | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    state: PairState = Field(default="paired", description="Pairs in this state.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class EntryNamed(BaseModel):
    """An entry that a request names."""

    model_config = ConfigDict(extra="forbid")

    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: Version = Field(description="The number of the entry within its wallet.")


class PairCreate(BaseModel):
    """A pair that the caller makes. The currencies may differ, and the amounts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "user-42",
                    "debit": {"wallet_id": EXAMPLE_WALLET, "wallet_version": 3},
                    "credit": {"wallet_id": EXAMPLE_OTHER_WALLET, "wallet_version": 1},
                }
            ]
        },
    )

    user_id: UserId | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    debit: EntryNamed = Field(description="A debit of a wallet of the book.")
    credit: EntryNamed = Field(description="A credit of another wallet of the book.")
