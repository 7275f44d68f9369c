"""Requests and responses of wallets."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from wallet_service.core.fields import CurrencyCode, Key, Line, Metadata, UserId
from wallet_service.core.money import AmountOrZero, AmountText, BalanceAmount
from wallet_service.money.examples import USER_ID, WALLET
from wallet_service.money.schemas import Keeping
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit
from wallet_service.platform.web.query import BoolInQuery

WalletType = Literal["fiat", "crypto", "hybrid"]
WalletStatus = Literal["active", "frozen", "closed"]


class WalletCreate(BaseModel):
    """A new wallet. A user has at most one open wallet of each keeping, type, currency and name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"user_id": USER_ID, "currency": "CREDIT", "initial_balance": "100"}]
        },
    )

    user_id: UserId = Field(description="The user who owns the wallet.")
    wallet_type: WalletType = Field(default="fiat", description="A label: the ledger treats all types alike.")
    currency: CurrencyCode = Field(
        default="CREDIT",
        description="The currency of the wallet, which never changes. `GET /api/v1/currencies` lists them.",
    )
    name: Line = Field(
        default="main", description="Distinguishes the user's wallets of one type and currency."
    )
    organization_id: Line | None = Field(
        default=None, description="The organization that the wallet belongs to. Default: none."
    )
    network: Annotated[Line, StringConstraints(max_length=64)] | None = Field(
        default=None, description="The network of a crypto wallet, for the caller's own use."
    )
    address: Line | None = Field(
        default=None, description="The address of a crypto wallet, for the caller's own use."
    )
    keeping: Keeping | None = Field(
        default=None,
        description="`operating` (the default): money is held here. `mirrored`: a record of an account kept elsewhere or "
        "by hand, such as a bank account, a card or a house. It can't be changed later.",
    )
    initial_balance: BalanceAmount | None = Field(
        default=None,
        description="Posted together with the creation. Only a mirrored wallet can open below zero.",
    )
    credit_limit: AmountOrZero | None = Field(
        default=None, description="How far below zero the available balance may go."
    )
    metadata: Metadata | None = Field(
        default=None, description="A JSON object of the caller, at most 16 KiB."
    )
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
    name: Line = Field(default_factory=str, description="The new name.")
    metadata: Metadata | None = Field(default_factory=dict, description="null removes all members.")
    status: Literal["active", "frozen"] = Field(
        default_factory=lambda: "active", description="`frozen` refuses debits until it is `active` again."
    )
    is_primary: StrictBool = Field(
        default_factory=bool, description="Whether it is the wallet that the user prefers in its currency."
    )
    credit_limit: AmountOrZero = Field(
        default_factory=lambda: "0", description="How far below zero the available balance may go."
    )


class Wallet(BaseModel):
    """A wallet. ``version`` counts the changes of its properties, ``last_entry`` its entries in the ledger."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**WALLET}]})

    wallet_id: UUID = Field(description="The wallet's id, a UUIDv7.")
    user_id: str = Field(description="The user who owns it.")
    organization_id: str | None = Field(
        description="The organization that it belongs to. Null if there is none."
    )
    name: str = Field(description="Distinguishes the user's wallets of one type and currency.")
    wallet_type: WalletType = Field(description="A label: the ledger treats all types alike.")
    currency: str = Field(description="Its currency, and that of its amounts.")
    keeping: Keeping = Field(
        description="`operating`: money is held here. `mirrored`: a record of an account kept elsewhere or by hand."
    )
    network: str | None = Field(description="The network of a crypto wallet, for the caller's own use.")
    address: str | None = Field(description="The address of a crypto wallet, for the caller's own use.")
    balance: AmountText = Field(description="The sum of its entries.")
    locked_balance: AmountText = Field(description="The part of the balance that is reserved.")
    available_balance: AmountText = Field(
        description="Balance minus locked balance. A debit needs available balance plus credit limit."
    )
    credit_limit: AmountText = Field(description="How far below zero the available balance may go.")
    status: WalletStatus = Field(
        description="A `frozen` wallet refuses debits; a `closed` one refuses debits, credits and changes."
    )
    is_primary: bool = Field(description="Whether it is the wallet that the user prefers in its currency.")
    version: int = Field(
        description="How often its properties changed, from 1. Postings do not change it. `If-Match` compares it."
    )
    last_entry: int = Field(description="The `wallet_version` of its newest entry. 0 without entries.")
    metadata: dict[str, Any] = Field(description="The caller's JSON object.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When a property or the balance last changed.")


class WalletQuery(BaseModel):
    """The filters and the page of a list of a user's wallets."""

    model_config = ConfigDict(extra="forbid")

    wallet_type: WalletType | None = Field(default=None, description="Wallets of this type.")
    currency: CurrencyCode | None = Field(default=None, description="Wallets in this currency.")
    status: WalletStatus | None = Field(default=None, description="Wallets with this status.")
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

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{**WALLET}], "next_cursor": None}]})

    items: list[Wallet] = Field(description="The wallets.")
    next_cursor: str | None = Field(description="The `cursor` of the next page. Null on the last page.")
