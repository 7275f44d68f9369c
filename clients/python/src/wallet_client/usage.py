"""What is sent and returned about rated usage: frozen dataclasses, Decimals, datetimes with a time zone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from wallet_client._call import Id, Moment, moment
from wallet_client.models import later
from wallet_client.money import Amount, amount_text


@dataclass(frozen=True, slots=True)
class NewUsage:
    """An event of usage to report. Either ``wallet_id`` or ``user_id`` is given.

    Attributes:
        event_id: names the event within its source, for ever: however often it is sent, it counts once.
        meter: what was measured.
        quantity: how much: 0 or more.
        wallet_id: the wallet that pays.
        user_id: the user who pays, from the wallet from which it spends in the currency of the rate card.
        dimensions: what the price depends on, such as the model.
        timestamp: when it was used; None: now.
        source: names the producer, if the client has several.
        currency: with ``user_id``: if the meter has rate cards in more than one.
    """

    event_id: str
    meter: str
    quantity: Amount
    wallet_id: Id | None = None
    user_id: str | None = None
    dimensions: Mapping[str, str] | None = None
    timestamp: Moment | None = None
    source: str | None = None
    currency: str | None = None

    @property
    def members(self) -> dict[str, Any]:
        """It as the service reads it, without what is None.

        Raises:
            ValueError, TypeError: the quantity or the timestamp is none.
        """
        found: dict[str, Any] = {
            "event_id": self.event_id,
            "meter": self.meter,
            "quantity": amount_text(self.quantity),
            "wallet_id": None if self.wallet_id is None else str(self.wallet_id),
            "user_id": self.user_id,
            "dimensions": None if self.dimensions is None else dict(self.dimensions),
            "timestamp": moment(self.timestamp, "timestamp"),
            "source": self.source,
            "currency": self.currency,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class RatingLine:
    """A part of the quantity at one price.

    Attributes:
        kind: ``units`` at a unit price, ``packages`` that were begun, or the ``difference`` for what volume tiers priced
            before in the month.
        amount: what it costs; not rounded.
        quantity: of units: how many.
        up_to: the end of the tier; None: it has none, or the price has no tiers.
        unit_price: of one unit.
        flat_amount: what entering the tier costs, with the event that entered it.
        packages: how many packages were begun.
        package_size: units in a package.
        package_price: of one package.
    """

    kind: str
    amount: Decimal
    # Members that the service leaves out where the kind has none.
    quantity: Decimal | None = later(None)
    up_to: Decimal | None = later(None)
    unit_price: Decimal | None = later(None)
    flat_amount: Decimal | None = later(None)
    packages: Decimal | None = later(None)
    package_size: Decimal | None = later(None)
    package_price: Decimal | None = later(None)


@dataclass(frozen=True, slots=True)
class Rating:
    """How the amount of an event came about.

    Attributes:
        rate_card_id: the rate card.
        version: its version.
        model: ``per_unit``, ``package``, ``graduated`` or ``volume``.
        dimensions: of the price.
        day: of the event, in the time zone of the rate card.
        month: in which its tiers count.
        quantity_before: what the wallet had used in that month at this price.
        included: of the quantity: what the price includes.
        unit_price: None: there is not one.
        exact_amount: before it was rounded.
        lines: the parts of the quantity, and what each costs.
    """

    rate_card_id: str
    version: int
    model: str
    dimensions: Mapping[str, Any]
    day: str
    month: str
    quantity_before: Decimal
    included: Decimal
    unit_price: Decimal | None
    exact_amount: Decimal
    lines: tuple[RatingLine, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """An event that was accepted, with what it costs and why.

    Attributes:
        usage_id: its id; where something was posted, also that of the transaction.
        amount: what it costs; below 0: a difference of volume tiers was given back.
        transaction_id: its posting; None: the amount is 0, or it is a dry run.
        rating: how the amount came about.
        replayed: whether it was accepted before: nothing was posted again.
    """

    usage_id: str
    wallet_id: str
    user_id: str
    meter: str
    quantity: Decimal
    dimensions: Mapping[str, Any]
    timestamp: datetime
    source: str | None
    event_id: str
    currency: str
    amount: Decimal
    transaction_id: str | None
    counter_account: str
    rating: Rating
    dry_run: bool
    created_at: datetime
    replayed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What a wallet used in one group.

    Attributes:
        group: the values by the names of ``group_by``; None: the events had no such dimension.
        quantity: None: the quantities are of several meters.
        amount: the sum of the amounts.
        events: how many events.
    """

    group: Mapping[str, Any]
    quantity: Decimal | None
    amount: Decimal
    events: int
