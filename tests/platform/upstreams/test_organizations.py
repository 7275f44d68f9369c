from collections.abc import AsyncIterator

import httpx
import pytest
import respx
from support.stand_in import StandIn
from support.upstreams import ListedInstances, ManualClock, account_client

from wallet_service.platform.upstreams.breaker import FAILURES, PAUSE_S
from wallet_service.platform.upstreams.cache import KNOWN_S
from wallet_service.platform.upstreams.organizations import OrganizationClient
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.responses import ResponseUnusable


@pytest.fixture
async def organizations(upstreams: StandIn, clock: ManualClock) -> AsyncIterator[OrganizationClient]:
    async with account_client(ListedInstances(upstreams.url)) as client:
        opened = OrganizationClient(client, clock)
        yield opened
        await opened.close()


async def test_organizations(organizations: OrganizationClient, upstreams: StandIn) -> None:
    for _ in range(2):
        assert await organizations.validate_organization("org-1")
        assert not await organizations.validate_organization("unknown-1")
    assert upstreams.paths() == ["/api/v1/organizations/org-1", "/api/v1/organizations/unknown-1"]


async def test_members(organizations: OrganizationClient, upstreams: StandIn, clock: ManualClock) -> None:
    upstreams.strangers.add(("org-1", "bob"))
    for _ in range(2):
        assert await organizations.is_member("org-1", "ann")
        assert not await organizations.is_member("org-1", "bob")
        assert await organizations.is_member("org-2", "bob")
    assert len(upstreams.questions) == 3
    assert upstreams.paths()[0] == "/api/v1/organizations/org-1/members/ann"
    upstreams.strangers.add(("org-1", "ann"))
    clock.value += KNOWN_S
    assert not await organizations.is_member("org-1", "ann")
    clock.value += 100 * KNOWN_S
    assert organizations.was_no_member("org-1", "ann"), "the last word, however old"
    assert not organizations.was_no_member("org-2", "bob")
    upstreams.strangers.clear()
    assert await organizations.is_member("org-1", "ann")
    assert not organizations.was_no_member("org-1", "ann")


@pytest.mark.parametrize(("organization", "user"), [(".", "ann"), ("org-1", ".."), ("", "ann"), ("o", "")])
async def test_what_can_not_be_asked_for(
    organizations: OrganizationClient, upstreams: StandIn, organization: str, user: str
) -> None:
    assert not await organizations.is_member(organization, user)
    assert upstreams.questions == []


async def test_no_id_reaches_into_the_next_segment(
    organizations: OrganizationClient, upstreams: StandIn
) -> None:
    assert await organizations.validate_organization("org-1/members/ann")
    assert await organizations.is_member("org/1", "a/../b")
    assert upstreams.paths() == [
        "/api/v1/organizations/org-1%2Fmembers%2Fann",
        "/api/v1/organizations/org%2F1/members/a%2F..%2Fb",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {"organization_id": "org-1", "user_id": "ann"},  # it took the coded slashes for slashes
        {"organization_id": "org-1"},
        {"user_id": "ann"},
        {},
    ],
)
async def test_an_answer_about_something_else_is_none(answer: dict[str, str]) -> None:
    async with account_client(ListedInstances("http://organizations.example")) as client:
        organizations = OrganizationClient(client)
        with respx.mock(using="httpx") as router:
            router.get(url__regex=r".*").respond(json=answer)
            with pytest.raises(ResponseUnusable):
                await organizations.validate_organization("org-1/members/ann")
            with pytest.raises(ResponseUnusable):
                await organizations.is_member("org-2", "ann")


async def test_no_answer_is_kept_when_there_was_none(
    organizations: OrganizationClient, upstreams: StandIn
) -> None:
    upstreams.fault = "503"
    with pytest.raises(UpstreamUnavailable):
        await organizations.is_member("org-1", "ann")
    upstreams.fault = None
    assert await organizations.is_member("org-1", "ann")


@pytest.mark.parametrize("hangs", ["the route", "one path"])
async def test_members_that_hang_cost_no_caller_a_wait_though_the_rest_answers(
    clock: ManualClock, hangs: str
) -> None:
    """Organizations are answered in between, and in the second case other members."""
    url, base = "http://organizations.example", "/api/v1/organizations/org-1"
    async with account_client(ListedInstances(url), clock) as client:
        organizations = OrganizationClient(client, clock)
        with respx.mock(using="httpx", assert_all_called=False) as router:
            ann = router.get(f"{url}{base}/members/ann").mock(side_effect=httpx.ReadTimeout("hangs"))
            router.get(url__regex=r".*/members/(?P<name>\w+)").mock(side_effect=_member)
            router.get(url__regex=r".*/organizations/(?P<name>[\w-]+)").mock(side_effect=_organization)

            async def ask_for_ann() -> None:
                with pytest.raises(UpstreamUnavailable):
                    await organizations.is_member("org-1", "ann")

            for number in range(FAILURES):
                await ask_for_ann()
                assert await organizations.validate_organization(f"org-{number}")
                if hangs == "one path":
                    assert await organizations.is_member("org-1", f"bob{number}")
            assert ann.call_count == FAILURES
            await ask_for_ann()
            assert ann.call_count == FAILURES, "not asked any more"
            assert await organizations.validate_organization("org-other")

            ann.mock(side_effect=lambda request: _member(request, "ann"))
            clock.value += PAUSE_S
            assert await organizations.is_member("org-1", "ann")
        await organizations.close()


def _member(_request: httpx.Request, name: str) -> httpx.Response:
    return httpx.Response(200, json={"organization_id": "org-1", "user_id": name})


def _organization(_request: httpx.Request, name: str) -> httpx.Response:
    return httpx.Response(200, json={"organization_id": name})
