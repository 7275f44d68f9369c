"""What is returned about alerts and burn rates: frozen dataclasses, Decimals, datetimes with a time zone."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert: a line of a wallet's available balance.

    Attributes:
        set_by: ``operator`` or ``owner``: the side that can change it.
        amount: the threshold; None: it is a percentage.
        percent: the threshold in percent of ``granted``; None: it is an amount.
        hysteresis: how far above the threshold it recovers: an amount, or of a percentage, points.
        state: ``ok``, ``low`` or ``depleted``.
        threshold: the available balance at which, and below which, it is low.
        recovery: the available balance to which it must rise to be ``ok`` again.
        granted: what ``percent`` is of; None: the threshold is an amount.
        crossed_at: when its state last changed by itself; None: never.
        crossed_balance: the available balance then.
        transaction_id: the posting that did it; None: never, or a hold, which posts nothing.
        version: counts its changes by callers; for ``if_version``.
    """

    alert_id: str
    wallet_id: str
    currency: str
    set_by: str
    name: str
    amount: Decimal | None
    percent: Decimal | None
    hysteresis: Decimal
    state: str
    threshold: Decimal
    recovery: Decimal
    granted: Decimal | None
    crossed_at: datetime | None
    crossed_balance: Decimal | None
    transaction_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """What a wallet spent in a window that ends now.

    Attributes:
        window: ``1h``, ``24h`` or ``7d``.
        from_: when it begins: not before the wallet was created.
        spent: debits against accounts ``revenue:`` and ``expense:``.
        refunded: what refunds gave back of such debits in the window.
        per_day: the rate: spent less refunded, for 24 hours.
        runs_out_at: when the available balance is used up at this rate; None: not within ten years.
    """

    window: str
    from_: datetime
    spent: Decimal
    refunded: Decimal
    per_day: Decimal
    runs_out_at: datetime | None


@dataclass(frozen=True, slots=True)
class BurnRate:
    """How fast a wallet is spent, and when it will be empty at that rate.

    Attributes:
        at: the end of the windows.
        available_balance: the balance without what is locked.
        windows: the last hour, 24 hours and 7 days.
    """

    wallet_id: str
    currency: str
    at: datetime
    available_balance: Decimal
    windows: tuple[BurnWindow, ...]
