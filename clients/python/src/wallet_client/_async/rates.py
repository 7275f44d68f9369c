"""Meters and rate cards: what is measured, and what it costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wallet_client._async.pages import AsyncPages
from wallet_client._async.runner import AsyncRunner
from wallet_client._call import (
    PAGE_SIZE,
    Call,
    Id,
    Moment,
    change_call,
    encode,
    get_call,
    moment,
    post_call,
)
from wallet_client._responses import meter_of, meters_of, rate_card_of, rate_cards_of, rate_version_of

if TYPE_CHECKING:
    from wallet_client.models import Page
    from wallet_client.rates import Meter, NewRatePrice, RateCard, RateVersion, VolumePricing

_METERS = "/meters"
_CARDS = "/rate-cards"
_CARD = f"{_CARDS}/{{rate_card_id}}"


class AsyncMetersResource:
    """``client.meters``: what is measured. A meter is not changed."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def create(
        self,
        meter: str,
        *,
        description: str | None = None,
        unit: str | None = None,
        dimensions: Sequence[str] | None = None,
        counter_account: str | None = None,
        max_age_s: int | None = None,
        idempotency_key: str | None = None,
    ) -> "Meter":
        """Create a meter.

        Args:
            meter: its name, which events have.
            description: what it measures.
            unit: the unit of its quantities, for people.
            dimensions: what events may have beside the quantity, and prices may depend on: at most 10 names.
            counter_account: the other side of its postings, unless a rate card has another; default:
                ``revenue:usage:<meter>``.
            max_age_s: seconds for which events are accepted after their timestamp; default: of the service.
            idempotency_key: one meter is created per key; default: a new key.

        Raises:
            MeterExists: there is one of this name.
            ValidationFailed: an argument is not acceptable.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        body = {
            "meter": meter,
            "description": description,
            "unit": unit,
            "dimensions": None if dimensions is None else [*dimensions],
            "counter_account": counter_account,
            "max_age_s": max_age_s,
        }
        return await self._runner.run(post_call("create_meter", _METERS, meter_of, body, idempotency_key))

    async def get(self, meter: str) -> "Meter":
        """Read a meter.

        Args:
            meter: its name.

        Raises:
            MeterNotFound: there is no such meter.
        """
        return await self._runner.run(get_call("get_meter", f"{_METERS}/{{meter}}", meter_of, meter=meter))

    def list(self, *, page_size: int = PAGE_SIZE) -> "AsyncPages[Meter]":
        """The meters by name.

        Args:
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[Meter]]":
            return get_call("list_meters", _METERS, meters_of, {"limit": page_size, "cursor": cursor})

        return AsyncPages(self._runner, page_after)


