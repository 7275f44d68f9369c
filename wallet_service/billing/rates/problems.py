"""Problems of rated usage. The SQL functions use the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_CARD = "0199d0a8-0000-7000-8000-00000000b001"
_TIME = "2026-01-02T03:04:05.678901Z"


class MeterNotFound(WalletError):
    """There is no meter of this name."""

    code, status, title = "meter_not_found", 404, "Meter not found"
    details = ("There is no meter {meter}: create it first",)
    example_facts: ClassVar[Mapping[str, Any]] = {"meter": "tokens"}


class MeterExists(WalletError):
    """There is a meter of this name already."""

    code, status, title = "meter_exists", 409, "Meter exists"
    details = ("There is a meter {meter} already; a meter is not changed",)
    example_facts: ClassVar[Mapping[str, Any]] = {"meter": "tokens"}


class RateCardNotFound(WalletError):
    """There is no such rate card, or it has no such version."""

    code, status, title = "rate_card_not_found", 404, "Rate card not found"
    details = (
        "The rate card {rate_card_id} has no version {version}, or there is no such rate card",
        "There is no rate card {rate_card_id}",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {"rate_card_id": _CARD}


class RateCardOverlap(WalletError):
    """Another rate card of the meter and the currency is in force at the same time."""

    code, status, title = "rate_card_overlap", 409, "Rate cards overlap"
    details = (
        "The meter {meter} has the rate card {rate_card_id} in {currency} then: end that, or add a version to it",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "meter": "tokens",
        "currency": "CREDIT",
        "rate_card_id": _CARD,
        "starts_at": _TIME,
        "ends_at": "2027-01-01T00:00:00.000000Z",
    }


class RateVersionOverlap(WalletError):
    """A version must begin after the versions before it."""

    code, status, title = "rate_version_overlap", 409, "Versions overlap"
    details = (
        "The rate card {rate_card_id} has version {version} from {effective_at}: the next one must begin after that",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "rate_card_id": _CARD,
        "version": 2,
        "effective_at": _TIME,
    }


class RateCardEnded(WalletError):
    """The rate card has ended, and can't be changed any more."""

    code, status, title = "rate_card_ended", 409, "Rate card ended"
    details = ("The rate card {rate_card_id} ended at {ends_at}: create another one",)
    example_facts: ClassVar[Mapping[str, Any]] = {"rate_card_id": _CARD, "ends_at": _TIME}


class RateVersionLimit(WalletError):
    """The rate card has as many versions as it may have."""

    code, status, title = "rate_version_limit", 409, "Limit of versions reached"
    details = (
        "The rate card {rate_card_id} has {limit} versions, the most that are allowed: end it, and create another",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {"rate_card_id": _CARD, "limit": 100}


class PriceNotFound(WalletError):
    """No rate card is in force at the moment of the event, or it has no price for the event's dimensions."""

    code, status, title = "price_not_found", 422, "No price"
    details = (
        "The meter {meter} has no price for {dimensions} in {currency} at {timestamp}: a rate card must be in force then",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "meter": "tokens",
        "currency": "CREDIT",
        "dimensions": {"model": "huge"},
        "timestamp": _TIME,
        "rate_card_id": _CARD,
    }


class TimestampRefused(WalletError):
    """The event is from the future, or too old for its meter."""

    code, status, title = "timestamp_refused", 422, "Timestamp refused"
    details = ("The event is of {timestamp}, but must be between {earliest} and {latest}",)
    example_facts: ClassVar[Mapping[str, Any]] = {
        "timestamp": "2027-01-02T03:04:05.000000Z",
        "earliest": "2025-11-29T03:04:05.678901Z",
        "latest": "2026-01-02T03:09:05.678901Z",
    }


class UsageEventConflict(WalletError):
    """An event with this id was accepted before, with other content."""

    code, status, title = "usage_event_conflict", 409, "Event id used for another event"
    details = (
        "The event {event_id} was accepted before with other content: each event needs an id of its own",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "event_id": "request-42",
        "source": "https://api.example.com",
    }


class UsageNotFound(WalletError):
    """There is no such event of usage, or the caller may not see its wallet."""

    code, status, title = "usage_not_found", 404, "Usage not found"
    details = ("There is no usage {usage_id}, or the caller may not see it",)
    example_facts: ClassVar[Mapping[str, Any]] = {"usage_id": "0199d0a8-0000-7000-8000-00000000b101"}
