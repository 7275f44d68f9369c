"""Rated usage over HTTP, on both drivers."""

from typing import Any

import httpx
from support.api import Api, Client, conforms, problem

from wallet_service.billing.rates.card_schemas import Meter, RateCard
from wallet_service.billing.rates.schemas import Usage
from wallet_service.core.identifiers import new_id

PER_UNIT = {"model": "per_unit", "unit_price": "0.25"}


def new_meter() -> str:
    """A name that no other test has."""
    return f"m{new_id()}"


async def create_meter(client: Client, *dimensions: str, **members: Any) -> str:
    """A new meter with these dimensions; its name."""
    name = new_meter()
    answer = await client.post("/meters", {"meter": name, "dimensions": list(dimensions)} | members)
    assert answer.status_code == 201, answer.text
    conforms(answer.content, Meter)
    return name


async def create_card(client: Client, meter: str, *prices: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A rate card of the meter in credits."""
    body = {"meter": meter, "currency": "CREDIT", "prices": list(prices)} | members
    answer = await client.post("/rate-cards", body)
    assert answer.status_code == 201, answer.text
    return conforms(answer.content, RateCard)


def accepted(answer: httpx.Response) -> dict[str, Any]:
    """The usage of a 201."""
    assert answer.status_code == 201, answer.text
    usage = conforms(answer.content, Usage)
    assert answer.headers["Location"] == f"/api/v1/usage/{usage['usage_id']}"
    return usage


async def report(client: Client, meter: str, wallet_id: str, quantity: Any, **members: Any) -> httpx.Response:
    """Report a simple event, with an id of its own unless one is given."""
    event = {"event_id": new_id(), "meter": meter, "wallet_id": wallet_id, "quantity": quantity}
    return await client.post("/usage", event | members)


async def test_an_event_is_priced_posted_once_and_explained(api: Api) -> None:
    meter = await create_meter(api.admin)
    card = await create_card(api.admin, meter, PER_UNIT)
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]

    first = await report(api.admin, meter, wallet_id, "10", event_id="one")
    usage = accepted(first)
    again = await report(api.admin, meter, wallet_id, "10.0", event_id="one")

    assert (usage["amount"], usage["quantity"]) == ("2.500000", "10")
    assert usage["rating"]["rate_card_id"] == card["rate_card_id"]
    assert (usage["rating"]["version"], usage["rating"]["unit_price"]) == (1, "0.25")
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await api.admin.balance(wallet_id) == "97.500000"
    other = problem(await report(api.admin, meter, wallet_id, "11", event_id="one"), "usage_event_conflict")
    assert other["event_id"] == "one"
    found = (await api.admin.get(f"/transactions/{usage['transaction_id']}")).json()
    assert (found["transaction_type"], found["counter_account"]) == ("consume", f"revenue:usage:{meter}")
    assert found["reference"] == "one"
    assert (await api.admin.get(f"/usage/{usage['usage_id']}")).content == first.content