class AsyncRateCardsResource:
    """``client.rate_cards``: what usage of a meter costs in a currency, in versions."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def create(
        self,
        meter: str,
        currency: str,
        prices: "Sequence[NewRatePrice]",
        *,
        description: str | None = None,
        counter_account: str | None = None,
        time_zone: str | None = None,
        volume_pricing: "VolumePricing | None" = None,
        effective_at: Moment | None = None,
        ends_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> "RateCard":
        """Create a rate card with its first version. One of a meter and a currency is in force at a time.

        Args:
            meter: what it prices.
            currency: of the wallets that pay by it.
            prices: 1 to 100; an event has the first one whose dimensions it has.
            description: for people.
            counter_account: the other side of its postings; default: that of the meter.
            time_zone: of the months in which tiers count, and of the days of usage: a name of the IANA time zone
                database; default: UTC.
            volume_pricing: what volume prices do where a month reaches another tier: ``reached`` (the default): its
                price is for what comes from there on; ``difference``: the event also posts the difference for what was
                priced before in the month.
            effective_at: from when events have its prices, at most 366 days ago; default: now.
            ends_at: until when; default: for ever.
            idempotency_key: one rate card is created per key; default: a new key.

        Raises:
            MeterNotFound: there is no such meter.
            RateCardOverlap: another one of the meter and the currency is in force in its time.
            ValidationFailed, AmountInvalid: a price or another argument is not acceptable.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        body = {
            "meter": meter,
            "currency": currency,
            "prices": [each.members for each in prices],
            "description": description,
            "counter_account": counter_account,
            "time_zone": time_zone,
            "volume_pricing": volume_pricing,
            "effective_at": moment(effective_at, "effective_at"),
            "ends_at": moment(ends_at, "ends_at"),
        }
        return await self._runner.run(
            post_call("create_rate_card", _CARDS, rate_card_of, body, idempotency_key)
        )

    async def get(self, rate_card_id: Id) -> "RateCard":
        """Read a rate card with the prices of its newest version.

        Args:
            rate_card_id: the rate card.

        Raises:
            RateCardNotFound: there is no such rate card.
        """
        return await self._runner.run(
            get_call("get_rate_card", _CARD, rate_card_of, rate_card_id=rate_card_id)
        )

    def list(
        self, *, meter: str | None = None, currency: str | None = None, page_size: int = PAGE_SIZE
    ) -> "AsyncPages[RateCard]":
        """The rate cards, newest first, those that have ended too; without their prices.

        Args:
            meter: only those of this meter.
            currency: only those in this currency.
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[RateCard]]":
            query = {"meter": meter, "currency": currency, "limit": page_size, "cursor": cursor}
            return get_call("list_rate_cards", _CARDS, rate_cards_of, query)

        return AsyncPages(self._runner, page_after)

    async def version(self, rate_card_id: Id, version: int) -> "RateVersion":
        """Read a version with its prices, by which an event of usage was rated.

        Args:
            rate_card_id: the rate card.
            version: the number of the version.

        Raises:
            RateCardNotFound: there is no such rate card, or it has no such version.
        """
        call = get_call(
            "get_rate_version",
            f"{_CARD}/versions/{{version}}",
            rate_version_of,
            rate_card_id=rate_card_id,
            version=str(version),
        )
        return await self._runner.run(call)

    async def add_version(
        self,
        rate_card_id: Id,
        prices: "Sequence[NewRatePrice]",
        *,
        effective_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> "RateCard":
        """Add a version: new prices from a moment on. What was rated keeps its rating; tiers go on counting.

        Args:
            rate_card_id: the rate card.
            prices: all prices of the version, 1 to 100.
            effective_at: from when events have them: not in the past, and after the versions before; default: now.
            idempotency_key: one version is added per key; default: a new key.

        Raises:
            RateCardNotFound: there is no such rate card.
            RateCardEnded: it ends before the version would begin.
            RateVersionOverlap: a version begins later, or at the same moment.
            RateVersionLimit: it has as many versions as it may have.
            ValidationFailed, AmountInvalid: a price or another argument is not acceptable.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        body = {
            "prices": [each.members for each in prices],
            "effective_at": moment(effective_at, "effective_at"),
        }
        call = post_call(
            "add_rate_version",
            f"{_CARD}/versions",
            rate_card_of,
            body,
            idempotency_key,
            rate_card_id=rate_card_id,
        )
        return await self._runner.run(call)

    async def end(self, rate_card_id: Id, *, ends_at: Moment | None = None) -> "RateCard":
        """End a rate card: events from the end on have no price by it. An end that has not come can be moved.

        Ending it again at the same moment, or without one, after it has ended changes nothing. The call has no
        idempotency key: if a first attempt gets no response and a later one is refused, the error is ``OutcomeUnknown``.

        Args:
            rate_card_id: the rate card.
            ends_at: from when, not in the past; default: now.

        Raises:
            RateCardNotFound: there is no such rate card.
            RateCardEnded: it has ended, at another moment.
            RateCardOverlap: with this end it would overlap another one.
            ValidationFailed: the end is not acceptable.
            OutcomeUnknown: it may have been ended; read the rate card.
        """
        given = moment(ends_at, "ends_at")
        body = encode({} if given is None else {"ends_at": given})
        call = change_call(
            "end_rate_card", "POST", f"{_CARD}/end", rate_card_of, body, None, rate_card_id=rate_card_id
        )
        return await self._runner.run(call)
