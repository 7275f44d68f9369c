"""The SQL functions of exchange rates."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json


class RatePlace(NamedTuple):
    """The place of a rate in a list."""

    day: str
    base: str
    quote: str


class RateState(NamedTuple):
    """What the service has.

    Attributes:
        newest: the newest day of its rates; None: it has none.
        today: the day of the ledger's clock, in UTC.
        has_history: whether the history of the package was stored.
        etag: of the provider's last response whose rates are stored.
    """

    newest: str | None
    today: str
    has_history: bool
    etag: str | None


class RateRepository:
    """Reads and stores exchange rates. Who may see a book is decided before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, book_id: str | None, filters: Mapping[str, Any], after: RatePlace | None, limit: int
    ) -> tuple[bytes, RatePlace | None]:
        """A page of the rates of a book, or of the service: JSON, and the place to continue after; None at the end."""
        place = after or (None, None, None)
        answer = await self._database.read(
            "list_rates",
            book_id=book_id,
            **filters,
            after_day=place[0],
            after_base=place[1],
            after_quote=place[2],
            limit=limit,
        )
        items, _, following = answer.rpartition(b"\n")
        return items, RatePlace(*following.decode().split(" ")) if following else None

    async def put(self, book_id: str | None, rates: Sequence[Mapping[str, Any]]) -> bytes:
        """Set rates of a book, or of the service (None). What is stored of them now, as JSON.

        Raises:
            ValidationFailed: a rate can't be stored; none is.
        """
        return await self._database.repeat(
            "put_rates", book_id=book_id, rates=Json.of(list(rates)), caller=caller_param()
        )

    async def convert(
        self, book_id: str | None, currency: str, to: str, amount: str, day: str | None
    ) -> bytes:
        """What an amount is worth in another currency on a day, as JSON.

        Raises:
            CurrencyUnknown, AmountPrecision: of the amount.
        """
        return await self._database.read(
            "read_conversion", book_id=book_id, **{"from": currency}, to=to, amount=amount, day=day
        )

    async def quote(
        self,
        quote_id: str,
        client_id: str,
        user_id: str | None,
        wanted: Mapping[str, str],
        *,
        spread_bps: int,
        max_age_h: int,
        seconds: int,
    ) -> bytes:
        """Fix the price of a conversion for some seconds.

        Args:
            quote_id: of the quote.
            client_id: who may use it.
            user_id: and the user of the token.
            wanted: ``from``, ``to`` and ``amount``.
            spread_bps: what the conversion keeps.
            max_age_h: hours by which the rate may be older.
            seconds: how long it holds.

        Raises:
            RateMissing, RateStale, CurrencyUnknown, AmountPrecision, ValidationFailed: there is no price.
        """
        return await self._database.repeat(
            "create_quote",
            quote_id=quote_id,
            client_id=client_id,
            user_id=user_id,
            **wanted,
            spread_bps=spread_bps,
            max_age_h=max_age_h,
            seconds=seconds,
        )

    async def load(self, days: Mapping[str, Mapping[str, str]], source: str) -> tuple[int, int]:
        """Store rates of the euro for the service. How many days and rates changed."""
        answer = json.loads(
            await self._database.repeat(
                "load_rates", days=Json.of(days), source=source, caller=caller_param()
            )
        )
        return answer["days"], answer["rates"]

    async def state(self, url: str | None = None) -> RateState:
        """What the service has, and of the provider with this URL."""
        answer: dict[str, Any] = json.loads(
            await self._database.read("read_rate_state", url_hash=None if url is None else _hash(url))
        )
        return RateState(**answer)

    async def record_feed(self, url: str, etag: str | None) -> None:
        """Keep the ETag of the provider's response, whose rates are stored."""
        await self._database.repeat("record_rate_feed", url_hash=_hash(url), etag=etag)

    async def set_ages(self, max_age_days: int, stale_age_days: int) -> None:
        """Set how old a rate may be."""
        await self._database.repeat("set_rate_ages", max_age_days=max_age_days, stale_age_days=stale_age_days)


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
