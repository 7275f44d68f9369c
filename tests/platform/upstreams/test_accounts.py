import asyncio
from collections.abc import AsyncIterator

import pytest
import respx
from support.stand_in import UNUSABLE, StandIn
from support.upstreams import ListedInstances, ManualClock, account_client

from wallet_service.platform.upstreams.accounts import AccountClient
from wallet_service.platform.upstreams.cache import KNOWN_S, UNKNOWN_S
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.responses import ResponseUnusable


@pytest.fixture
async def accounts(upstreams: StandIn, clock: ManualClock) -> AsyncIterator[AccountClient]:
    async with account_client(ListedInstances(upstreams.url)) as client:
        opened = AccountClient(client, clock)
        yield opened
        await opened.close()


async def test_a_user_who_exists(accounts: AccountClient, upstreams: StandIn) -> None:
    assert await accounts.validate_user("ann")
    found = await accounts.get_user("ann")
    assert found is not None
    assert (found.user_id, found.is_active) == ("ann", True)
    assert upstreams.paths() == ["/api/v1/accounts/ann"]


async def test_users_who_do_not(accounts: AccountClient, upstreams: StandIn) -> None:
    upstreams.inactive.add("gone")
    assert not await accounts.validate_user("unknown-1")
    assert await accounts.get_user("unknown-1") is None
    assert not await accounts.validate_user("gone")


async def test_what_is_known_is_believed_longer(
    accounts: AccountClient, upstreams: StandIn, clock: ManualClock
) -> None:
    upstreams.unknown.add("bob")
    assert await accounts.validate_user("ann")
    assert not await accounts.validate_user("bob")
    upstreams.unknown.clear()
    clock.value += UNKNOWN_S - 1
    assert not await accounts.validate_user("bob")
    clock.value += 1
    assert await accounts.validate_user("bob")
    upstreams.unknown.add("ann")
    assert await accounts.validate_user("ann")
    clock.value += KNOWN_S - UNKNOWN_S
    assert not await accounts.validate_user("ann")
    assert len(upstreams.questions) == 4


async def test_a_closed_account_is_believed_no_longer_than_none(
    accounts: AccountClient, upstreams: StandIn, clock: ManualClock
) -> None:
    upstreams.inactive.add("ann")
    assert not await accounts.validate_user("ann")
    upstreams.inactive.clear()
    clock.value += UNKNOWN_S
    assert await accounts.validate_user("ann")


async def test_many_at_once_ask_once(accounts: AccountClient, upstreams: StandIn) -> None:
    assert await asyncio.gather(*(accounts.validate_user("ann") for _ in range(100))) == [True] * 100
    assert len(upstreams.questions) == 1


async def test_what_is_kept_needs_no_upstream(accounts: AccountClient, upstreams: StandIn) -> None:
    await accounts.validate_user("ann")
    upstreams.fault = "500"
    assert await accounts.validate_user("ann")
    with pytest.raises(UpstreamUnavailable):
        await accounts.validate_user("bob")
    upstreams.fault = None
    assert await accounts.validate_user("bob")


async def test_only_a_clear_no_is_a_no(accounts: AccountClient, upstreams: StandIn) -> None:
    for upstreams.fault in UNUSABLE:
        with pytest.raises(ResponseUnusable) as refused:
            await accounts.validate_user("ann")
        assert "ann" not in str(refused.value) + str(vars(refused.value))


@pytest.mark.parametrize("user_id", ["", ".", ".."])
async def test_an_id_that_can_not_be_asked_for_is_no_user(
    accounts: AccountClient, upstreams: StandIn, user_id: str
) -> None:
    assert not await accounts.validate_user(user_id)
    assert upstreams.questions == []


@pytest.mark.parametrize("user_id", ["a/b", "../organizations/x", "Ümläut 名前", "%2e%2e%2f", "a?b=c#d"])
async def test_strange_ids_are_asked_for_as_they_are(
    accounts: AccountClient, upstreams: StandIn, user_id: str
) -> None:
    found = await accounts.get_user(user_id)
    assert found is not None
    assert found.user_id == user_id
    assert upstreams.paths()[0].startswith("/api/v1/accounts/")
    assert upstreams.paths()[0].count("/") == 4


async def test_a_server_that_takes_a_coded_slash_for_one_is_not_believed() -> None:
    # It finds another account below the path of the one that was asked for.
    async with account_client(ListedInstances("http://accounts.example")) as client:
        accounts = AccountClient(client)
        with respx.mock(using="httpx") as router:
            router.get(url__regex=r".*").respond(json={"user_id": "root"})
            with pytest.raises(ResponseUnusable):
                await accounts.validate_user("x/../root")
