"""Problems of conversions. SQL uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_QUOTE = "0199d0a8-0000-7000-8000-00000000f001"


class RateMissing(WalletError):
    """There is no rate of the day for the two currencies, and nothing takes 1 for it."""

    code, status, title = "rate_missing", 409, "No exchange rate"
    details = ("There is no rate from {from} to {to} for the day: set one, or give both amounts",)
    example_facts: ClassVar[Mapping[str, Any]] = {"from": "USD", "to": "RUB"}


class RateStale(WalletError):
    """The newest rate is too old to convert money that is kept here."""

    code, status, title = "rate_stale", 409, "Exchange rate is too old"
    details = ("The newest rate from {from} to {to} is of {rated_on}, which is too old",)
    example_facts: ClassVar[Mapping[str, Any]] = {
        "from": "USD",
        "to": "EUR",
        "rated_on": "2026-01-02",
        "max_age_h": 72,
    }


class QuoteNotFound(WalletError):
    """There is no such quote, or it is another caller's."""

    code, status, title = "quote_not_found", 404, "Quote not found"
    details = ("There is no quote {quote_id} of this caller",)
    example_facts: ClassVar[Mapping[str, Any]] = {"quote_id": _QUOTE}


class QuoteExpired(WalletError):
    """The quote held until ``expires_at``. Ask for another one."""

    code, status, title = "quote_expired", 409, "Quote expired"
    details = ("The quote {quote_id} held until {expires_at}: ask for another one",)
    example_facts: ClassVar[Mapping[str, Any]] = {
        "quote_id": _QUOTE,
        "expires_at": "2026-01-02T03:05:05.678901Z",
    }


class ConversionOff(WalletError):
    """Money of operating wallets is not converted in this installation. Mirrored wallets can be."""

    code, status, title = "conversion_off", 403, "Conversion is off"
    details = ("The wallet {wallet_id} is operating, and WALLET_FX_CONVERT is off",)
    example_facts: ClassVar[Mapping[str, Any]] = {"wallet_id": "0199d0a8-0000-7000-8000-0000000000aa"}
