"""Wallets over HTTP while the other services answer, refuse, and are away."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs
from support.api import Api, Client, conforms, created, new_user, posted, problem
from support.api import open_api as open_any_api
from support.places import Place
from support.stand_in import StandIn

from wallet_service.errors import NeighbourUnavailable
from wallet_service.identifiers import new_id
from wallet_service.wallets.schemas import WalletPage

AWAY = "500"
Open = Callable[..., Any]


@pytest.fixture
def open_api(place: Place, others: StandIn) -> Open:
    """The application with checks, and these settings beside."""

    @asynccontextmanager
    async def opening(**settings: Any) -> AsyncIterator[Api]:
        urls = {"account_url": others.url, "organization_url": others.url}
        given = {"verify_users": True, "neighbour_set_aside_ms": 0}
        async with open_any_api(place, **urls | given | settings) as opened:
            yield opened

    return opening


@pytest.fixture
async def api(open_api: Open) -> AsyncIterator[Api]:
    async with open_api() as opened:
        yield opened


@pytest.fixture
async def lenient(open_api: Open) -> AsyncIterator[Api]:
    async with open_api(on_neighbour_down="allow") as opened:
        yield opened


@pytest.fixture
async def strict(open_api: Open) -> AsyncIterator[Api]:
    async with open_api(on_neighbour_down="deny") as opened:
        yield opened


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
    """The neighbours answer again, and the pauses of the breakers are over."""
    others.fault = None
    for client in (api.app.state.clients.accounts, api.app.state.clients.organizations):
        client._client._breaker.succeeded()


async def settled(api: Api) -> None:
    """Return when nothing is being verified any more."""
    await api.app.state.guard._verification.idle()


# Making wallets


async def test_a_user_who_exists_gets_a_wallet(api: Api, others: StandIn) -> None:
    user_id = new_user()
    wallet = await api.admin.wallet("5", user_id=user_id)
    await api.admin.wallet(user_id=user_id, name="second")
    assert others.paths() == [f"/api/v1/accounts/{user_id}"], "asked once"
    assert wallet["wallet_id"] not in await unverified(api.admin)


async def test_a_user_who_does_not_gets_none(api: Api, others: StandIn) -> None:
    user_id = f"unknown-{new_id()}"
    for client in (api.admin, api.user(user_id)):
        problem(await client.post("/wallets", {"user_id": user_id}, key=new_id()), "user_unknown")
    problem(await api.admin.get(f"/users/{user_id}/credits/balance"), "user_unknown")
    answer = await api.admin.post(f"/users/{user_id}/credits/consume", {"amount": "1"})
    problem(answer, "user_unknown")
    assert len(others.questions) == 1
    assert (await api.admin.get(f"/users/{user_id}/wallets")).json()["items"] == []


async def test_an_organization_must_exist_too(api: Api, others: StandIn) -> None:
    user_id = new_user()
    answer = await api.admin.post("/wallets", {"user_id": user_id, "organization_id": "unknown-o"})
    problem(answer, "organization_unknown")
    await api.admin.wallet(user_id=user_id, organization_id="org-1")
    assert "/api/v1/organizations/org-1" in others.paths()


@pytest.mark.parametrize("user_id", ["a/../../organizations/x", "Ümläut 名前/☃", "%2e%2e", "a?b#c"])
async def test_strange_users_are_asked_for_by_their_id(api: Api, others: StandIn, user_id: str) -> None:
    user_id = f"{user_id}{new_id()}"
    await api.admin.wallet(user_id=user_id)
    (path,) = others.paths()
    assert path.startswith("/api/v1/accounts/")
    assert path.count("/") == 4


@pytest.mark.parametrize("user_id", [".", ".."])
async def test_users_who_can_not_be_asked_for_are_unknown(api: Api, others: StandIn, user_id: str) -> None:
    problem(await api.admin.post("/wallets", {"user_id": user_id}), "user_unknown")
    assert others.questions == []


@pytest.mark.parametrize("policy", [None, "deny"])
@pytest.mark.parametrize("fault", ["html", "500", "hang", "redirect", "big", "html_404", "drop"])
async def test_without_an_answer_no_wallet_is_made(
    open_api: Open, others: StandIn, fault: str, policy: str | None
) -> None:
    others.fault = fault
    user_id = new_user()
    async with open_api(on_neighbour_down=policy, neighbour_timeout_ms=400) as api:
        answer = await api.admin.post("/wallets", {"user_id": user_id})
        assert problem(answer, "neighbour_unavailable")["neighbour"] == "account"
        assert answer.headers["Retry-After"] == str(NeighbourUnavailable.retry_after_s)
        assert (await api.admin.get(f"/users/{user_id}/wallets")).json()["items"] == []
    assert set(others.paths()) == {f"/api/v1/accounts/{user_id}"}


async def test_credits_are_spent_without_an_answer_and_not_begun(api: Api, others: StandIn) -> None:
    old, new = new_user(), new_user()
    wallet = await api.admin.wallet("10", user_id=old)
    others.fault = AWAY
    asked = len(others.questions)
    assert (await api.admin.get(f"/users/{old}/credits/balance")).json()["wallet_id"] == wallet["wallet_id"]
    posted(await api.admin.post(f"/users/{old}/credits/consume", {"amount": "1"}))
    assert len(others.questions) == asked
    problem(await api.admin.get(f"/users/{new}/credits/balance"), "neighbour_unavailable")
    back(api, others)
    assert (await api.admin.get(f"/users/{new}/credits/balance")).status_code == 200


async def test_a_repeat_is_answered_whoever_is_away(api: Api, others: StandIn) -> None:
    user_id, key = new_user(), new_id()
    body = {"user_id": user_id, "initial_balance": "3"}
    first = await api.admin.post("/wallets", body, key=key)
    api.app.state.clients.accounts._accounts._kept.clear()
    for fault in (AWAY, None):
        others.fault = fault
        others.unknown.add(user_id)
        again = await api.admin.post("/wallets", body, key=key)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        other = await api.admin.post("/wallets", body | {"name": "x"}, key=key)
        problem(other, "idempotency_key_reused")
    back(api, others)
    problem(await api.admin.post("/wallets", body | {"name": "x"}, key=new_id()), "user_unknown")


async def test_a_refused_key_can_be_used_again(api: Api, others: StandIn) -> None:
    body, key = {"user_id": new_user()}, new_id()
    others.fault = AWAY
    problem(await api.admin.post("/wallets", body, key=key), "neighbour_unavailable")
    back(api, others)
    created(await api.admin.post("/wallets", body, key=key))


# Unverified wallets


async def test_a_wallet_made_unverified_is_marked_until_its_next_debit(lenient: Api, others: StandIn) -> None:
    user_id = new_user()
    others.fault = AWAY
    wallet_id = (await lenient.admin.wallet("10", user_id=user_id))["wallet_id"]
    credits_of = new_user()
    credits_id = (await lenient.admin.get(f"/users/{credits_of}/credits/balance")).json()["wallet_id"]
    assert {wallet_id, credits_id} <= await unverified(lenient.admin)
    assert wallet_id in await ids(lenient.admin)
    assert wallet_id not in await ids(lenient.admin, verified="true")

    back(lenient, others)
    await lenient.admin.read(wallet_id)
    posted(await lenient.admin.move("deposit", wallet_id))
    posted(await lenient.admin.move("consume", wallet_id, dry_run=False))
    await settled(lenient)
    assert wallet_id not in await unverified(lenient.admin)
    assert credits_id in await unverified(lenient.admin), "it was not debited"
    wallet = await lenient.admin.read(wallet_id)
    assert (wallet["status"], wallet["version"]) == ("active", 1)


@pytest.mark.parametrize("kind", ["withdraw", "consume", "fee", "transfer", "batch", "credits"])
async def test_every_debit_verifies(lenient: Api, others: StandIn, kind: str) -> None:
    target = (await lenient.admin.wallet())["wallet_id"]
    others.fault = AWAY
    wallet = await lenient.admin.wallet("10")
    wallet_id = wallet["wallet_id"]
    back(lenient, others)
    move = lenient.admin.move
    moves: dict[str, Callable[[], Awaitable[Any]]] = {
        "transfer": lambda: move("transfer", wallet_id, to_wallet_id=target),
        "batch": lambda: lenient.admin.batch({"type": "consume", "wallet_id": wallet_id, "amount": "1"}),
        "credits": lambda: lenient.admin.post(f"/users/{wallet['user_id']}/credits/consume", {"amount": "1"}),
    }
    answer = await moves.get(kind, lambda: move(kind, wallet_id))()
    assert answer.status_code in {200, 201}, answer.text
    await settled(lenient)
    assert wallet_id not in await unverified(lenient.admin)


async def test_what_takes_nothing_verifies_nothing(lenient: Api, others: StandIn) -> None:
    others.fault = AWAY
    wallet_id = (await lenient.admin.wallet("10"))["wallet_id"]
    back(lenient, others)
    posted(await lenient.admin.move("deposit", wallet_id))
    posted(await lenient.admin.move("reward", wallet_id))
    assert (await lenient.admin.move("consume", wallet_id, dry_run=True)).status_code == 200
    problem(await lenient.admin.move("consume", wallet_id, "1000"), "insufficient_funds")
    await settled(lenient)
    assert wallet_id in await unverified(lenient.admin)


async def test_the_wallet_of_nobody_is_frozen(lenient: Api, others: StandIn) -> None:
    user_id = new_user()
    others.fault = AWAY
    wallet_id = (await lenient.admin.wallet("10", user_id=user_id))["wallet_id"]
    back(lenient, others)
    others.unknown.add(user_id)
    with capture_logs() as log:
        posted(await lenient.admin.move("consume", wallet_id))
        await settled(lenient)
    assert "wallet_of_unknown_user_frozen" in [line["event"] for line in log]
    assert user_id not in str(log)
    wallet = await lenient.admin.read(wallet_id)
    assert (wallet["status"], wallet["version"], wallet["balance"]) == ("frozen", 2, "9.000000")
    problem(await lenient.admin.move("consume", wallet_id), "wallet_frozen")
    assert wallet_id in await unverified(lenient.admin), "an operator sees it there"

    # The user is made after all, an operator thaws the wallet, and its next debit verifies it.
    others.unknown.clear()
    lenient.app.state.clients.accounts._accounts._kept.clear()
    await lenient.admin.patch(f"/wallets/{wallet_id}", {"status": "active"})
    posted(await lenient.admin.move("consume", wallet_id))
    await settled(lenient)
    assert wallet_id not in await unverified(lenient.admin)


async def test_debits_go_on_while_the_neighbour_stays_away(lenient: Api, others: StandIn) -> None:
    others.fault = AWAY
    wallet_id = (await lenient.admin.wallet("10"))["wallet_id"]
    for _ in range(3):
        posted(await lenient.admin.move("consume", wallet_id))
        await settled(lenient)
    asked = len(others.questions)
    posted(await lenient.admin.move("consume", wallet_id))
    await settled(lenient)
    assert len(others.questions) == asked, "it is left alone for a while"
    assert wallet_id in await unverified(lenient.admin)
    assert await lenient.admin.balance(wallet_id) == "6.000000"


async def test_imported_wallets_are_verified_at_their_first_debit(api: Api, others: StandIn) -> None:
    known, unknown = new_user(), f"unknown-{new_id()}"
    lines = "".join(
        f'{{"user_id": "{user}", "currency": "CREDIT", "balance": "5"}}\n' for user in (known, unknown)
    )
    answer = await api.admin.send(
        "POST", "/wallets/import", lines.encode(), headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.status_code == 200, answer.text
    made = [
        (await api.admin.get(f"/users/{user}/wallets")).json()["items"][0]["wallet_id"]
        for user in (known, unknown)
    ]
    assert others.questions == []
    assert set(made) <= await unverified(api.admin)
    for wallet_id in made:
        posted(await api.admin.move("consume", wallet_id))
    await settled(api)
    assert [(await api.admin.read(wallet_id))["status"] for wallet_id in made] == ["active", "frozen"]
    assert made[0] not in await unverified(api.admin)


async def test_only_operators_list_all_wallets(api: Api) -> None:
    await api.admin.wallet()
    for query in ({}, {"verified": "false"}, {"verified": "true"}):
        answer = await (await api.service("stats:read")).get("/wallets", **query)
        assert answer.status_code == 200
        assert problem(await (await api.service("wallets:read")).get("/wallets", **query), "forbidden")
        assert problem(await api.user().get("/wallets", **query), "forbidden")


async def test_the_list_has_pages(lenient: Api, others: StandIn) -> None:
    others.fault = AWAY
    made = {(await lenient.admin.wallet())["wallet_id"] for _ in range(3)}
    first = (await lenient.admin.get("/wallets", verified="false", limit=1)).json()
    assert len(first["items"]) == 1
    answer = await lenient.admin.get("/wallets", verified="true", cursor=first["next_cursor"])
    problem(answer, "validation_failed")  # of another list
    seen, cursor = set[str](), {}
    while True:
        page = (await lenient.admin.get("/wallets", verified="false", limit=1, **cursor)).json()
        found = {wallet["wallet_id"] for wallet in page["items"]}
        assert not found & seen
        seen |= found
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert made <= seen


# Wallets of organizations


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


async def test_a_member_acts_on_the_organizations_wallet(api: Api, others: StandIn) -> None:
    place = await shared(api)
    asked = len(others.questions)
    for name, use in uses(place).items():
        answer = await use()
        assert answer.status_code in {200, 201}, (name, answer.text)
    path = f"/api/v1/organizations/{place.organization_id}/members/{place.user.user_id}"
    assert others.paths()[asked:] == [path], "asked once for all of it"


async def test_others_do_not(api: Api, others: StandIn) -> None:
    place = await shared(api)
    spent = posted(await api.admin.move("consume", place.wallet_id))
    assert place.user.user_id is not None
    others.strangers.add((place.organization_id, place.user.user_id))
    balance = await api.admin.balance(place.wallet_id)
    for use in uses(place).values():
        assert problem(await use(), "forbidden")["wallet_id"] == place.wallet_id
    problem(await place.user.get(f"/transactions/{spent['transaction_id']}"), "forbidden")
    problem(await place.user.delete(f"/wallets/{place.wallet_id}"), "forbidden")
    assert await api.admin.balance(place.wallet_id) == balance, "services go on"


async def test_in_a_batch_each_operation_is_looked_at(api: Api, others: StandIn) -> None:
    place = await shared(api)
    user_id = place.user.user_id
    assert user_id is not None
    own = (await api.admin.wallet("10", user_id=user_id, name="own"))["wallet_id"]
    others.strangers.add((place.organization_id, user_id))
    operations = [{"type": "consume", "wallet_id": each, "amount": "1"} for each in (own, place.wallet_id)]
    answer = await place.user.batch(*operations)
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["posted", "refused"]
    assert results[1]["problem"]["code"] == "forbidden"
    assert problem(await place.user.batch(*operations, atomic=True), "forbidden")["index"] == 1
    assert await api.admin.balance(own) == "9.000000"


async def test_another_users_wallet_is_still_not_there(api: Api, others: StandIn) -> None:
    place = await shared(api)
    await place.user.get(f"/wallets/{place.wallet_id}")
    stranger = api.user()
    asked = len(others.questions)
    problem(await stranger.get(f"/wallets/{place.wallet_id}"), "wallet_not_found")
    problem(await stranger.move("consume", place.wallet_id), "wallet_not_found")
    problem(await stranger.get("/wallets/no-uuid"), "validation_failed")
    problem(await stranger.get(f"/wallets/{new_id()}"), "wallet_not_found")
    assert len(others.questions) == asked


async def test_without_an_answer_they_go_on(api: Api, others: StandIn) -> None:
    place = await shared(api)
    others.fault = AWAY
    for name, use in uses(place).items():
        answer = await use()
        assert answer.status_code in {200, 201}, (name, answer.text)


async def test_or_do_not_when_the_policy_says_so(strict: Api, others: StandIn) -> None:
    place = await shared(strict)
    own = strict.user()
    own_id = (await strict.admin.wallet("10", user_id=own.user_id))["wallet_id"]
    others.fault = AWAY
    for use in uses(place).values():
        assert problem(await use(), "neighbour_unavailable")["neighbour"] == "organization"
    posted(await own.move("consume", own_id))
    posted(await strict.admin.move("consume", place.wallet_id))


# Off and on


async def test_unless_it_is_on_nobody_is_asked(open_api: Open, others: StandIn) -> None:
    others.fault = AWAY
    async with open_api(verify_users=False, on_neighbour_down="deny") as api:
        place = await shared(api)
        for name, use in uses(place).items():
            answer = await use()
            assert answer.status_code in {200, 201}, (name, answer.text)
        fresh = new_user()
        assert (await api.admin.get(f"/users/{fresh}/credits/balance")).status_code == 200
        assert place.wallet_id not in await unverified(api.admin)
    assert others.questions == []


async def test_with_warm_memory_nobody_is_asked(api: Api, others: StandIn) -> None:
    place = await shared(api)
    await place.user.move("consume", place.wallet_id)
    await settled(api)
    asked, database = len(others.questions), api.app.state.database
    calls: list[str] = []
    call = database.call

    async def counted(function: str, /, **params: Any) -> bytes:
        calls.append(function)
        return await call(function, **params)

    database.call = counted
    for _ in range(5):
        posted(await place.user.move("consume", place.wallet_id))
        await settled(api)
    assert len(others.questions) == asked
    assert calls == ["post_transactions"] * 5


async def test_the_marks_are_seen_by_nobody_else(
    lenient: Api, others: StandIn, superuser: asyncpg.Connection
) -> None:
    others.fault = AWAY
    wallet = await lenient.admin.wallet()
    row = await superuser.fetchrow(
        "select unverified_since, created_at from wallet.wallets where wallet_id = $1", wallet["wallet_id"]
    )
    assert row is not None
    assert row["unverified_since"] == row["created_at"]
    assert "unverified_since" not in wallet
