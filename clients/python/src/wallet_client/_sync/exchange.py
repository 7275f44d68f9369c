# Generated from wallet_client/_async/exchange.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Exchange rates, and conversions of amounts and of money."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from wallet_client._call import (
    PAGE_SIZE,
    Call,
    Id,
    Moment,
    change_call,
    day_text,
    encode,
    get_call,
    moment,
    post_call,
)
from wallet_client._responses import conversion_of, converted_of, job_of, quote_of, rates_of, stored_rates_of
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner
from wallet_client.money import Amount, amount_text

if TYPE_CHECKING:
    from wallet_client.exchange import Converted, NewRate, PostedConversion, Quote, Rate
    from wallet_client.models import Job, Page

_RATES = "/fx/rates"


class ExchangeResource:
    """``client.exchange``: exchange rates of days, and conversions by them."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def rates(
        self,
        *,
        book_id: Id | None = None,
        base: str | None = None,
        quote: str | None = None,
        first_day: date | str | None = None,
        last_day: date | str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Rate]":
        """The stored rates, the newest day first.

        Args:
            book_id: the book whose own rates are listed; default: those of the service.
            base: only those that price this currency.
            quote: only those in this currency.
            first_day: only those of this day and later ones.
            last_day: only those of this day and earlier ones.
            page_size: items per request, 1 to 100.

        Raises:
            BookNotFound: while iterating: there is no such book, or the caller may not see it.
        """
        query: dict[str, Any] = {
            "book_id": book_id,
            "base": base,
            "quote": quote,
            "first_day": day_text(first_day),
            "last_day": day_text(last_day),
            "limit": page_size,
        }

        def page_after(cursor: str | None) -> "Call[Page[Rate]]":
            return get_call("list_rates", _RATES, rates_of, query | {"cursor": cursor})

        return Pages(self._runner, page_after)

    def set_rates(self, rates: "Sequence[NewRate]", *, book_id: Id | None = None) -> "tuple[Rate, ...]":
        """Set up to 500 rates, all or none: of the whole service, which needs ``rates:write``, or of a book.

        The call has no idempotency key: setting the same rates again changes nothing.

        Args:
            rates: the rates; one whose ``rate`` is None is removed.
            book_id: the book whose own rates they are, which win there; default: of the service.

        Returns:
            What is stored of them now.

        Raises:
            BookNotFound: there is no such book, or the caller may not see it.
            ValidationFailed: a currency is unknown, or a day is after today, or its rate is fixed; ``errors`` names it.
            OutcomeUnknown: the rates may be set; read them.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        body = {
            "book_id": None if book_id is None else str(book_id),
            "rates": [
                {
                    "base": each.base,
                    "quote": each.quote,
                    "day": day_text(each.day),
                    "rate": None if each.rate is None else amount_text(each.rate),
                }
                for each in rates
            ],
        }
        return self._runner.run(change_call("set_rates", "PUT", _RATES, stored_rates_of, encode(body), None))

    def refresh_rates(self) -> "Job":
        """Store the newest rates of the service's provider, in the background. Needs ``rates:write``.

        The call has no idempotency key: a second job finds nothing new.

        Returns:
            The job; ``client.jobs`` waits for it.
        """
        return self._runner.run(change_call("refresh_rates", "POST", f"{_RATES}/refresh", job_of, None, None))

    def convert(
        self,
        amount: Amount,
        from_currency: str,
        to_currency: str,
        *,
        day: date | str | None = None,
        book_id: Id | None = None,
    ) -> "Converted":
        """What an amount is worth in another currency on a day. Nothing is posted.

        Args:
            amount: 0 or more: Decimal, int or str, never a float.
            from_currency: the currency of the amount.
            to_currency: the currency that it is converted to.
            day: whose rate counts; default: today.
            book_id: the book whose own rates count first.

        Returns:
            ``converted`` is None where there is no rate: nothing takes 1 for it.

        Raises:
            CurrencyUnknown: there is no such currency.
            AmountPrecision: the amount has more decimals than its currency.
            BookNotFound: there is no such book, or the caller may not see it.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        query = {
            "from": from_currency,
            "to": to_currency,
            "amount": amount_text(amount),
            "day": day_text(day),
            "book_id": book_id,
        }
        return self._runner.run(get_call("convert_amount", "/fx/convert", converted_of, query))

    def quote(self, amount: Amount, from_currency: str, to_currency: str) -> "Quote":
        """Fix the price of a conversion for a minute, by the service's rates of today.

        The call has no idempotency key: another quote harms nothing.

        Args:
            amount: more than 0: Decimal, int or str, never a float.
            from_currency: the currency of the amount.
            to_currency: the currency that it is converted to.

        Raises:
            RateMissing: there is no rate.
            RateStale: the newest rate is too old to be kept to.
            CurrencyUnknown: there is no such currency.
            AmountPrecision: the amount has more decimals than its currency.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        body = encode({"from": from_currency, "to": to_currency, "amount": amount_text(amount)})
        return self._runner.run(change_call("create_quote", "POST", "/fx/quotes", quote_of, body, None))

    def post(
        self,
        wallet_id: Id,
        to_wallet_id: Id,
        amount: Amount | None = None,
        *,
        to_amount: Amount | None = None,
        quote_id: Id | None = None,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "PostedConversion":
        """Convert money of a wallet to another one of its owner, as one ``exchange``.

        Args:
            wallet_id: the wallet that is debited.
            to_wallet_id: the wallet of another currency that is credited.
            amount: what leaves the first one: Decimal, int or str, never a float. Default: that of the quote.
            to_amount: what the other gets, where that is known; only of mirrored wallets. No rate is asked then.
            quote_id: a quote of this caller that has not expired.
            description: a text about the operation.
            reference: the caller's own name for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when it happened, with a time zone. In mirrored wallets the rate is that of this day.
            dry_run: decide it and return the result, and post nothing.
            idempotency_key: it is posted once per key; default: a new key.

        Raises:
            ConversionOff: the service does not convert money of operating wallets.
            RateMissing: there is no rate of the day.
            RateStale: the wallets are operating, and the newest rate is too old.
            QuoteExpired, QuoteNotFound: the quote can't be used.
            InsufficientFunds: the wallet has not so much available; ``shortfall`` is the difference.
            WalletNotFound: a wallet does not exist, or the caller may not see it.
            WalletFrozen, WalletClosed, WalletMirrored, SameWallet: the wallets do not allow it.
            ValidationFailed: they have the same currency, or different owners.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = {
            "to_wallet_id": str(to_wallet_id),
            "amount": None if amount is None else amount_text(amount),
            "to_amount": None if to_amount is None else amount_text(to_amount),
            "quote_id": None if quote_id is None else str(quote_id),
            "description": description,
            "reference": reference,
            "metadata": metadata,
            "effective_at": moment(effective_at, "effective_at"),
            "dry_run": dry_run or None,
        }
        call = post_call(
            "convert_from_wallet",
            "/wallets/{wallet_id}/convert",
            conversion_of,
            members,
            idempotency_key,
            wallet_id=wallet_id,
        )
        return self._runner.run(call)
