"""What a user's token sees of all the user's wallets: not those of organizations which the user left."""

import csv
import json
from typing import Any

import asyncpg
import httpx
from support.access_checks import UNAVAILABLE
from support.api import Api, Client, new_user, problem
from support.stand_in import StandIn

from wallet_service.core.identifiers import new_id
from wallet_service.money.statements.repository import Page, Position, StatementRepository
from wallet_service.platform.membership.visibility import MOST_ORGANIZATIONS, Visibility


def reads(client: Client, user_id: str) -> dict[str, Any]:
    """Everything that reads all wallets of a user, by what it is."""
    path = f"/users/{user_id}"
    return {
        "wallets": lambda **query: client.get(f"{path}/wallets", **query),
        "history": lambda **query: client.get(f"{path}/transactions", **query),
        "statement": lambda: client.send("GET", f"{path}/transactions", headers={"Accept": "text/csv"}),
        "statistics": lambda: client.get(f"{path}/statistics"),
    }


def given(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


async def seen(client: Client, user_id: str) -> tuple[set[str], str | None]:
    """The wallets that all of these show, and what they hold together."""
    of = reads(client, user_id)
    listed = [item["wallet_id"] for item in given(await of["wallets"]())["items"]]
    posted = [item["wallet_id"] for item in given(await of["history"]())["items"]]
    statement = await of["statement"]()
    assert statement.status_code == 200, statement.text
    lines = [line["wallet_id"] for line in csv.DictReader(statement.text.splitlines())]
    sums = given(await of["statistics"]())["currencies"]
    assert lines == posted
    assert sorted(posted) == sorted(listed)  # each has one row: its opening balance
    assert sum(each["transactions"] for each in sums) == len(listed)
    return set(listed), sums[0]["closing_balance"] if sums else None


class Shared:
    """A user with 1 credit of their own, and 10, 100 … in wallets of organizations."""

    def __init__(self, api: Api, upstreams: StandIn) -> None:
        self._api, self._upstreams = api, upstreams
        self.user_id = new_user()
        self.user = api.user(self.user_id)
        self.organizations: list[str] = []
        self.wallets: list[str] = []

    async def made(self, organizations: int) -> "Shared":
        await self.add(None)
        for _ in range(organizations):
            await self.add(f"org-{new_id()}")
        return self

    async def add(self, organization_id: str | None) -> None:
        members = {"organization_id": organization_id} if organization_id else {}
        amount = str(10 ** len(self.wallets))
        wallet = await self._api.admin.wallet(amount, user_id=self.user_id, name=new_id(), **members)
        self.wallets.append(wallet["wallet_id"])
        self.organizations += members.values()

    def leave(self, organization_id: str) -> None:
        self._upstreams.strangers.add((organization_id, self.user_id))


async def test_what_the_user_left_is_left_out(api: Api, upstreams: StandIn) -> None:
    shared = await Shared(api, upstreams).made(2)
    own, _, still = shared.wallets
    shared.leave(shared.organizations[0])
    assert await seen(shared.user, shared.user_id) == ({own, still}, "101.000000")
    assert await seen(api.admin, shared.user_id) == (set(shared.wallets), "111.000000")
    shared.leave(shared.organizations[1])
    api.app.state.clients.organizations._members._cached.clear()  # as 5 minutes later
    assert await seen(shared.user, shared.user_id) == ({own}, "1.000000")


async def test_warm_it_costs_no_call_and_what_is_new_is_asked_about(api: Api, upstreams: StandIn) -> None:
    shared = await Shared(api, upstreams).made(1)
    assert await seen(shared.user, shared.user_id) == (set(shared.wallets), "11.000000")
    asked, database, calls = len(upstreams.questions), api.app.state.database, list[str]()
    call = database.call

    async def counted(function: str, /, **params: Any) -> bytes:
        calls.append(function)
        return await call(function, **params)

    database.call = counted
    try:
        await seen(shared.user, shared.user_id)
    finally:
        database.call = call
    history = "list_user_transactions"
    assert calls == ["list_user_wallets", history, history, "read_user_statistics"]
    assert len(upstreams.questions) == asked
    joined, closed_to_them = f"org-{new_id()}", f"org-{new_id()}"
    shared.leave(closed_to_them)
    for organization_id in (joined, closed_to_them):
        await shared.add(organization_id)
    asked = len(upstreams.questions)
    assert await seen(shared.user, shared.user_id) == (set(shared.wallets[:3]), "111.000000")
    members = {f"/api/v1/organizations/{each}/members/{shared.user_id}" for each in (joined, closed_to_them)}
    assert sorted(upstreams.paths()[asked:]) == sorted(members), "each once"


async def test_pages_go_on_when_the_user_leaves_between_them(api: Api, upstreams: StandIn) -> None:
    shared = await Shared(api, upstreams).made(4)
    left = {shared.wallets[2], shared.wallets[3]}
    for kind in ("wallets", "history"):
        read = reads(shared.user, shared.user_id)[kind]
        page = given(await read(limit=3 if kind == "wallets" else 2))  # its last row is of an organization
        found = [item["wallet_id"] for item in page["items"]]
        for organization_id in shared.organizations[1:3]:
            shared.leave(organization_id)
        api.app.state.clients.organizations._members._cached.clear()
        while page["next_cursor"] is not None:
            page = given(await read(limit=1, cursor=page["next_cursor"]))
            assert len(page["items"]) == 1, "no page is empty"
            assert not left & {item["wallet_id"] for item in page["items"]}
            found += [item["wallet_id"] for item in page["items"]]
        expected = shared.wallets if kind == "wallets" else shared.wallets[::-1]
        kept = found[: 3 if kind == "wallets" else 2]
        assert found == [each for each in expected if each not in left or each in kept]
        upstreams.strangers.clear()
        api.app.state.clients.organizations._members._cached.clear()


async def test_one_request_shows_the_same_wallets_to_its_end(api: Api, upstreams: StandIn) -> None:
    shared = await Shared(api, upstreams).made(1)
    repository = StatementRepository(api.app.state.database)

    async def rows(sight: Visibility, before: Position | None) -> Page:
        return await repository.user_page(shared.user_id, shared.user_id, {}, "posted", before, 1, sight)

    sight = api.app.state.membership.of_caller(shared.user_id).visibility()
    page = await rows(sight, None)
    await shared.add(shared.organizations[0])
    shared.leave(shared.organizations[0])
    api.app.state.clients.organizations._members._cached.clear()
    assert json.loads(page.items)[0]["wallet_id"] == shared.wallets[1]
    assert json.loads((await rows(sight, None)).items)[0]["wallet_id"] == shared.wallets[2]
    assert json.loads((await rows(sight, page.position)).items)[0]["wallet_id"] == shared.wallets[0]
    later = api.app.state.membership.of_caller(shared.user_id).visibility()
    assert json.loads((await rows(later, None)).items)[0]["wallet_id"] == shared.wallets[0]


async def test_without_an_answer_all_but_the_last_no_is_shown(api: Api, upstreams: StandIn) -> None:
    shared = await Shared(api, upstreams).made(2)
    shared.leave(shared.organizations[0])
    await seen(shared.user, shared.user_id)
    api.app.state.clients.organizations._members._cached.clear()
    upstreams.fault = UNAVAILABLE
    shown = {shared.wallets[0], shared.wallets[2]}
    assert await seen(shared.user, shared.user_id) == (shown, "101.000000")


async def test_or_nothing_when_the_policy_says_so(strict: Api, upstreams: StandIn) -> None:
    shared, own = await Shared(strict, upstreams).made(1), await Shared(strict, upstreams).made(0)
    upstreams.fault = UNAVAILABLE
    for read in reads(shared.user, shared.user_id).values():
        assert problem(await read(), "upstream_unavailable")["upstream"] == "organization"
    assert await seen(own.user, own.user_id) == (set(own.wallets), "1.000000")
    assert await seen(strict.admin, shared.user_id) == (set(shared.wallets), "11.000000")


async def test_there_is_a_most(api: Api, upstreams: StandIn, superuser: asyncpg.Connection) -> None:
    shared = await Shared(api, upstreams).made(0)
    add = (
        "insert into wallet.wallets (wallet_id, user_id, organization_id, name, wallet_type, currency, created_at,"
        " updated_at) select gen_random_uuid(), $1, 'org-' || n, 'of ' || n, 'fiat', 'CREDIT', now(), now()"
        " from generate_series($2::int, $3::int) n"
    )
    await superuser.execute(add, shared.user_id, 1, MOST_ORGANIZATIONS)
    upstreams.fault = UNAVAILABLE  # so all are shown; soon the service asks no upstream
    sums = given(await reads(shared.user, shared.user_id)["statistics"]())
    assert sums["currencies"][0]["closing_balance"] == "1.000000"
    await superuser.execute(add, shared.user_id, MOST_ORGANIZATIONS + 1, MOST_ORGANIZATIONS + 1)
    for read in reads(shared.user, shared.user_id).values():
        assert "500 organizations" in problem(await read(), "forbidden")["detail"]
    assert given(await shared.user.get(f"/wallets/{shared.wallets[0]}"))["balance"] == "1.000000"
