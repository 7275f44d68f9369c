"""The results of calls about top-ups: frozen dataclasses, Decimals, datetimes with a time zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class TopUpRule:
    """When a wallet is topped up, by how much, and how often at most.

    Attributes:
        version: counts changes of the rule by callers; for ``if_version``.
        state: ``active`` or ``paused``.
        pause_reason: ``charge_limit``, ``declined``, ``too_many_declines``, ``rights_lost`` or ``failed``; None: it is
            not paused.
        resumes_at: when the pause ends by itself; None: it is not paused, or until the rule is set again.
        declines: declined charges in a row.
        threshold: when the available balance is this or less, it charges.
        target: each top-up is what is missing to this; None: it has ``amount``.
        amount: each top-up is this; None: it has ``target``.
        payment_method: what is charged.
        max_charges: most charges that begin in the window.
        max_amount: the most that they may be together; None: no bound.
        window_s: seconds of the rolling window.
        max_declines: declined charges in a row after which it stops.
        backoff_s: seconds of the pause after the first declined charge.
        created_at: when the wallet got a rule.
        updated_at: when a caller last set it.
    """

    wallet_id: str
    currency: str
    version: int
    state: str
    pause_reason: str | None
    resumes_at: datetime | None
    declines: int
    threshold: Decimal
    target: Decimal | None
    amount: Decimal | None
    payment_method: str
    max_charges: int
    max_amount: Decimal | None
    window_s: int
    max_declines: int
    backoff_s: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TopUpFailure:
    """Why a top-up ended without a deposit.

    Attributes:
        code: for programs, such as ``payment_declined`` or ``not_needed``.
        detail: for people.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class TopUp:
    """A charge of the payment service, and the deposit of what was charged.

    Attributes:
        trigger: what started it: ``rule`` or ``request``.
        state: ``created``, ``charging``, ``pending`` or ``charged`` while it is under way; it ends as ``completed``,
            ``declined``, ``cancelled``, ``failed`` or ``refunded``.
        amount: what is charged and deposited.
        payment_method: what is charged.
        payment_id: of the payment service; None: not known yet.
        transaction_id: the deposit; None before it is completed.
        failure: why there is no deposit; None: there is one, or may be.
        reference: the caller's own name for it.
        metadata: the caller's object.
        created_at: when it was started.
        started_at: when the charge began; None: it has not.
        ended_at: when it ended; None: it has not.
        updated_at: when its state last changed.
    """

    top_up_id: str
    wallet_id: str
    currency: str
    trigger: str
    state: str
    amount: Decimal
    payment_method: str
    payment_id: str | None
    transaction_id: str | None
    failure: TopUpFailure | None
    reference: str | None
    metadata: Mapping[str, Any]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime
