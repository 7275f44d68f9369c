"""What is sent and returned about exchange rates and conversions: frozen dataclasses, Decimals, days as dates."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from wallet_client.models import Transaction
from wallet_client.money import Amount


@dataclass(frozen=True, slots=True)
class NewRate:
    """A rate to set.

    Attributes:
        base: the currency of which it prices one unit.
        quote: the currency in which it is priced.
        day: its day, not after today.
        rate: what one unit of ``base`` is worth: Decimal, int or str, never a float. None: it is removed.
    """

    base: str
    quote: str
    day: date | str
    rate: Amount | None


@dataclass(frozen=True, slots=True)
class Rate:
    """A stored rate: what one unit of ``base`` is worth in units of ``quote`` on a day.

    Attributes:
        book_id: the book whose own rate it is; None: the service's.
        source: where it comes from: ``ecb_history``, ``provider``, ``manual``. Later releases add sources.
    """

    book_id: str | None
    base: str
    quote: str
    day: date
    rate: Decimal
    source: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Converted:
    """What an amount is worth in another currency. Nothing was posted.

    Attributes:
        from_: the currency of the amount.
        converted: the amount in ``to``, rounded once. None: there is no rate of the day.
        rate: what one unit of ``from_`` is worth.
        rated_on: the day of the rate.
        stale: whether the rate is older than rates may be, because no newer one has come.
        unconverted: currencies without a rate.
        complete: whether nothing is left out.
    """

    from_: str
    to: str
    amount: Decimal
    day: date
    converted: Decimal | None
    rate: Decimal | None
    rated_on: date | None
    stale: bool
    unconverted: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """A price that holds until ``expires_at``, for conversions of this amount by the same caller.

    Attributes:
        from_: the currency of the amount.
        to_amount: what it becomes, less the spread, rounded once.
        rate: what one unit of ``from_`` is worth, without the spread.
        rated_on: the day of the rate.
        stale: whether the rate is older than rates may be.
        spread_bps: what the conversion keeps, in hundredths of a percent.
        remainder: what rounding left.
    """

    quote_id: str
    from_: str
    to: str
    amount: Decimal
    to_amount: Decimal
    rate: Decimal
    rated_on: date
    stale: bool
    spread_bps: int
    remainder: Decimal
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was converted, and by which rate.

    Attributes:
        wallet_id: the wallet that was debited with ``amount``.
        to_wallet_id: the wallet that was credited with ``to_amount``.
        from_: the currency of the first.
        to: the currency of the second.
        rate: what one unit of ``from_`` was worth; of amounts that the caller gave, their quotient.
        rated_on: the day of the rate; None: the caller gave both amounts.
        stale: whether the rate is older than rates may be.
        spread_bps: what the conversion kept, in hundredths of a percent; None: the caller gave both amounts.
        remainder: what rounding left; None: the caller gave both amounts.
        quote_id: the quote that was used.
    """

    transaction_id: str
    wallet_id: str
    to_wallet_id: str
    from_: str
    to: str
    amount: Decimal
    to_amount: Decimal
    rate: Decimal
    rated_on: date | None
    stale: bool
    spread_bps: int | None
    remainder: Decimal | None
    quote_id: str | None


@dataclass(frozen=True, slots=True)
class PostedConversion:
    """A conversion and its posting, an ``exchange`` with an entry in each wallet."""

    conversion: Conversion
    transaction: Transaction
