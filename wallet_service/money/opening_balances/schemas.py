"""The line of an import, and its result."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from wallet_service.core.fields import CurrencyCode, Key, Line, Metadata, Timestamp, UserId
from wallet_service.core.money import AmountOrZero, BalanceAmount
from wallet_service.money.schemas import Keeping


class ImportLine(BaseModel):
    """A wallet with its opening balance: the columns of a CSV, or the members of a JSON line."""

    model_config = ConfigDict(extra="forbid")

    user_id: UserId = Field(description="The user who owns the wallet.")
    wallet_type: Literal["fiat", "crypto", "hybrid"] = Field(
        default="fiat", description="A label: the ledger treats all types alike."
    )
    currency: CurrencyCode = Field(
        default="CREDIT", description="The currency of the wallet. `GET /api/v1/currencies` lists them."
    )
    name: Line = Field(
        default="main", description="Distinguishes the user's wallets of one type and currency."
    )
    keeping: Keeping | None = Field(default=None, description="`operating` (the default) or `mirrored`.")
    organization_id: Line | None = Field(
        default=None, description="The organization that the wallet belongs to. Default: none."
    )
    network: Annotated[Line, StringConstraints(max_length=64)] | None = Field(
        default=None, description="The network of a crypto wallet, for the caller's own use."
    )
    address: Line | None = Field(
        default=None, description="The address of a crypto wallet, for the caller's own use."
    )
    credit_limit: AmountOrZero | None = Field(
        default=None, description="How far below zero the available balance may go. Default: 0."
    )
    metadata: Metadata | None = Field(
        default=None, description="A JSON object of the caller, at most 16 KiB."
    )
    balance: BalanceAmount = Field(
        default="0", description="The opening balance. Below zero only in a mirrored wallet."
    )
    effective_at: Timestamp | None = Field(
        default=None, description="When the balance was valid. Default: the posting time."
    )
    key: Key | None = Field(
        default=None,
        description="The idempotency key of the line. Default: one made of user, type, currency, name and keeping.",
    )


class FileImport(BaseModel):
    """A file to import."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"file_id": "0199d0a8-0000-7000-8000-0000000000ff"}]}
    )

    file_id: UUID = Field(description="A file of the caller: CSV or JSON lines, as for an import.")


class ImportOutcome(BaseModel):
    """The result of a line, as one JSON line of the response."""

    line: int = Field(
        description="The number of the line in the body, from 1. The header of a CSV is line 1."
    )
    status: Literal["created", "replayed", "refused"] = Field(
        description="`created`; `replayed`: it was imported before; `refused`: nothing was created."
    )
    wallet_id: UUID | None = Field(description="The wallet. Null for a refused line.")
    problem: dict[str, Any] | None = Field(
        description="The problem document of a refused line. Otherwise null."
    )
