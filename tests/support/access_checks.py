"""Helpers of the tests in which users and memberships are checked with upstream services."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from support.api import Api, Client, conforms
from support.stand_in import StandIn
from wallet_service.core.identifiers import new_id
from wallet_service.money.wallets.schemas import WalletPage
from wallet_service.platform.upstreams.breaker import Breakers
from wallet_service.platform.upstreams.cache import UNKNOWN_S

UNAVAILABLE = "500"
OpenApi = Callable[..., Any]
"""Opens the application with these settings besides those of the checks."""


async def unverified_ids(client: Client) -> set[str]:
    """The ids of all unverified wallets."""
    return await wallet_ids(client, verified="false")


async def wallet_ids(client: Client, **query: Any) -> set[str]:
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


def restore_upstreams(api: Api, upstreams: StandIn) -> None:
    """The upstream services respond again, and the pauses of the breakers are over."""
    upstreams.fault = None
    for client in (api.app.state.clients.accounts, api.app.state.clients.organizations):
        client._client._breakers = Breakers()


async def verification_idle(api: Api) -> None:
    """Return when no verification is under way."""
    await api.app.state.membership._verification.idle()


@dataclass
class SharedWallet:
    """A wallet of an organization, and its user."""

    organization_id: str
    wallet_id: str
    user: Client


async def create_shared_wallet(api: Api, amount: str = "10") -> SharedWallet:
    user, organization_id = api.user(), f"org-{new_id()}"
    wallet = await api.admin.wallet(amount, user_id=user.user_id, organization_id=organization_id)
    return SharedWallet(organization_id, wallet["wallet_id"], user)


def user_calls(shared: SharedWallet) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Every call that a user's token allows on one wallet."""
    user, path = shared.user, f"/wallets/{shared.wallet_id}"
    return {
        "read": lambda: user.get(path),
        "balance": lambda: user.get(f"{path}/balance"),
        "history": lambda: user.get(f"{path}/transactions"),
        "statistics": lambda: user.get(f"{path}/statistics"),
        "patch": lambda: user.patch(path, {"name": new_id()}),
        "consume": lambda: user.move("consume", shared.wallet_id),
        "credits": lambda: user.get(f"/users/{user.user_id}/credits/balance"),
        "spend": lambda: user.post(f"/users/{user.user_id}/credits/consume", {"amount": "1"}),
    }


async def debit_after_pause(api: Api, wallet_id: str) -> None:
    """Debit after the pause between two verifications, so that the wallet's user is checked again."""
    verification = api.app.state.membership._verification
    verification._deferred.clear()
    for suspected in verification._suspected_s:
        verification._suspected_s[suspected] -= UNKNOWN_S
    answer = await api.admin.move("consume", wallet_id)
    assert answer.status_code == 201, answer.text
    await verification_idle(api)
