"""Calls of meters, rate cards and usage, for the tests."""

from typing import Any

import httpx
from support.api import Client, conforms

from wallet_service.billing.rates.card_schemas import Meter, RateCard
from wallet_service.billing.rates.schemas import Usage
from wallet_service.core.identifiers import new_id

PER_UNIT = {"model": "per_unit", "unit_price": "0.25"}
TIERS = [{"up_to": "100", "unit_price": "1"}, {"up_to": "200", "unit_price": "0.5"}, {"unit_price": "0.25"}]


async def create_meter(client: Client, *dimensions: str, **members: Any) -> str:
    """A new meter with these dimensions; its name, that no other test has."""
    name = f"m{new_id()}"
    answer = await client.post("/meters", {"meter": name, "dimensions": list(dimensions)} | members)
    assert answer.status_code == 201, answer.text
    conforms(answer.content, Meter)
    assert answer.headers["Location"] == f"/api/v1/meters/{name}"
    return name


async def send_card(client: Client, meter: str, *prices: dict[str, Any], **members: Any) -> httpx.Response:
    """Ask for a rate card of the meter in credits."""
    body = {"meter": meter, "currency": "CREDIT", "prices": list(prices)} | members
    return await client.post("/rate-cards", body)


def card_of(answer: httpx.Response) -> dict[str, Any]:
    """The rate card of a 201, or of a 200."""
    assert answer.status_code in {200, 201}, answer.text
    return conforms(answer.content, RateCard)


async def create_card(client: Client, meter: str, *prices: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A rate card of the meter in credits."""
    return card_of(await send_card(client, meter, *prices, **members))


async def priced_meter(client: Client, *prices: dict[str, Any], **members: Any) -> str:
    """A new meter without dimensions, with a rate card in credits; its name."""
    meter = await create_meter(client)
    await create_card(client, meter, *prices, **members)
    return meter


def accepted(answer: httpx.Response) -> dict[str, Any]:
    """The usage of a 201."""
    assert answer.status_code == 201, answer.text
    usage = conforms(answer.content, Usage)
    assert answer.headers["Location"] == f"/api/v1/usage/{usage['usage_id']}"
    return usage


def event(meter: str, wallet_id: str | None, quantity: Any, **members: Any) -> dict[str, Any]:
    """A simple event, with an id of its own unless one is given."""
    found = {"event_id": new_id(), "meter": meter, "quantity": quantity} | members
    return found if wallet_id is None else found | {"wallet_id": wallet_id}


async def report(client: Client, meter: str, wallet_id: str, quantity: Any, **members: Any) -> httpx.Response:
    """Report a simple event."""
    return await client.post("/usage", event(meter, wallet_id, quantity, **members))


async def batch(client: Client, *events: Any, **members: Any) -> list[dict[str, Any]]:
    """Report events; the outcomes."""
    answer = await client.post("/usage/batch", {"events": list(events), **members})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def amounts(results: list[dict[str, Any]]) -> list[str]:
    """Of each outcome: the amount, or the code of its problem."""
    return [
        each["usage"]["amount"] if each["status"] == "accepted" else each["problem"]["code"]
        for each in results
    ]
