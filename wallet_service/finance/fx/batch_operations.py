"""Conversions in batches."""

from typing import Literal

from pydantic import Field

from wallet_service.core.settings import Settings
from wallet_service.finance.fx.conversion_schemas import ConversionDetails
from wallet_service.finance.fx.service import terms_of
from wallet_service.money.transactions.room_operations import BatchRoomOperation, RoomPosting
from wallet_service.platform.auth.authentication import Principal


class BatchConversion(ConversionDetails, BatchRoomOperation):
    """One conversion of a batch. It is posted as `exchange`."""

    type: Literal["convert"] = Field(description="The type of the operation.")  # pyright: ignore[reportIncompatibleVariableOverride]  # of a union, by its value

    def posting(self, settings: Settings, caller: Principal) -> RoomPosting:
        """What SQL decides about."""
        del caller
        return RoomPosting(
            terms=terms_of(self, settings),
            amount=self.amount,
            details=self.details(),
            to_wallet_id=str(self.to_wallet_id),
        )
