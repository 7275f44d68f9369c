"""Each user_id that is accepted is reachable at every path that takes it; all others are refused at creation."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.api import ADMIN_KEY, Api, Client, new_user, pointers, problem
from support.sdk import listening
from support.soak import search
from wallet_client import AsyncWalletClient

from wallet_service.core.errors import ValidationFailed
from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.gateway import Json

CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f]")

PARTS = (
    "/",
    ".",
    "..",
    "%",
    "%2F",
    "%2e",
    "a",
    "é",
    "e\u0301",
    "\\",
    "?",
    "#",
    ";",
    " ",
    "+",
    "&",
    "=",
    "@",
    ":",
)
PARTS += (
    "wallets",
    "credits",
    "~",
    "'",
    '"',
    "<",
    "{user_id}",
    "\u2028",
    "\u202e",
    "\ufeff",
    "\ufffd",
    "\U0001f600",
    "\t",
)

ids = st.one_of(
    st.text(min_size=1, max_size=8),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map("".join),
)


def is_acceptable(user_id: str) -> bool:
    """The rule of docs/api.md, in other words than those of the service."""
    return not CONTROL.search(user_id) and not {".", ".."} & set(user_id.split("/"))


@dataclass(frozen=True)
class Clients:
    """Clients over a socket, since the server decodes paths too."""

    http: httpx.AsyncClient
    sdk: AsyncWalletClient


@pytest.fixture(scope="module")
async def clients(direct_api: Api) -> AsyncIterator[Clients]:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with (
        listening(direct_api.app) as url,
        httpx.AsyncClient(base_url=url, headers=headers) as http,
        AsyncWalletClient(url, api_key=ADMIN_KEY) as sdk,
    ):
        yield Clients(http, sdk)


async def imported(admin: Client, user_id: str) -> list[dict[str, Any]]:
    """The results of a line in each form of an import."""
    table = io.StringIO()
    csv.writer(table, quoting=csv.QUOTE_ALL).writerows([("user_id", "name"), (user_id, new_id())])
    line = json.dumps({"user_id": user_id, "name": new_id()})
    answers = [
        await admin.send("POST", "/wallets/import", body.encode(), headers={"Content-Type": form})
        for form, body in (("text/csv", table.getvalue()), ("application/x-ndjson", line))
    ]
    return [json.loads(answer.content) for answer in answers]


@pytest.mark.soak
@search(25)
@given(user_id=ids)
@example(user_id="a/b")
@example(user_id="/")
@example(user_id="//a")
@example(user_id="https://issuer.example/users/7?a=b#c")
@example(user_id="x/../../wallets")
@example(user_id="\U0001f600" * 255)
@example(user_id="%2E%2E")
@example(user_id="..")
async def test_an_id_is_reachable_everywhere_or_refused(
    direct_api: Api, clients: Clients, user_id: str
) -> None:
    admin = direct_api.admin
    answer = await admin.post("/wallets", {"user_id": user_id, "name": new_id()})
    if not is_acceptable(user_id):
        document = problem(answer, "validation_failed")
        assert pointers(document) == ["/user_id"]
        assert len(document["errors"][0]["detail"]) > 20
        for line in await imported(admin, user_id):
            assert (line["status"], line["problem"]["code"]) == ("refused", "validation_failed")
        return
    wallet_id = answer.json()["wallet_id"]
    assert answer.json()["user_id"] == user_id
    assert {line["status"] for line in await imported(admin, user_id)} == {"created"}
    await over_http(clients.http, user_id, wallet_id)
    await with_the_sdk(clients.sdk, user_id, wallet_id)


async def over_http(http: httpx.AsyncClient, user_id: str, wallet_id: str) -> None:
    path = f"/api/v1/users/{quote(user_id, safe='')}"
    wallets = (await http.get(f"{path}/wallets?limit=100")).json()["items"]
    assert wallet_id in [wallet["wallet_id"] for wallet in wallets]
    assert {wallet["user_id"] for wallet in wallets} == {user_id}
    spent = await http.post(f"{path}/credits/consume", json={"amount": "1"})
    assert problem(spent, "insufficient_funds")["wallet_id"] in [each["wallet_id"] for each in wallets]
    for read in ("credits/balance", "statistics"):
        assert (await http.get(f"{path}/{read}")).json()["user_id"] == user_id
    assert (await http.get(f"{path}/transactions")).json()["items"] == []


async def with_the_sdk(client: AsyncWalletClient, user_id: str, wallet_id: str) -> None:
    listed = [wallet async for wallet in client.wallets.list(user_id=user_id)]
    assert wallet_id in [wallet.wallet_id for wallet in listed]
    assert (await client.credits.balance(user_id)).user_id == user_id
    assert (await client.statistics.user(user_id)).user_id == user_id
    assert [each async for each in client.transactions.list(user_id=user_id)] == []


async def test_sql_callers_and_first_consumptions_meet_the_same_rule(direct_api: Api) -> None:
    admin = direct_api.admin
    user = new_user()
    for user_id in (".", "..", f"{user}/..", f"../{user}", f"{user}/./x"):
        answer = await admin.post(
            f"/users/{quote(user_id, safe='').replace('.', '%2E')}/credits/consume", {"amount": "1"}
        )
        assert pointers(problem(answer, "validation_failed")) == ["/user_id"]
        wallet = {"user_id": user_id, "wallet_type": "fiat", "currency": "CREDIT", "name": "main"}
        with pytest.raises(ValidationFailed) as refusal:
            await direct_api.app.state.database.call(
                "create_wallet",
                wallet_id=new_id(),
                client_id="sql",
                idempotency_key=None,
                wallet=Json.of(wallet),
                deposit=None,
            )
        assert refusal.value.facts["errors"][0]["pointer"] == "/user_id"


async def test_wallets_of_an_earlier_release_stay_readable(
    direct_api: Api, superuser: asyncpg.Connection
) -> None:
    """Version 0.1.0 accepted any id."""
    wallet_id, user_id = new_id(), f"{new_user()}/../x"
    await superuser.execute(
        "insert into wallet.wallets (wallet_id, user_id, name, wallet_type, currency, is_primary, created_at, updated_at)"
        " values ($1, $2, 'main', 'fiat', 'CREDIT', true, wallet.clock(), wallet.clock())",
        wallet_id,
        user_id,
    )
    admin = direct_api.admin
    assert (await admin.read(wallet_id))["user_id"] == user_id
    path = f"/users/{quote(user_id, safe='')}"
    assert [each["wallet_id"] for each in (await admin.get(f"{path}/wallets")).json()["items"]] == [wallet_id]
    assert (await admin.get(f"{path}/credits/balance")).json()["wallet_id"] == wallet_id
    await admin.move("deposit", wallet_id, "5")
    assert (await admin.post(f"{path}/credits/consume", {"amount": "5"})).json()[
        "balance_after"
    ] == "0.000000"
    dots = await admin.get("/users/%2E%2E/wallets")  # as a client can send it that does not remove it
    assert dots.json()["items"] == []
