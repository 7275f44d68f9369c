"""What rated usage should cost, written plainly: every event is kept, and each question goes through all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

ZERO = Decimal(0)
CENT_DIGITS = 6


@dataclass(frozen=True)
class Tier:
    """A part of the month's quantity, up to and with ``up_to``."""

    up_to: Decimal | None
    unit_price: Decimal
    flat: Decimal = ZERO

    def document(self) -> dict[str, str | None]:
        """As a request has it."""
        return {
            "up_to": None if self.up_to is None else f"{self.up_to:f}",
            "unit_price": f"{self.unit_price:f}",
            "flat_amount": f"{self.flat:f}",
        }


@dataclass(frozen=True)
class Price:
    """A price of the model."""

    model: str
    included: Decimal = ZERO
    unit_price: Decimal = ZERO
    size: Decimal = ZERO
    tiers: tuple[Tier, ...] = ()
    dimensions: Mapping[str, str] = field(default_factory=dict[str, str])

    def document(self) -> dict[str, object]:
        """As a request has it."""
        found: dict[str, object] = {
            "model": self.model,
            "included": f"{self.included:f}",
            "dimensions": dict(self.dimensions),
        }
        if self.model == "per_unit":
            found["unit_price"] = f"{self.unit_price:f}"
        elif self.model == "package":
            found |= {"package_size": f"{self.size:f}", "package_price": f"{self.unit_price:f}"}
        else:
            found["tiers"] = [tier.document() for tier in self.tiers]
        return found

    def tier(self, quantity: Decimal) -> Tier:
        """The tier in which a quantity above 0 ends."""
        return next(each for each in self.tiers if each.up_to is None or quantity <= each.up_to)

    def beyond(self, quantity: Decimal) -> Decimal:
        """What is not included."""
        return max(ZERO, quantity - self.included)

    def total(self, quantity: Decimal) -> Decimal:
        """What a month with this quantity costs; not for volume prices by the tier that was reached."""
        beyond = self.beyond(quantity)
        if self.model == "per_unit":
            return beyond * self.unit_price
        if self.model == "package":
            return -(-Fraction(beyond) // Fraction(self.size)) * self.unit_price
        if beyond == 0:
            return ZERO
        if self.model == "volume":
            tier = self.tier(beyond)
            return beyond * tier.unit_price + tier.flat
        return sum(self._parts(beyond), ZERO)

    def _parts(self, beyond: Decimal) -> Sequence[Decimal]:
        begin, parts = ZERO, list[Decimal]()
        for tier in self.tiers:
            end = beyond if tier.up_to is None else min(beyond, tier.up_to)
            if end > begin:
                parts.append((end - begin) * tier.unit_price + tier.flat)
            begin = end
        return parts


def exact(price: Price, before: Decimal, quantity: Decimal, pricing: str = "reached") -> Decimal:
    """What one more event costs in a month with one version, not rounded."""
    with localcontext(Context(prec=120)):
        if price.model != "volume" or pricing == "difference":
            return price.total(before + quantity) - price.total(before)
        from_, to = price.beyond(before), price.beyond(before + quantity)
        if to == from_:
            return ZERO
        tier = price.tier(to)
        is_entered = from_ == 0 or price.tier(from_) != tier
        return (to - from_) * tier.unit_price + (tier.flat if is_entered else ZERO)


def rounded(amount: Decimal, digits: int = CENT_DIGITS) -> Decimal:
    """Half away from zero."""
    with localcontext(Context(prec=120)):
        return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


@dataclass(frozen=True)
class Counted:
    """An event that was accepted."""

    at: datetime
    quantity: Decimal
    dimensions: Mapping[str, str]
    version: int
    price: Price
    amount: Decimal


@dataclass
class Card:
    """A rate card with its versions: from when, and the prices."""

    zone: str
    pricing: str
    versions: list[tuple[datetime, list[Price]]]

    def version(self, at: datetime) -> int:
        """The number of the version at a moment; 0: there is none."""
        return sum(1 for begin, _ in self.versions if begin <= at)

    def price(self, version: int, dimensions: Mapping[str, str]) -> Price | None:
        """The first price whose dimensions an event has."""
        for price in self.versions[version - 1][1]:
            if price.dimensions.items() <= dimensions.items():
                return price
        return None

    def month(self, at: datetime) -> tuple[int, int]:
        """The month of a moment."""
        local = at.astimezone(ZoneInfo(self.zone))
        return local.year, local.month


@dataclass
class Wallet:
    """A wallet of the model."""

    wallet_id: str
    balance: Decimal
    events: list[Counted] = field(default_factory=list[Counted])
    ids: dict[str, tuple[Any, Decimal]] = field(default_factory=dict[str, tuple[Any, Decimal]])

    def rate(
        self, card: Card, at: datetime, quantity: Decimal, dimensions: Mapping[str, str]
    ) -> Counted | str:
        """The event, or the code of its refusal."""
        version = card.version(at)
        price = card.price(version, dimensions) if version else None
        if price is None:
            return "price_not_found"
        same = [
            each
            for each in self.events
            if card.month(each.at) == card.month(at) and each.price.dimensions == price.dimensions
        ]
        before = sum((each.quantity for each in same), ZERO)
        if price.model == "volume" and card.pricing == "difference":
            amount = _difference(price, before, quantity, version, same)
        else:
            amount = exact(price, before, quantity)
        amount = rounded(amount)
        if amount > self.balance:
            return "insufficient_funds"
        return Counted(at, quantity, dimensions, version, price, amount)


def _difference(
    price: Price, before: Decimal, quantity: Decimal, version: int, same: Sequence[Counted]
) -> Decimal:
    """The same where a month can have several versions: only what this one priced is priced again."""
    from_, to = price.beyond(before), price.beyond(before + quantity)
    if to == from_:
        return ZERO
    billed, charged, seen = ZERO, ZERO, ZERO
    for each in same:
        part = each.price.beyond(seen + each.quantity) - each.price.beyond(seen)
        seen += each.quantity
        if each.version == version and part > 0:
            billed += part
            charged = billed * price.tier(each.price.beyond(seen)).unit_price
    tier = price.tier(to)
    old = price.tier(from_) if from_ > 0 else None
    flat = ZERO if tier == old else tier.flat - (old.flat if old is not None else ZERO)
    return (billed + to - from_) * tier.unit_price - charged + flat


def stamp(moment: datetime) -> str:
    """As a request has it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
