"""What is sent and returned about limits: frozen dataclasses, Decimals, datetimes with a time zone."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from wallet_client.money import Amount, amount_text

Period = Literal["transaction", "day", "week", "month", "rolling"]


@dataclass(frozen=True, slots=True)
class NewLimit:
    """A limit to set.

    Attributes:
        period: what the amount is for: one ``transaction``, a calendar ``day``, ``week`` or ``month``, or a ``rolling``
            window.
        amount: the most that may be spent, in the wallet's currency; 0: nothing.
        time_zone: of a calendar period: a name of the IANA time zone database; None: UTC.
        window_s: of a rolling limit: seconds, from 60 to 366 days.
        counter_account: only debits against it count; with a ``*`` at its end, against all that begin like it;
            ``wallets``: transfers; None: all debits.
    """

    period: Period
    amount: Amount
    time_zone: str | None = None
    window_s: int | None = None
    counter_account: str | None = None

    @property
    def members(self) -> dict[str, Any]:
        """It as the service reads it.

        Raises:
            ValueError, TypeError: the amount is none.
        """
        return {
            "period": self.period,
            "amount": amount_text(self.amount),
            "time_zone": self.time_zone,
            "window_s": self.window_s,
            "counter_account": self.counter_account,
        }


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a wallet, with what is used of it now.

    Attributes:
        limit_id: stays when only the amount changes.
        set_by: ``operator`` or ``owner``.
        period: ``transaction``, ``day``, ``week``, ``month`` or ``rolling``.
        time_zone: of a calendar period.
        window_s: of a rolling limit.
        counter_account: only debits against it count; None: all.
        amount: the most that may be spent.
        used: what was spent in the present period or window.
        reserved: what open holds reserve, where the limit is one of all debits.
        remaining: the most that the next debit may be, as far as this limit goes.
        starts_at: when the period began, or the window begins now; None: a limit per transaction.
        resets_at: when the period ends, or the oldest debit of the window falls out; None: neither will.
    """

    limit_id: str
    set_by: str
    period: str
    time_zone: str | None
    window_s: int | None
    counter_account: str | None
    amount: Decimal
    created_at: datetime
    updated_at: datetime
    used: Decimal
    reserved: Decimal
    remaining: Decimal
    starts_at: datetime | None
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a wallet: each debit must fit into each of them.

    Attributes:
        version: counts their changes; for ``if_version``. 0: there never were any.
        updated_at: when they last changed; None: never.
        limits: those of the operator first.
    """

    wallet_id: str
    currency: str
    version: int
    updated_at: datetime | None
    limits: tuple[Limit, ...]
