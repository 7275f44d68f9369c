"""Operations on holds in batches."""

from abc import ABC
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from wallet_service.billing.holds.schemas import (
    CaptureDetails,
    ExtendDetails,
    HoldDetails,
    IncreaseDetails,
)
from wallet_service.billing.holds.service import COUNTER_ACCOUNT, check_account, details, ending
from wallet_service.billing.holds.settings import HoldsSettings
from wallet_service.core.settings import Settings
from wallet_service.money.transactions.room_operations import BatchRoomOperation, RoomPosting
from wallet_service.platform.auth.authentication import Principal


class BatchHold(HoldDetails, BatchRoomOperation):
    """One hold of a batch."""

    type: Literal["hold"] = Field(description="The type of the operation.")  # pyright: ignore[reportIncompatibleVariableOverride]  # of a union, by its value

    def posting(self, settings: Settings, caller: Principal) -> RoomPosting:
        """What SQL decides about."""
        check_account(caller, self.counter_account, COUNTER_ACCOUNT)
        return RoomPosting(
            terms=ending(self, settings[HoldsSettings]),
            amount=self.amount,
            counter_account=self.counter_account or COUNTER_ACCOUNT,
            details=details(self),
        )


class _OfHold(BatchRoomOperation, ABC):
    hold_id: UUID = Field(description="The hold, which is one of the wallet.")

    @property
    def _hold(self) -> dict[str, Any]:
        return {"hold_id": str(self.hold_id)}


class BatchHoldCapture(CaptureDetails, _OfHold):
    """One capture of a batch. It is posted as `consume`."""

    type: Literal["hold_capture"] = Field(description="The type of the operation.")  # pyright: ignore[reportIncompatibleVariableOverride]  # of a union, by its value

    def posting(self, settings: Settings, caller: Principal) -> RoomPosting:
        """What SQL decides about. Without a counter account it is that of the hold, which SQL knows."""
        del settings
        check_account(caller, self.counter_account, COUNTER_ACCOUNT)
        return RoomPosting(
            terms=self._hold | {"final": self.final, "overage": self.overage, "type": "consume"},
            amount=self.amount,
            counter_account=self.counter_account,
            details=details(self),
        )


class BatchHoldVoid(_OfHold):
    """One void of a batch."""

    type: Literal["hold_void"] = Field(description="The type of the operation.")  # pyright: ignore[reportIncompatibleVariableOverride]  # of a union, by its value

    def posting(self, settings: Settings, caller: Principal) -> RoomPosting:
        """What SQL decides about."""
        del settings, caller
        return RoomPosting(terms=self._hold)


class BatchHoldExtend(ExtendDetails, _OfHold):
    """One extension of a batch."""

    type: Literal["hold_extend"] = Field(description="The type of the operation.")  # pyright: ignore[reportIncompatibleVariableOverride]  # of a union, by its value

    def posting(self, settings: Settings, caller: Principal) -> RoomPosting:
        """What SQL decides about."""
        del caller
        return RoomPosting(terms=self._hold | ending(self, settings[HoldsSettings]))


class BatchHoldIncrease(IncreaseDetails, _OfHold):
    """One increase of a batch."""

    type: Literal["hold_increase"] = Field(description="The type of the operation.")  # pyright: ignore[reportIncompatibleVariableOverride]  # of a union, by its value

    def posting(self, settings: Settings, caller: Principal) -> RoomPosting:
        """What SQL decides about."""
        del settings, caller
        return RoomPosting(terms=self._hold, amount=self.amount)
