"""The line of an import, and its result."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from wallet_service.core.fields import CurrencyCode, Key, Line, Metadata, Timestamp
from wallet_service.core.money import AmountOrZero, BalanceAmount
from wallet_service.money.schemas import Keeping


class ImportLine(BaseModel):
    """A wallet with its opening balance: the columns of a CSV, or the members of a JSON line."""

    model_config = ConfigDict(extra="forbid")

    user_id: Line
    wallet_type: Literal["fiat", "crypto", "hybrid"] = "fiat"
    currency: CurrencyCode = "CREDIT"
    name: Line = "main"
    keeping: Keeping | None = Field(default=None, description="`operating` (the default) or `mirrored`.")
    organization_id: Line | None = None
    network: Annotated[Line, StringConstraints(max_length=64)] | None = None
    address: Line | None = None
    credit_limit: AmountOrZero | None = None
    metadata: Metadata | None = None
    balance: BalanceAmount = Field(default="0", description="Below zero only in a mirrored wallet.")
    effective_at: Timestamp | None = Field(
        default=None, description="When the balance was valid. Default: the posting time."
    )
    key: Key | None = Field(
        default=None,
        description="The idempotency key of the line. Default: one made of user, type, currency and name.",
    )


class ImportOutcome(BaseModel):
    """The result of a line, as one JSON line of the response."""

    line: int = Field(
        description="The number of the line in the body, from 1. The header of a CSV is line 1."
    )
    status: Literal["created", "replayed", "refused"]
    wallet_id: UUID | None
    problem: dict[str, Any] | None
