"""The response about a user's credits."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from wallet_service.core.money import AmountText


class CreditsBalance(BaseModel):
    """What a user has in the wallet from which credits are consumed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "user-1",
                    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
                    "currency": "CREDIT",
                    "balance": "97.500000",
                    "available_balance": "97.500000",
                }
            ]
        }
    )

    user_id: str
    wallet_id: UUID | None = Field(description="Null for a user who has no such wallet.")
    currency: str
    balance: AmountText
    available_balance: AmountText
