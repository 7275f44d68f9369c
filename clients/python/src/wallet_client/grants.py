"""What is returned about grants and their schedules: frozen dataclasses, Decimals, datetimes with a time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Source = Literal["purchase", "promotion", "plan", "refund", "adjustment"]
ScheduleSource = Literal["purchase", "promotion", "plan", "adjustment"]
GrantState = Literal["scheduled", "active", "used", "expired", "voided"]
Rollover = Literal["none", "all", "cap", "percent"]


@dataclass(frozen=True, slots=True)
class Grant:
    """Credits with a source, a priority, an end and a price. ``amount`` is the sum of what became of it.

    Attributes:
        source: ``purchase``, ``promotion``, ``plan``, ``refund`` or ``adjustment``.
        state: ``scheduled`` (it begins later), ``active``, ``used`` (nothing is left), ``expired`` or ``voided``.
        priority: debits take from lower numbers first, then from what ends first.
        remaining: what is left of it.
        reserved: of the rest: for open holds.
        used: what debits took, less what their refunds gave back.
        overdrawn: what was owed at its end, because the wallet had an overdraft.
        expired: what went to ``breakage`` at its end.
        voided: what was taken back.
        expires_at: when it ends; None: never.
        transaction_id: the posting that brought it; None before it begins.
        counter_account: the other side of that posting.
        pays: the only counter accounts that it pays; None: all.
        is_transferable: whether transfers and withdrawals can take from it.
        unit_cost: the price of one credit, in ``cost_currency``; None: none was paid.
        refund_grace_s: seconds for which credits can be used that a refund gives back after its end.
        original_grant_id: the grant that had ended, where a refund gave this part of it back.
        schedule_id: the schedule that created it.
        carried_from: the end of the period from which the rest was carried over.
        void_reason: of one that was voided: ``request``, ``wallet_closed``, ``balance_limit`` or ``grant_limit``.
    """

    grant_id: str
    wallet_id: str
    currency: str
    source: str
    state: str
    priority: int
    amount: Decimal
    remaining: Decimal
    reserved: Decimal
    used: Decimal
    overdrawn: Decimal
    expired: Decimal
    voided: Decimal
    effective_at: datetime
    expires_at: datetime | None
    transaction_id: str | None
    counter_account: str
    pays: Sequence[str] | None
    is_transferable: bool
    unit_cost: Decimal | None
    cost_currency: str | None
    refund_grace_s: int
    original_grant_id: str | None
    schedule_id: str | None
    carried_from: datetime | None
    void_reason: str | None
    reference: str | None
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GrantSchedule:
    """Credits for a wallet each month.

    Attributes:
        amount: how many each period brings.
        day_of_month: a period begins at midnight of this day, or of the last day of a shorter month.
        time_zone: of that midnight.
        rollover: what happens with the rest at the end of a period: ``none``, ``all``, ``cap`` or ``percent``.
        rollover_value: of ``cap`` an amount, of ``percent`` a percentage.
        next_at: when the next period begins; None: the schedule has ended.
        starts_at: the first period began, or begins, at or after it.
        ends_at: no period begins at or after it; None: no end.
        notice_s: seconds before the end of a period at which ``grant.ending`` is recorded.
        metadata: which each grant has.
        version: counts its changes; for ``if_version``.
    """

    schedule_id: str
    wallet_id: str
    currency: str
    amount: Decimal
    source: str
    priority: int
    day_of_month: int
    time_zone: str
    rollover: str
    rollover_value: Decimal | None
    next_at: datetime | None
    starts_at: datetime
    ends_at: datetime | None
    counter_account: str
    pays: Sequence[str] | None
    is_transferable: bool
    unit_cost: Decimal | None
    cost_currency: str | None
    refund_grace_s: int
    notice_s: int
    reference: str | None
    metadata: Mapping[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
