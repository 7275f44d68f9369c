"""Operations of types that a room decides, as requests name them."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from wallet_service.core.fields import Key
from wallet_service.core.settings import Settings
from wallet_service.platform.auth.authentication import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPosting:
    """What a room's function decides about.

    Attributes:
        terms: what the function reads.
        amount: in the wallet's currency, if the type has one.
        counter_account: the other side, if the type has one.
        details: what is stored with the posting: description, reference, metadata.
        to_wallet_id: the second wallet, if the type is about two.
    """

    terms: Mapping[str, Any]
    amount: str | None = None
    counter_account: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    to_wallet_id: str | None = None


class BatchRoomOperation(BaseModel):
    """An operation of a batch that a room decides (``OperationType.request``). The room's model adds its members."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="The type of the operation.")
    wallet_id: UUID = Field(description="The wallet that it is about.")
    idempotency_key: Key | None = Field(
        default=None,
        description="Names the operation. Default: the key of the header, `/`, and the place of the operation from 0.",
    )

    @abstractmethod
    def posting(self, settings: Settings, caller: Principal) -> RoomPosting:
        """What the room's function decides about.

        Args:
            settings: of all rooms.
            caller: of the request.

        Raises:
            Forbidden: the caller may not name such an operation.
        """
