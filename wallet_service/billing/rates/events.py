"""Events of usage as callers write them, in one form."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wallet_service.billing.rates.schemas import AnyEvent, UsageCloudEvent, UsageEvent
from wallet_service.platform.web.problems import validation_problem

_EVENT: TypeAdapter[UsageCloudEvent | UsageEvent] = TypeAdapter(AnyEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event, whichever form it came in.

    Attributes:
        source: names the producer; with ``event_id`` it names the event. Empty: the client has one producer.
        event_id: unique within its source.
        meter: what was measured.
        wallet_id: of the wallet that pays; None: the one from which ``user_id`` spends.
        user_id: of the owner, where no wallet is named.
        currency: of that wallet; None: that of the meter's rate card.
        quantity: decimal text without zeros at its end.
        dimensions: such as the model.
        timestamp: when it was used; None: now.
    """

    source: str
    event_id: str
    meter: str
    wallet_id: str | None
    user_id: str | None
    currency: str | None
    quantity: str
    dimensions: Mapping[str, str]
    timestamp: str | None

    def key(self) -> str:
        """The idempotency key of its operation, as SQL builds it (``billing.build_usage_key``)."""
        named = f"{self.source}\n{self.event_id}"
        return f"usage:{hashlib.sha256(named.encode()).hexdigest()}"

    def terms(self) -> dict[str, Any]:
        """What the kernel reads of it. Two events with the same terms and wallet are the same."""
        terms: dict[str, Any] = {
            "event_id": self.event_id,
            "meter": self.meter,
            "quantity": self.quantity,
        }
        if self.source:
            terms["source"] = self.source
        if self.dimensions:
            terms["dimensions"] = dict(self.dimensions)
        if self.timestamp is not None:
            terms["timestamp"] = self.timestamp
        return terms


def read_event(document: object) -> Event:
    """An event as it came, validated.

    Raises:
        ValidationFailed, AmountInvalid: it is no event.
    """
    try:
        read = _EVENT.validate_python(document)
    except ValidationError as error:
        raise validation_problem(
            [{**found, "loc": ("body", *_without_tag(found["loc"]))} for found in error.errors()]
        ) from error
    if isinstance(read, UsageCloudEvent):
        kind, _, name = read.subject.partition(":")
        return Event(
            source=read.source,
            event_id=read.id,
            meter=read.type,
            wallet_id=name.lower() if kind == "wallet" else None,
            user_id=name if kind == "user" else None,
            currency=read.data.currency,
            quantity=_plain(read.data.quantity),
            dimensions=read.data.dimensions,
            timestamp=read.time,
        )
    return Event(
        source=read.source or "",
        event_id=read.event_id,
        meter=read.meter,
        wallet_id=None if read.wallet_id is None else str(read.wallet_id),
        user_id=read.user_id,
        currency=read.currency,
        quantity=_plain(read.quantity),
        dimensions=read.dimensions,
        timestamp=read.timestamp,
    )


def _plain(quantity: str) -> str:
    """The same number in one spelling."""
    whole, point, part = quantity.partition(".")
    text = f"{whole.lstrip('0') or '0'}{point}{part}"
    return text.rstrip("0").rstrip(".") if point else text


def _without_tag(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Pydantic puts the chosen form before the member's name; the caller knows no such step."""
    return place[1:] if place and place[0] in {"cloud_event", "usage_event"} else place
