"""What is sent and returned about meters and rate cards: frozen dataclasses, Decimals, datetimes with a time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from wallet_client.models import later
from wallet_client.money import Amount, amount_text

PriceModel = Literal["per_unit", "package", "graduated", "volume"]
VolumePricing = Literal["reached", "difference"]


@dataclass(frozen=True, slots=True)
class NewRateTier:
    """A tier of a price to set.

    Attributes:
        unit_price: of one unit.
        up_to: the last quantity in the tier; None: it has no end, as only the last tier.
        flat_amount: what the event costs beside this that enters the tier.
    """

    unit_price: Amount
    up_to: Amount | None = None
    flat_amount: Amount = 0

    @property
    def members(self) -> dict[str, Any]:
        """It as the service reads it, without what is None.

        Raises:
            ValueError, TypeError: an amount is none.
        """
        return _given(
            unit_price=amount_text(self.unit_price),
            up_to=_text(self.up_to),
            flat_amount=amount_text(self.flat_amount),
        )


@dataclass(frozen=True, slots=True)
class NewRatePrice:
    """A price to set, for events with some dimensions.

    Attributes:
        model: ``per_unit``: ``unit_price``. ``package``: ``package_price`` for each ``package_size`` that is begun in a
            month. ``graduated``: each part of the month's quantity at the price of its tier. ``volume``: the whole at
            the price of the tier that the month has reached.
        unit_price: of ``per_unit``.
        dimensions: an event with these has this price, unless one before it fits; None: every event.
        included: the first so many units of a month cost nothing, and count in no tier.
        package_size: of ``package``: units in one.
        package_price: of ``package``: of one.
        tiers: of ``graduated`` and ``volume``, in order; at most 20.
    """

    model: PriceModel
    unit_price: Amount | None = None
    dimensions: Mapping[str, str] | None = None
    included: Amount = 0
    package_size: Amount | None = None
    package_price: Amount | None = None
    tiers: Sequence[NewRateTier] | None = None

    @property
    def members(self) -> dict[str, Any]:
        """It as the service reads it, without what is None.

        Raises:
            ValueError, TypeError: an amount is none.
        """
        return _given(
            model=self.model,
            unit_price=_text(self.unit_price),
            dimensions=None if self.dimensions is None else dict(self.dimensions),
            included=amount_text(self.included),
            package_size=_text(self.package_size),
            package_price=_text(self.package_price),
            tiers=None if self.tiers is None else [each.members for each in self.tiers],
        )


@dataclass(frozen=True, slots=True)
class Meter:
    """What is measured. A meter is not changed.

    Attributes:
        meter: its name.
        unit: of its quantities, for people.
        dimensions: what events may have beside the quantity, and prices may depend on.
        counter_account: the other side of its postings, unless a rate card has another.
        max_age_s: seconds for which events are accepted after their timestamp.
    """

    meter: str
    description: str | None
    unit: str | None
    dimensions: Sequence[str]
    counter_account: str
    max_age_s: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RateTier:
    """A tier of a price.

    Attributes:
        up_to: the last quantity in the tier; None: it has no end.
        unit_price: of one unit.
        flat_amount: what entering it costs.
    """

    up_to: Decimal | None
    unit_price: Decimal
    flat_amount: Decimal


@dataclass(frozen=True, slots=True)
class RatePrice:
    """A price for events with some dimensions.

    Attributes:
        dimensions: events with these have it; empty: every event.
        model: ``per_unit``, ``package``, ``graduated`` or ``volume``.
        included: what a month includes.
        unit_price: of ``per_unit``, else None.
        package_size: of ``package``, else None.
        package_price: of ``package``, else None.
        tiers: of ``graduated`` and ``volume``, else None.
    """

    dimensions: Mapping[str, str]
    model: str
    included: Decimal
    # Members that the service leaves out where the model has none.
    unit_price: Decimal | None = later(None)
    package_size: Decimal | None = later(None)
    package_price: Decimal | None = later(None)
    tiers: tuple[RateTier, ...] | None = later(None)


@dataclass(frozen=True, slots=True)
class RateVersionTimes:
    """When a version of a rate card is in force.

    Attributes:
        version: its number, from 1.
        effective_at: from when events have its prices.
        ends_at: until when; None: for ever.
        created_at: when it was added.
    """

    version: int
    effective_at: datetime
    ends_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RateVersion(RateVersionTimes):
    """A version of a rate card with its prices. It is not changed.

    Attributes:
        prices: in the order in which they are tried.
    """

    rate_card_id: str
    prices: tuple[RatePrice, ...]


@dataclass(frozen=True, slots=True)
class RateCard:
    """What usage of a meter costs in a currency.

    Attributes:
        meter: what it prices.
        currency: of the wallets that pay by it.
        counter_account: the other side of its postings.
        time_zone: of its months and days.
        volume_pricing: ``reached`` or ``difference``: what volume prices do where a month reaches another tier.
        state: ``scheduled``, ``active`` or ``ended``.
        version: the newest one, which may begin later.
        starts_at: from when events have its prices.
        ends_at: until when; None: for ever.
        versions: all of them, in order, without their prices.
        prices: those of the newest version; None in a list.
    """

    rate_card_id: str
    meter: str
    currency: str
    description: str | None
    counter_account: str
    time_zone: str
    volume_pricing: str
    state: str
    version: int
    starts_at: datetime
    ends_at: datetime | None
    versions: tuple[RateVersionTimes, ...]
    prices: tuple[RatePrice, ...] | None
    created_at: datetime
    updated_at: datetime


def _text(amount: Amount | None) -> str | None:
    return None if amount is None else amount_text(amount)


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
