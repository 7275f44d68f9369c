"""Wallets that were made while nobody could say whether their user exists."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs
from support.access_checks import (
    UNAVAILABLE,
    debit_after_pause,
    restore_upstreams,
    unverified_ids,
    verify_owners,
    wallet_ids,
)
from support.api import Api, new_user, posted, problem
from support.stand_in import StandIn

from wallet_service.core.identifiers import new_id


async def test_a_wallet_made_unverified_is_marked_until_its_next_debit(
    lenient: Api, upstreams: StandIn
) -> None:
    user_id = new_user()
    upstreams.fault = UNAVAILABLE
    wallet_id = (await lenient.admin.wallet("10", user_id=user_id))["wallet_id"]
    credits_of = new_user()
    path = f"/users/{credits_of}/credits"
    problem(await lenient.admin.post(f"{path}/consume", {"amount": "1"}), "insufficient_funds")
    credits_id = (await lenient.admin.get(f"{path}/balance")).json()["wallet_id"]
    assert {wallet_id, credits_id} <= await unverified_ids(lenient.admin)
    assert wallet_id in await wallet_ids(lenient.admin)
    assert wallet_id not in await wallet_ids(lenient.admin, verified="true")

    restore_upstreams(lenient, upstreams)
    await lenient.admin.read(wallet_id)
    posted(await lenient.admin.move("deposit", wallet_id))
    posted(await lenient.admin.move("consume", wallet_id, dry_run=False))
    await verify_owners(lenient)
    assert wallet_id not in await unverified_ids(lenient.admin)
    assert credits_id in await unverified_ids(lenient.admin), "it was not debited"
    wallet = await lenient.admin.read(wallet_id)
    assert (wallet["status"], wallet["version"]) == ("active", 1)


@pytest.mark.parametrize("kind", ["withdraw", "consume", "fee", "transfer", "batch", "credits"])
async def test_every_debit_verifies(lenient: Api, upstreams: StandIn, kind: str) -> None:
    target = (await lenient.admin.wallet())["wallet_id"]
    upstreams.fault = UNAVAILABLE
    wallet = await lenient.admin.wallet("10")
    wallet_id = wallet["wallet_id"]
    restore_upstreams(lenient, upstreams)
    move = lenient.admin.move
    moves: dict[str, Callable[[], Awaitable[Any]]] = {
        "transfer": lambda: move("transfer", wallet_id, to_wallet_id=target),
        "batch": lambda: lenient.admin.batch({"type": "consume", "wallet_id": wallet_id, "amount": "1"}),
        "credits": lambda: lenient.admin.post(f"/users/{wallet['user_id']}/credits/consume", {"amount": "1"}),
    }
    answer = await moves.get(kind, lambda: move(kind, wallet_id))()
    assert answer.status_code in {200, 201}, answer.text
    await verify_owners(lenient)
    assert wallet_id not in await unverified_ids(lenient.admin)


async def test_what_takes_nothing_verifies_nothing(lenient: Api, upstreams: StandIn) -> None:
    upstreams.fault = UNAVAILABLE
    wallet_id = (await lenient.admin.wallet("10"))["wallet_id"]
    restore_upstreams(lenient, upstreams)
    posted(await lenient.admin.move("deposit", wallet_id))
    posted(await lenient.admin.move("reward", wallet_id))
    assert (await lenient.admin.move("consume", wallet_id, dry_run=True)).status_code == 200
    problem(await lenient.admin.move("consume", wallet_id, "1000"), "insufficient_funds")
    await verify_owners(lenient)
    assert wallet_id in await unverified_ids(lenient.admin)


async def test_the_wallet_of_an_unknown_user_is_frozen_at_the_second_check(
    lenient: Api, upstreams: StandIn
) -> None:
    user_id = new_user()
    upstreams.fault = UNAVAILABLE
    wallet_id = (await lenient.admin.wallet("10", user_id=user_id))["wallet_id"]
    restore_upstreams(lenient, upstreams)
    upstreams.unknown.add(user_id)
    with capture_logs() as log:
        for _ in range(3):
            posted(await lenient.admin.move("consume", wallet_id))
            await verify_owners(lenient)
        assert said(log) == [("wallet_of_unknown_user", wallet_id)], "one answer freezes nothing"
        await debit_after_pause(lenient, wallet_id)
    assert said(log)[1:] == [("wallet_of_unknown_user_frozen", wallet_id)]
    assert user_id not in str(log)
    wallet = await lenient.admin.read(wallet_id)
    assert (wallet["status"], wallet["balance"]) == ("frozen", "6.000000")
    problem(await lenient.admin.move("consume", wallet_id), "wallet_frozen")
    assert wallet_id in await unverified_ids(lenient.admin), "an operator sees it there"

    # The user is made after all, and an operator thaws the wallet; that there was none is still remembered.
    upstreams.unknown.clear()
    await lenient.admin.patch(f"/wallets/{wallet_id}", {"status": "active"})
    await debit_after_pause(lenient, wallet_id)
    assert (await lenient.admin.read(wallet_id))["status"] == "active"
    await debit_after_pause(lenient, wallet_id)
    assert (await lenient.admin.read(wallet_id))["status"] == "active"
    assert wallet_id not in await unverified_ids(lenient.admin)


def said(log: list[Any]) -> list[tuple[str, str]]:
    """The lines about a wallet."""
    return [(line["event"], line["wallet_id"]) for line in log if "wallet_id" in line]


async def test_debits_go_on_while_the_upstream_stays_unavailable(lenient: Api, upstreams: StandIn) -> None:
    upstreams.fault = UNAVAILABLE
    wallet_id = (await lenient.admin.wallet("10"))["wallet_id"]
    for _ in range(3):
        posted(await lenient.admin.move("consume", wallet_id))
        await verify_owners(lenient)
    asked = len(upstreams.questions)
    posted(await lenient.admin.move("consume", wallet_id))
    await verify_owners(lenient)
    assert len(upstreams.questions) == asked, "it is left alone for a while"
    assert wallet_id in await unverified_ids(lenient.admin)
    assert await lenient.admin.balance(wallet_id) == "6.000000"


async def test_imported_wallets_are_verified_at_their_first_debit(api: Api, upstreams: StandIn) -> None:
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
    assert upstreams.questions == []
    assert set(made) <= await unverified_ids(api.admin)
    for wallet_id in made:
        posted(await api.admin.move("consume", wallet_id))
    await verify_owners(api)
    await debit_after_pause(api, made[1])
    assert [(await api.admin.read(wallet_id))["status"] for wallet_id in made] == ["active", "frozen"]
    assert made[0] not in await unverified_ids(api.admin)


async def test_only_operators_list_all_wallets(api: Api) -> None:
    await api.admin.wallet()
    for query in ({}, {"verified": "false"}, {"verified": "true"}):
        answer = await (await api.service("stats:read")).get("/wallets", **query)
        assert answer.status_code == 200
        assert problem(await (await api.service("wallets:read")).get("/wallets", **query), "forbidden")
        assert problem(await api.user().get("/wallets", **query), "forbidden")


async def test_the_list_has_pages(lenient: Api, upstreams: StandIn) -> None:
    upstreams.fault = UNAVAILABLE
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


async def test_only_operators_see_what_is_unverified(
    lenient: Api, upstreams: StandIn, superuser: asyncpg.Connection
) -> None:
    upstreams.fault = UNAVAILABLE
    wallet = await lenient.admin.wallet()
    row = await superuser.fetchrow(
        "select unverified_since, created_at from wallet.wallets where wallet_id = $1", wallet["wallet_id"]
    )
    assert row is not None
    assert row["unverified_since"] == row["created_at"]
    assert "unverified_since" not in wallet
