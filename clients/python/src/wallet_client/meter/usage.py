"""Usage events, and what a meter reports about them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

from wallet_client._call import Id, Moment, encode
from wallet_client.errors import WalletError
from wallet_client.keys import new_key
from wallet_client.money import Amount
from wallet_client.operations import Operation

MAX_EVENT_BYTES = 64 * 1024  # an event with the longest members that the service takes is smaller

Kind: TypeAlias = Literal["consume", "withdraw", "fee"]


class UsageMembers(TypedDict, total=False):
    """What ``record`` takes beside wallet, amount and kind: the members of ``client.consume``."""

    description: str | None
    reference: str | None
    metadata: Mapping[str, Any] | None
    effective_at: Moment | None
    counter_account: str | None
    idempotency_key: str | None


class MeterFull(WalletError):
    """The meter holds ``max_events`` events. This event was not recorded."""


class MeterClosed(WalletError):
    """The meter is closed. This event was not recorded."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A usage event: one debit, which becomes one transaction. Its idempotency key makes it safe to send it repeatedly.

    ``recorded_s`` is a time on ``time.monotonic``; ``number`` is its place among all events of the meter, from 1.
    """

    key: str
    operation: Operation
    recorded_s: float = field(compare=False)
    number: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """An event that the meter gave up.

    ``error`` is the last failure of a request; None if no request failed since the service last answered. With
    ``outcome_unknown`` the event may have been charged nevertheless. ``usage.operation`` can be sent again safely in a
    batch: it has the key, so it is charged once.
    """

    usage: Usage
    error: Exception | None
    outcome_unknown: bool


@dataclass(frozen=True, slots=True)
class MeterCounts:
    """The events of a meter: ``recorded`` is the sum of the four counts after it.

    ``oldest_age_s`` is the age of the oldest pending event in seconds; 0 without one.
    """

    recorded: int
    charged: int
    refused: int
    unsent: int
    pending: int
    oldest_age_s: float


def debit(
    wallet_id: Id, amount: Amount, *, kind: Kind = "consume", **members: Unpack[UsageMembers]
) -> tuple[str, Operation]:
    """An event's idempotency key and its operation, which is not affected by later changes of the arguments.

    Raises:
        TypeError, ValueError: the event can't be sent.
    """
    key = members.get("idempotency_key")
    members["idempotency_key"] = key = new_key() if key is None else key
    if metadata := members.get("metadata"):
        members["metadata"] = copy.deepcopy(metadata)
    create = {"consume": Operation.consume, "withdraw": Operation.withdraw, "fee": Operation.fee}[kind]
    operation = create(wallet_id, amount, **members)
    if (size := len(encode(operation.members))) > MAX_EVENT_BYTES:
        raise ValueError(f"an event has at most {MAX_EVENT_BYTES} bytes, not {size}")
    return key, operation
