"""Requests and responses of wallets."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from wallet_service.core.fields import CurrencyCode, Key, Line, Metadata, UserId
from wallet_service.core.money import AmountOrZero, AmountText
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit
from wallet_service.platform.web.query import BoolInQuery

WalletType = Literal["fiat", "crypto", "hybrid"]
WalletStatus = Literal["active", "frozen", "closed"]


class WalletCreate(BaseModel):
    """A new wallet. A user has at most one open wallet of each type, currency and name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"user_id": "user-1", "currency": "CREDIT", "initial_balance": "100"}]
        },
    )

    user_id: UserId
    wallet_type: WalletType = "fiat"
    currency: CurrencyCode = "CREDIT"
    name: Line = "main"
    organization_id: Line | None = None
    network: Annotated[Line, StringConstraints(max_length=64)] | None = None
    address: Line | None = None
    initial_balance: AmountOrZero | None = Field(
        default=None, description="Posted as a deposit together with the creation."
    )
    credit_limit: AmountOrZero | None = Field(
        default=None, description="How far below zero the available balance may go."
    )
    metadata: Metadata | None = None
    idempotency_key: Key | None = Field(
        default=None,
        description="The same as the header `Idempotency-Key`. If both are sent, they must be equal.",
    )


class WalletPatch(BaseModel):
    """A merge patch (RFC 7396). Absent members stay. Only ``metadata`` is merged member by member."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "travel", "metadata": {"team": "blue"}}]}
    )

    # model_fields_set shows which members are absent. A factory keeps a default that is never used out of OpenAPI.
    name: Line = Field(default_factory=str)
    metadata: Metadata | None = Field(default_factory=dict, description="null removes all members.")
    status: Literal["active", "frozen"] = Field(default_factory=lambda: "active")
    is_primary: StrictBool = Field(default_factory=bool)
    credit_limit: AmountOrZero = Field(default_factory=lambda: "0")


_WALLET: dict[str, Any] = {
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
    "user_id": "user-1",
    "organization_id": None,
    "name": "main",
    "wallet_type": "fiat",
    "currency": "CREDIT",
    "network": None,
    "address": None,
    "balance": "100.000000",
    "locked_balance": "0.000000",
    "available_balance": "100.000000",
    "credit_limit": "0.000000",
    "status": "active",
    "is_primary": True,
    "version": 1,
    "last_entry": 1,
    "metadata": {},
    "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:05.678901Z",
}


class Wallet(BaseModel):
    """A wallet. ``version`` counts the changes of its properties, ``last_entry`` its entries in the ledger."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WALLET]})

    wallet_id: UUID
    user_id: str
    organization_id: str | None
    name: str
    wallet_type: WalletType
    currency: str
    network: str | None
    address: str | None
    balance: AmountText
    locked_balance: AmountText
    available_balance: AmountText
    credit_limit: AmountText
    status: WalletStatus
    is_primary: bool
    version: int
    last_entry: int
    metadata: dict[str, Any]
    created_at: AwareDatetime
    updated_at: AwareDatetime


class WalletQuery(BaseModel):
    """The filters and the page of a list of a user's wallets."""

    model_config = ConfigDict(extra="forbid")

    wallet_type: WalletType | None = None
    currency: CurrencyCode | None = None
    status: WalletStatus | None = None
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT

    def filters(self) -> dict[str, str | None]:
        """The filters, without the place and size of the page."""
        return {"wallet_type": self.wallet_type, "currency": self.currency, "status": self.status}


class AllWalletsQuery(BaseModel):
    """The filter and the page of the list of all wallets."""

    model_config = ConfigDict(extra="forbid")

    verified: BoolInQuery | None = Field(
        default=None,
        description="false: wallets that were created by an import or while their user could not be checked, and"
        " whose user has not been checked since. true: all others.",
    )
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class WalletPage(BaseModel):
    """A page of wallets, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_WALLET], "next_cursor": None}]})

    items: list[Wallet]
    next_cursor: str | None
