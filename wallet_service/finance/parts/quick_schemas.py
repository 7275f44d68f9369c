"""Requests of quick transactions."""

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import CurrencyCode, Line, Metadata, Text, Timestamp, UserId
from wallet_service.core.money import Amount
from wallet_service.finance.parts.schemas import (
    CATEGORY_ID_TEXT,
    EXAMPLE_CATEGORY,
    NOTE_TEXT,
    PAYEE_ID_TEXT,
    TAG_IDS_TEXT,
    Tags,
)


class QuickTransaction(BaseModel):
    """An income or expense in one step."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"user_id": "user-42", "type": "expense", "amount": "4.50", "category_id": EXAMPLE_CATEGORY}
            ]
        },
    )

    type: Literal["income", "expense"] = Field(
        description="`income` is posted as a deposit, `expense` as a withdrawal."
    )
    amount: Amount = Field(description="More than 0, in the wallet's currency.")
    user_id: UserId | None = Field(
        default=None,
        description="The user whose book it is. Default: the user of the token, or the owner of the wallet.",
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    wallet_id: UUID | None = Field(
        default=None,
        description="The wallet. Default: the primary wallet of the currency, a mirrored one; with a key an operating "
        "one if there is no mirrored one.",
    )
    currency: CurrencyCode | None = Field(
        default=None, description="Without a wallet: its currency. Default: that of the book."
    )
    category_id: UUID | None = Field(default=None, description=CATEGORY_ID_TEXT)
    payee_id: UUID | None = Field(default=None, description=PAYEE_ID_TEXT)
    tag_ids: Tags = Field(default=[], description=TAG_IDS_TEXT)
    note: Text | None = Field(default=None, description=NOTE_TEXT)
    description: Text | None = Field(default=None, description="Stored with the entry.")
    reference: Line | None = Field(default=None, description="Stored with the entry.")
    metadata: Metadata | None = Field(default=None, description="Stored with the entry.")
    effective_at: Timestamp | None = Field(default=None, description="When it happened. Default: now.")

    @model_validator(mode="after")
    def _one_wallet(self) -> Self:
        owners = (self.user_id, self.organization_id)
        if self.wallet_id is not None and (self.currency, *owners) != (None, None, None):
            raise PydanticCustomError(
                "wallet_named_twice",
                "wallet_id names the wallet: leave out currency, user_id and organization_id",
            )
        return self

    def part(self) -> dict[str, Any]:
        """Its part, as a movement's body has it."""
        named = {"category_id", "payee_id", "tag_ids", "note"}
        return self.model_dump(mode="json", include=named, exclude_none=True)
