"""The SQL functions of rated usage."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wallet_service.billing.rates.events import Event
from wallet_service.core.errors import WalletError, error_of
from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created, request_hash


class UsageRepository:
    """Reads usage. Operations write it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_wallets(self, client_id: str, events: Sequence[Event]) -> list[str | WalletError]:
        """The wallets of events that name a user: for each its id, or why there is none."""
        asked = [
            {
                "user_id": each.user_id,
                "meter": each.meter,
                "currency": each.currency,
                "timestamp": each.timestamp,
                "dimensions": dict(each.dimensions),
                "key": each.key(),
            }
            for each in events
        ]
        answer = await self._database.read("read_usage_wallets", client_id=client_id, events=Json.of(asked))
        found: list[dict[str, Any]] = json.loads(answer)
        return [
            each["wallet_id"] if "wallet_id" in each else error_of(each["code"], **each["facts"])
            for each in found
        ]

    async def get(self, usage_id: str, viewer: str | None) -> bytes:
        """An event with its rating. ``viewer``: the user that its wallet must belong to, or None for any.

        Raises:
            UsageNotFound: there is none.
        """
        return await self._database.read("get_usage", usage_id=usage_id, viewer=viewer)

    async def page(
        self, wallet_id: str, viewer: str | None, meter: str | None, after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """A page of the events of a wallet, newest first, and the id after which the next one begins.

        Raises:
            WalletNotFound: there is no such wallet, or it belongs to another user.
        """
        answer = await self._database.read(
            "list_usage_events", wallet_id=wallet_id, viewer=viewer, meter=meter, after=after, limit=limit
        )
        return _page(answer)

    async def totals(
        self,
        wallet_id: str,
        viewer: str | None,
        days: tuple[str | None, str | None],
        group_by: Sequence[str],
        meter: str | None,
        after: Sequence[str] | None,
        limit: int,
    ) -> tuple[bytes, list[str] | None]:
        """The totals of a wallet by groups, and the group after which the next page begins.

        Raises:
            WalletNotFound: there is no such wallet, or it belongs to another user.
        """
        answer = await self._database.read(
            "read_usage_totals",
            wallet_id=wallet_id,
            viewer=viewer,
            **{"from": days[0], "to": days[1]},
            group_by=Json.of(group_by),
            meter=meter,
            after=None if after is None else Json.of(after),
            limit=limit,
        )
        document, following = _page(answer)
        return document, json.loads(following) if following is not None else None


class RateRepository:
    """Meters and rate cards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_meter(self, client_id: str, key: str | None, definition: Mapping[str, Any]) -> Created:
        """Create a meter, once for each key of the client.

        Raises:
            MeterExists: there is one of this name.
            ValidationFailed: it is no meter.
            IdempotencyKeyReused: the key was spent on another request.
        """
        answer = await self._database.repeat(
            "create_meter",
            request_id=new_id(),
            client_id=client_id,
            key=key,
            request_hash=request_hash(1, definition),
            definition=Json.of(definition),
            caller=caller_param(),
        )
        return Created.of(answer, "meter")

    async def get_meter(self, meter: str) -> bytes:
        """A meter.

        Raises:
            MeterNotFound: there is none.
        """
        return await self._database.read("get_meter", meter=meter)

    async def list_meters(self, after: str | None, limit: int) -> tuple[bytes, str | None]:
        """A page of the meters by name, and the name after which the next one begins."""
        return _page(await self._database.read("list_meters", after=after, limit=limit))

    async def create_card(self, client_id: str, key: str | None, definition: Mapping[str, Any]) -> Created:
        """Create a rate card, once for each key of the client.

        Raises:
            MeterNotFound: there is no such meter.
            RateCardOverlap: another one of the meter and the currency is in force at the same time.
            ValidationFailed: it is no rate card.
            IdempotencyKeyReused: the key was spent on another request.
        """
        answer = await self._database.repeat(
            "create_rate_card",
            rate_card_id=new_id(),
            client_id=client_id,
            key=key,
            request_hash=request_hash(1, definition),
            definition=Json.of(definition),
            caller=caller_param(),
        )
        return Created.of(answer, "rate_card")

    async def add_version(
        self, rate_card_id: str, client_id: str, key: str | None, definition: Mapping[str, Any]
    ) -> Created:
        """Add a version to a rate card, once for each key of the client.

        Raises:
            RateCardNotFound, RateCardEnded, RateVersionLimit, RateVersionOverlap: it can't have such a version.
            ValidationFailed: it is no version.
            IdempotencyKeyReused: the key was spent on another request.
        """
        answer = await self._database.repeat(
            "add_rate_version",
            rate_card_id=rate_card_id,
            request_id=new_id(),
            client_id=client_id,
            key=key,
            request_hash=request_hash(1, rate_card_id, definition),
            definition=Json.of(definition),
            caller=caller_param(),
        )
        return Created.of(answer, "rate_card")

    async def end_card(self, rate_card_id: str, ends_at: str | None) -> bytes:
        """End a rate card; None: now.

        Raises:
            RateCardNotFound, RateCardEnded, RateCardOverlap, ValidationFailed: it can't end then.
        """
        return await self._database.call(
            "end_rate_card", rate_card_id=rate_card_id, ends_at=ends_at, caller=caller_param()
        )

    async def get_card(self, rate_card_id: str) -> bytes:
        """A rate card with the prices of its newest version.

        Raises:
            RateCardNotFound: there is none.
        """
        return await self._database.read("get_rate_card", rate_card_id=rate_card_id)

    async def get_version(self, rate_card_id: str, version: int) -> bytes:
        """A version of a rate card with its prices.

        Raises:
            RateCardNotFound: there is none.
        """
        return await self._database.read("get_rate_version", rate_card_id=rate_card_id, version=version)

    async def list_cards(
        self, meter: str | None, currency: str | None, after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """A page of the rate cards, newest first, and the id after which the next one begins."""
        return _page(
            await self._database.read(
                "list_rate_cards", meter=meter, currency=currency, after=after, limit=limit
            )
        )


def _page(answer: bytes) -> tuple[bytes, str | None]:
    items, _, following = answer.rpartition(b"\n")
    return items, following.decode() or None
