"""Requests and responses of conversions of money."""

from datetime import date
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import Key, Line, Metadata, Text, Timestamp
from wallet_service.core.money import Amount, AmountText
from wallet_service.finance.fx.schemas import RATE_TEXT, SIGNED_TEXT
from wallet_service.money.examples import ENTRY, EXCHANGE, OTHER_WALLET_ID, WALLET_ID, transaction
from wallet_service.money.responses import PostedTransaction

_DETAILS = ("description", "reference", "metadata", "effective_at")

CONVERSION: dict[str, Any] = {
    "transaction_id": ENTRY["transaction_id"],
    "wallet_id": WALLET_ID,
    "to_wallet_id": OTHER_WALLET_ID,
    "from": "EUR",
    "to": "USD",
    "amount": "10.00",
    "to_amount": "11.00",
    "rate": "1.1",
    "rated_on": "2026-01-02",
    "stale": False,
    "spread_bps": 0,
    "remainder": "0.00000000000000",
    "quote_id": None,
}

_METADATA = {"fx_rate": CONVERSION["rate"], "fx_rated_on": CONVERSION["rated_on"]}
_LEGS = [{**leg, "metadata": _METADATA} for leg in EXCHANGE]


class ConversionDetails(BaseModel):
    """What is converted."""

    model_config = ConfigDict(extra="forbid")

    to_wallet_id: UUID = Field(
        description="A wallet of another currency, of the same user or organization and the same keeping."
    )
    amount: Amount | None = Field(
        default=None, description="How much leaves the wallet. Default: the amount of the quote."
    )
    to_amount: Amount | None = Field(
        default=None,
        description="How much the other wallet gets, where that is known: what a bank did. No rate is asked then. Only "
        "of mirrored wallets.",
    )
    quote_id: UUID | None = Field(default=None, description="A quote of this caller that has not expired.")
    description: Text | None = Field(
        default=None, description="A text about the operation, at most 1000 characters."
    )
    reference: Line | None = Field(
        default=None, description="The caller's own name for the operation. Histories can be filtered by it."
    )
    metadata: Metadata | None = Field(
        default=None,
        description="A JSON object of the caller, at most 16 KiB. `fx_rate`, `fx_rated_on` and `fx_quote_id` are added.",
    )
    effective_at: Timestamp | None = Field(
        default=None,
        description="When it happened. In mirrored wallets the rate is of this day; in operating ones of today.",
    )

    @model_validator(mode="after")
    def _priced_once(self) -> Self:
        if self.quote_id is not None and self.to_amount is not None:
            raise PydanticCustomError("price_ambiguous", "give either to_amount or quote_id")
        if self.quote_id is None and self.amount is None:
            raise PydanticCustomError("amount_missing", "give amount, or quote_id of a quote that has it")
        return self

    def terms(self) -> dict[str, Any]:
        """What the kernel reads, beside the amount and the wallets."""
        named = {
            "to_amount": self.to_amount,
            "quote_id": None if self.quote_id is None else str(self.quote_id),
        }
        return {name: value for name, value in named.items() if value is not None}

    def details(self) -> dict[str, Any]:
        """What is stored with the posting."""
        found = {name: getattr(self, name) for name in _DETAILS}
        return {name: value for name, value in found.items() if value is not None}


class ConversionCreate(ConversionDetails):
    """Money to be converted."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"to_wallet_id": OTHER_WALLET_ID, "amount": "10.00"}]},
    )

    dry_run: StrictBool = Field(
        default=False,
        description="Decide the operation and return its result with status 200, but post nothing and spend no key.",
    )
    idempotency_key: Key | None = Field(
        default=None,
        description="The same as the header `Idempotency-Key`. If both are sent, they must be equal.",
    )


class Conversion(BaseModel):
    """What was converted, and by which rate."""

    model_config = ConfigDict(json_schema_extra={"examples": [CONVERSION]})

    transaction_id: UUID = Field(description="The transaction.")
    wallet_id: UUID = Field(description="The wallet that was debited.")
    to_wallet_id: UUID = Field(description="The wallet that was credited.")
    from_: str = Field(alias="from", description="The currency of the debited wallet.")
    to: str = Field(description="The currency of the credited wallet.")
    amount: AmountText = Field(description="What left the one wallet.")
    to_amount: AmountText = Field(description="What the other got: rounded once, half away from zero.")
    rate: RATE_TEXT = Field(
        description="What one unit of `from` was worth in units of `to`, without the spread; of amounts that the caller "
        "gave, their quotient."
    )
    rated_on: date | None = Field(description="The day of the rate. Null: the caller gave both amounts.")
    stale: bool = Field(
        description="Whether the rate is older than rates may be, because no newer one has come."
    )
    spread_bps: int | None = Field(
        description="What the conversion kept, in hundredths of a percent. Null: the caller gave both amounts."
    )
    remainder: SIGNED_TEXT | None = Field(
        description="What rounding left: the exact amount less `to_amount`. Null: the caller gave both amounts."
    )
    quote_id: UUID | None = Field(description="The quote that was used; null: none.")


class PostedConversion(BaseModel):
    """A conversion and its posting."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"conversion": CONVERSION, "transaction": transaction(*_LEGS)}]}
    )

    conversion: Conversion = Field(description="What was converted.")
    transaction: PostedTransaction = Field(
        description="The posting: an `exchange` with one entry in each wallet."
    )
