"""Requests and responses of the audit trail."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from wallet_service.core.fields import NO_CONTROL, Line, Timestamp
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

_BEFORE: dict[str, Any] = {
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
    "user_id": "user-1",
    "organization_id": None,
    "name": "main",
    "wallet_type": "fiat",
    "currency": "CREDIT",
    "keeping": "operating",
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
    "created_at": "2026-11-28T11:00:00.000000Z",
    "updated_at": "2026-11-28T11:00:00.000000Z",
}
_EXAMPLE: dict[str, Any] = {
    "sequence": 4,
    "recorded_at": "2026-11-28T12:00:00.000000Z",
    "actor": "client:billing",
    "on_behalf_of": None,
    "client_id": "billing",
    "address": "127.0.0.1",
    "session_id": None,
    "user_agent": "billing/1.0",
    "request_id": "0199d0a8-0000-7000-8000-000000000001",
    "action": "wallet.frozen",
    "object_id": "0199d0a8-0000-7000-8000-0000000000aa",
    "user_id": "user-1",
    "event_id": "0199d0a8-0000-7000-8000-000000000002",
    "changed": ["/status", "/updated_at", "/version"],
    "before": _BEFORE,
    "after": _BEFORE | {"status": "frozen", "version": 2, "updated_at": "2026-11-28T12:00:00.000000Z"},
}


_Actor = Annotated[str, StringConstraints(min_length=1, max_length=600, pattern=NO_CONTROL)]
"""Longer than a ``Line``: the client of a user token is its issuer and its subject, each of at most 255 characters."""


class AuditQuery(BaseModel):
    """The filters and the page of the audit trail. All filters must match."""

    model_config = ConfigDict(extra="forbid")

    actor: _Actor | None = Field(
        default=None, description="Entries of this actor, such as `client:backoffice`."
    )
    client_id: _Actor | None = Field(default=None, description="Entries of this client.")
    action: Line | None = Field(
        default=None, description="Entries with this action, such as `wallet.updated`."
    )
    object_id: Line | None = Field(default=None, description="Entries about this object.")
    user_id: Line | None = Field(default=None, description="Entries about data of this user.")
    request_id: Line | None = Field(default=None, description="Entries of this request.")
    from_: Timestamp | None = Field(
        default=None, alias="from", description="Entries of this moment or later."
    )
    to: Timestamp | None = Field(default=None, description="Entries before this moment.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT

    def filters(self) -> dict[str, str]:
        """The filters, without the place and size of the page."""
        return self.model_dump(by_alias=True, exclude={"cursor", "limit"}, exclude_none=True)


class AuditEntry(BaseModel):
    """A change or a read, and who made it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    sequence: int = Field(description="A number that is unique; numbers can be missing.")
    recorded_at: AwareDatetime = Field(description="When it was recorded, in the transaction of the change.")
    actor: str = Field(
        description="`client:<name>`, `user:<id>`, `command:<user of the operating system>`, `job:<id>`, `service`, or"
        " `unknown` for a call of an earlier release."
    )
    on_behalf_of: str | None = Field(description="The actor that it acts for, if it acts for another.")
    client_id: str | None = Field(
        description="The owner of its idempotency keys, if it has called over HTTP."
    )
    address: str | None = Field(description="The address from which the request came.")
    session_id: str | None = Field(description="The session of the user's token, if the token names one.")
    user_agent: str | None = Field(description="The header `User-Agent`, at most 200 characters.")
    request_id: str | None = Field(description="The id of the request, as in `X-Request-Id` and in the log.")
    action: str = Field(description="The type of the event, or of the read, such as `wallet.read`.")
    object_id: str = Field(description="What was changed or read. `*`: all.")
    user_id: str | None = Field(description="Whose data it is. Null: not that of one user.")
    event_id: UUID | None = Field(description="The event of the change. Null for a read.")
    changed: list[str] | None = Field(
        description="What differs between before and after, as JSON pointers, also where values are masked."
    )
    before: dict[str, Any] | None = Field(
        description="The object before the change. `***`: a value that can be secret or personal."
    )
    after: dict[str, Any] | None = Field(description="The object after the change, as `before`.")


class AuditPage(BaseModel):
    """Entries, newest first. With filters a page can be short, even empty, and not be the last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})

    items: list[AuditEntry] = Field(description="The entries.")
    next_cursor: str | None = Field(description="The `cursor` of the next page. Null on the last page.")


class ExpiredEntries(BaseModel):
    """Entries that one call of the retention deleted."""

    entries: int = Field(description="Their number.")
    oldest: AwareDatetime = Field(description="When the oldest of them was recorded.")
    newest: AwareDatetime = Field(description="When the newest of them was recorded.")
