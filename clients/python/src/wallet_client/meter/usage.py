"""What is recorded, and what may become of it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from wallet_client._call import Id, encode
from wallet_client.errors import ServiceError, WalletError
from wallet_client.keys import new_key
from wallet_client.models import Transaction
from wallet_client.money import Amount
from wallet_client.operations import Operation

MOST_EVENT_BYTES = 64 * 1024
"""An event whose members have the lengths that the service takes is smaller, and 15 of them fit into a request."""

Kind: TypeAlias = Literal["consume", "withdraw", "fee"]


class MeterFull(WalletError):
    """The meter holds as many events as it may; this one was not recorded."""


class MeterClosed(WalletError):
    """The meter takes no more events; this one was not recorded."""


@dataclass(frozen=True, slots=True)
class Usage:
    """An event: one debit, a ledger row.

    Attributes:
        key: its idempotency key, under which it is charged once.
        operation: the debit.
        recorded_s: when it was recorded, on the meter's clock.
        number: its place among all events of the meter, from 1.
    """

    key: str
    operation: Operation
    recorded_s: float = field(compare=False)
    number: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """An event that the meter gave up.

    Attributes:
        usage: the event.
        error: what was met last; None: it was never tried.
        outcome_unknown: whether it may have been charged all the same. Send ``usage.operation`` again, which has the
            key, and it is charged once.
    """

    usage: Usage
    error: Exception | None
    outcome_unknown: bool


@dataclass(frozen=True, slots=True)
class Charged:
    """It is in the ledger."""

    usage: Usage
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class NotCharged:
    """The service refused it. With ``error.earlier_try_open`` an earlier try may still arrive and be charged."""

    usage: Usage
    error: ServiceError


Outcome: TypeAlias = Charged | NotCharged | Unsent


@dataclass(frozen=True, slots=True)
class MeterCounts:
    """The events of a meter: ``recorded`` is the sum of the four after it.

    Attributes:
        oldest_age_s: how long the oldest pending event has waited; 0 without one.
    """

    recorded: int
    charged: int
    refused: int
    unsent: int
    pending: int
    oldest_age_s: float


def debit(
    wallet_id: Id,
    amount: Amount,
    *,
    kind: Kind = "consume",
    description: str | None = None,
    reference: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
    counter_account: str | None = None,
    idempotency_key: str | None = None,
) -> tuple[str, Operation]:
    """An event's key, and its operation, which can be sent and which nobody changes afterwards.

    Raises:
        TypeError, ValueError: it can't be sent.
    """
    key = new_key() if idempotency_key is None else idempotency_key
    make = {"consume": Operation.consume, "withdraw": Operation.withdraw, "fee": Operation.fee}[kind]
    operation = make(
        wallet_id,
        amount,
        description=description,
        reference=reference,
        metadata=copy.deepcopy(metadata),
        effective_at=effective_at,
        counter_account=counter_account,
        idempotency_key=key,
    )
    size = len(encode(operation.members))  # now, where the caller hears of it
    if size > MOST_EVENT_BYTES:
        raise ValueError(f"an event has at most {MOST_EVENT_BYTES} bytes, not {size}")
    return key, operation
