"""What is sent and returned about holds: frozen dataclasses, Decimals, datetimes with a time zone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from wallet_client.models import Transaction

HoldState = Literal["open", "captured", "voided", "expired"]
Overage = Literal["refuse", "take_available", "allow_to_limit"]
CaptureType = Literal["consume", "fee", "withdraw"]


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount of a wallet that is kept for a payment.

    Attributes:
        state: ``open``, ``captured``, ``voided`` or ``expired``.
        amount: what it kept when it was placed.
        authorised: the same with what increases added: what it keeps, and what became of the rest.
        remaining: what it still keeps, a part of the wallet's locked balance.
        captured: what was paid of it.
        voided: what was released by a void, or by a final capture.
        expired: what was released when it expired.
        overage: what captures took of the wallet beyond it.
        counter_account: what it pays.
        expires_at: when it expires, or would have.
        ended_at: None while it is open.
        replayed: the idempotency key was used before, and this is the first result again.
    """

    hold_id: str
    wallet_id: str
    currency: str
    state: str
    amount: Decimal
    authorised: Decimal
    remaining: Decimal
    captured: Decimal
    voided: Decimal
    expired: Decimal
    overage: Decimal
    counter_account: str
    expires_at: datetime
    ended_at: datetime | None
    reference: str | None
    metadata: Mapping[str, Any]
    created_at: datetime
    replayed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Capture:
    """A payment from a hold.

    Attributes:
        hold: after the capture.
        transaction: what was posted; its amount is what was captured.
    """

    hold: Hold
    transaction: Transaction
