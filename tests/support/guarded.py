"""Wallets whose owners are looked up: what their tests share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from support.api import Api, Client, conforms
from support.stand_in import StandIn
from wallet_service.core.identifiers import new_id
from wallet_service.money.wallets.schemas import WalletPage
from wallet_service.platform.upstreams.cache import UNKNOWN_S

AWAY = "500"
Open = Callable[..., Any]
"""Opens the application with these settings beside those of the checks."""


async def unverified(client: Client) -> set[str]:
    """The ids of all wallets that are marked."""
    return await ids(client, verified="false")


async def ids(client: Client, **query: Any) -> set[str]:
    found: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get("/wallets", limit=100, **query, **cursor)
        assert answer.status_code == 200, answer.text
        page = conforms(answer.content, WalletPage)
        found |= {wallet["wallet_id"] for wallet in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def back(api: Api, others: StandIn) -> None:
    """The upstreams answer again, and the pauses of the breakers are over."""
    others.fault = None
    for client in (api.app.state.clients.accounts, api.app.state.clients.organizations):
        client._client._breaker.succeeded()


async def settled(api: Api) -> None:
    """Return when nothing is being verified any more."""
    await api.app.state.access._verification.idle()


@dataclass
class Shared:
    """A wallet of an organization, and its user."""

    organization_id: str
    wallet_id: str
    user: Client


async def shared(api: Api, amount: str = "10") -> Shared:
    user, organization_id = api.user(), f"org-{new_id()}"
    wallet = await api.admin.wallet(amount, user_id=user.user_id, organization_id=organization_id)
    return Shared(organization_id, wallet["wallet_id"], user)


def uses(place: Shared) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Everything that a user's token can do with one wallet."""
    user, path = place.user, f"/wallets/{place.wallet_id}"
    return {
        "read": lambda: user.get(path),
        "balance": lambda: user.get(f"{path}/balance"),
        "history": lambda: user.get(f"{path}/transactions"),
        "statistics": lambda: user.get(f"{path}/statistics"),
        "patch": lambda: user.patch(path, {"name": new_id()}),
        "consume": lambda: user.move("consume", place.wallet_id),
        "credits": lambda: user.get(f"/users/{user.user_id}/credits/balance"),
        "spend": lambda: user.post(f"/users/{user.user_id}/credits/consume", {"amount": "1"}),
    }


async def debited_later(api: Api, wallet_id: str) -> None:
    """A debit, so long after the last look at the wallet's owner that it is looked at again."""
    verification = api.app.state.access._verification
    verification._deferred.clear()
    for suspected in verification._suspected_s:
        verification._suspected_s[suspected] -= UNKNOWN_S
    answer = await api.admin.move("consume", wallet_id)
    assert answer.status_code == 201, answer.text
    await settled(api)
