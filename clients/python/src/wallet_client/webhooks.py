"""The results of calls about webhooks: frozen dataclasses, datetimes with a time zone.

A receiver verifies messages with the package ``standardwebhooks``: ``Webhook(secret).verify(body, headers)``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """A URL to which events are sent.

    Attributes:
        event_types: only events of these types; None: all.
        status: ``active`` or ``disabled``.
        disabled_reason: ``request``, ``gone`` (the receiver answered 410), ``failing``, or ``client`` (it has no valid
            key); None while it is active.
        failing_since: the first failed attempt since the last one that succeeded; None: the last one did.
        old_secret_until: until then messages are also signed with the secret before the last rotation.
        version: counts its changes; for ``if_version``.
    """

    endpoint_id: str
    url: str
    description: str
    event_types: Sequence[str] | None
    status: str
    disabled_reason: str | None
    failing_since: datetime | None
    old_secret_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CreatedWebhook(WebhookEndpoint):
    """A new endpoint.

    Attributes:
        secret: verifies messages; shown only here. None in a replay after it has become invalid.
    """

    secret: str | None


@dataclass(frozen=True, slots=True)
class RotatedSecret:
    """A new secret of an endpoint.

    Attributes:
        old_secret_until: until then messages are also signed with the secret before; None: they are not.
        secret: shown only here. None in a replay after it has become invalid.
    """

    secret_id: str
    endpoint_id: str
    old_secret_until: datetime | None
    secret: str | None


@dataclass(frozen=True, slots=True)
class Ping:
    """How a test event was received.

    Attributes:
        outcome: ``delivered``, ``failed`` or ``gone``.
        status: of the response; None if there was none.
        error: ``timeout``, ``refused``, ``connection``, ``tls`` or ``protocol``; None if there was a response.
        detail: of the error, for people.
        body: the beginning of the response.
        message_id: the header ``webhook-id``.
    """

    outcome: str
    status: int | None
    error: str | None
    detail: str | None
    body: str
    duration_ms: int
    message_id: str


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """An attempt of a delivery; the members are those of ``Ping``.

    Attributes:
        attempt: its number, from 1, replays included.
        attempted_at: when it ended.
    """

    outcome: str
    status: int | None
    error: str | None
    detail: str | None
    body: str
    duration_ms: int
    attempt: int
    attempted_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for an endpoint.

    Attributes:
        number: of the event, in the order of all events.
        event_id: of the event; the header ``webhook-id`` of each attempt.
        wallet_id: the wallet that the event is about; None: none.
        state: ``pending``, ``delivered`` or ``dead``.
        due_at: the earliest moment of the next attempt; None: none is planned.
    """

    number: int
    event_id: str
    event_type: str
    wallet_id: str | None
    state: str
    attempts: int
    due_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryWithLog(Delivery):
    """A delivery with its newest 100 attempts, the first one first."""

    log: Sequence[LoggedAttempt]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What is delivered again.

    Attributes:
        from_number: the first event; None: none.
        upto_number: the last one; newer events follow anyway.
        deliveries: how many are pending again now; None: they are found in the background, in order.
        more: whether there can be more dead ones: replay again.
    """

    from_number: int | None
    upto_number: int | None
    deliveries: int | None
    more: bool
