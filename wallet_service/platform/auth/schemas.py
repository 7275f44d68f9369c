"""What events and the audit trail have of an API key."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field


class ApiKey(BaseModel):
    """An API key, without its secret and its hash."""

    key_id: str = Field(description="The key's id: 32 hexadecimal digits.")
    client_name: str = Field(description="The client's name.")
    scopes: list[str] = Field(description="Its permissions.")
    created_at: AwareDatetime = Field(description="When it was created.")
    expires_at: AwareDatetime | None = Field(description="From then on it is refused. Null: never.")
    revoked_at: AwareDatetime | None = Field(description="When it was revoked. Null: it was not.")
    wallet_ids: list[UUID] | None = Field(description="The only wallets that it sees. Null: any.")
    user_id: str | None = Field(description="It sees the wallets of this user only. Null: of any.")
    organization_id: str | None = Field(
        description="It sees the wallets of this organization only. Null: of any."
    )
    counter_accounts: list[str] | None = Field(description="The only other sides of its entries. Null: any.")
    max_amount: str | None = Field(description="The most that one of its operations moves. Null: any amount.")
