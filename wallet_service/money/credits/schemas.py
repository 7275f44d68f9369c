"""The response about a user's credits."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from wallet_service.core.money import AmountText
from wallet_service.money.examples import USER_ID, WALLET_ID


class CreditsBalance(BaseModel):
    """What a user has in the wallet from which credits are consumed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": USER_ID,
                    "wallet_id": WALLET_ID,
                    "currency": "CREDIT",
                    "balance": "97.500000",
                    "available_balance": "97.500000",
                }
            ]
        }
    )

    user_id: str = Field(description="The user.")
    wallet_id: UUID | None = Field(description="Null for a user who has no such wallet.")
    currency: str = Field(description="Always `CREDIT`.")
    balance: AmountText = Field(description="The sum of the wallet's entries. 0 without a wallet.")
    available_balance: AmountText = Field(description="Balance minus locked balance. 0 without a wallet.")
