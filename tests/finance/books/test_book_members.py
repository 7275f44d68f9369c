"""Books of organizations, where members are checked with the organization service."""

from collections.abc import AsyncIterator

import pytest
from support.api import Api, new_user, open_api, problem
from support.database_location import DatabaseLocation
from support.stand_in import StandIn, stand_in

from wallet_service.core.identifiers import new_id

UNAVAILABLE = "500"


@pytest.fixture
async def upstreams() -> AsyncIterator[StandIn]:
    async with stand_in() as opened:
        yield opened


@pytest.fixture
async def checked(database_location: DatabaseLocation, upstreams: StandIn) -> AsyncIterator[Api]:
    urls = {"account_url": upstreams.url, "organization_url": upstreams.url}
    async with open_api(
        database_location,
        verify_users=True,
        upstream_set_aside_ms=0,
        upstream_unavailable_policy="allow",
        **urls,
    ) as opened:
        yield opened


async def test_members_share_the_book_of_their_organization(checked: Api, upstreams: StandIn) -> None:
    organization = f"org-{new_id()}"
    answer = await checked.admin.post("/books", {"organization_id": organization, "base_currency": "EUR"})
    book_id = answer.json()["book_id"]
    member, stranger = checked.user(), checked.user()
    assert stranger.user_id is not None
    upstreams.strangers.add((organization, stranger.user_id))
    wallet = await checked.admin.wallet(user_id=new_user(), organization_id=organization)

    assert (await member.get(f"/books/{book_id}")).json()["organization_id"] == organization
    assert len((await member.get("/books", organization_id=organization)).json()["items"]) == 1
    assert (await member.patch(f"/books/{book_id}", {"month_start_day": 5})).json()["version"] == 2
    listed = (await member.get(f"/books/{book_id}/wallets")).json()["items"]
    assert [each["wallet_id"] for each in listed] == [wallet["wallet_id"]], "also wallets of other members"
    path = f"/books/{book_id}/wallets/{wallet['wallet_id']}"
    assert (await member.send("PUT", path, {"purpose": "business"})).status_code == 200

    problem(await stranger.get(f"/books/{book_id}"), "book_not_found")
    problem(await stranger.patch(f"/books/{book_id}", {"month_start_day": 5}), "book_not_found")
    problem(await stranger.send("PUT", path, {"purpose": "business"}), "book_not_found")
    assert (await stranger.get("/books", organization_id=organization)).json()["items"] == []
    problem(
        await member.post("/books", {"organization_id": organization, "base_currency": "EUR"}), "forbidden"
    )


async def test_an_outage_opens_no_book_although_the_policy_allows_wallets(
    checked: Api, upstreams: StandIn
) -> None:
    organization = f"org-{new_id()}"
    answer = await checked.admin.post("/books", {"organization_id": organization, "base_currency": "EUR"})
    user = checked.user()
    upstreams.fault = UNAVAILABLE
    problem(await user.get(f"/books/{answer.json()['book_id']}"), "upstream_unavailable")
    problem(await user.get("/books", organization_id=organization), "upstream_unavailable")
