"""Grants over HTTP: who may, and what a short one records."""

from decimal import Decimal

import asyncpg
from support.api import Api, Client, problem

from wallet_service.billing.grants import schemas
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.auth.restrictions import Restriction


async def restricted(api: Api, restriction: Restriction) -> Client:
    scopes = ["grants:write", "usage:write"]  # a batch needs one of the ledger's own
    key = await create_key(api.app.state.database, "giver", scopes, restriction=restriction)
    return Client(api.app, api.http, key)


async def test_a_restricted_key_voids_only_what_it_could_grant(direct_api: Api) -> None:
    wallet = (await direct_api.admin.wallet(currency="CREDIT"))["wallet_id"]
    body = {"amount": "20", "source": "promotion"}
    grant = (await direct_api.admin.post(f"/wallets/{wallet}/grants", body)).json()["grant_id"]
    others = await restricted(direct_api, Restriction(counter_accounts=("external:purchases",)))
    small = await restricted(direct_api, Restriction(max_amount=Decimal(5)))
    same = await restricted(direct_api, Restriction(counter_accounts=("promotions",), max_amount=Decimal(20)))

    for key in (others, small):
        problem(await key.post(f"/grants/{grant}/void", {}), "forbidden")
    voided = (await same.post(f"/grants/{grant}/void", {})).json()

    assert (voided["state"], voided["voided"]) == ("voided", "20.000000")


async def test_a_grant_shorter_than_the_notice_does_not_end_soon(direct_api: Api) -> None:
    wallet = (await direct_api.admin.wallet(currency="CREDIT"))["wallet_id"]
    body = {"amount": "20", "source": "promotion", "expires_in_s": 3600, "notice_s": 7200}
    await direct_api.admin.post(f"/wallets/{wallet}/grants", body)
    assert (await direct_api.admin.read(wallet))["balance"] == "20.000000"
    events = (await direct_api.admin.get("/events", wallet_id=wallet)).json()["items"]
    assert "grant.ending" not in {each["type"] for each in events}


async def test_the_default_counter_accounts_are_those_of_the_kernel(superuser: asyncpg.Connection) -> None:
    for source, account in schemas.ACCOUNTS.items():
        assert await superuser.fetchval("select billing.find_source_account($1)", source) == account


async def test_grants_are_posted_in_batches(api: Api) -> None:
    wallet = (await api.admin.wallet(currency="CREDIT"))["wallet_id"]
    on = {"wallet_id": wallet}
    batch = {
        "atomic": True,
        "operations": [
            {**on, "type": "grant", "amount": "20", "source": "promotion", "pays": ["revenue:usage:gpt"]},
            {**on, "type": "consume", "amount": "5", "counter_account": "revenue:usage:gpt"},
        ],
    }
    sent = [await api.admin.post("/transactions/batch", batch, key="b-" + wallet) for _ in range(2)]
    first, again = (each.json()["results"] for each in sent)
    assert [each["status"] for each in first] == ["posted", "posted"]
    assert first[0]["result"]["remaining"] == "20.000000"
    assert again[0]["result"] == first[0]["result"]
    (grant,) = (await api.admin.get(f"/wallets/{wallet}/grants")).json()["items"]
    assert (grant["grant_id"], grant["remaining"]) == (first[0]["result"]["grant_id"], "15.000000")

    batch["operations"][1]["amount"] = "50"
    failed = await api.admin.post("/transactions/batch", batch)
    assert failed.status_code == 402, failed.text
    assert len((await api.admin.get(f"/wallets/{wallet}/grants")).json()["items"]) == 1
    wrong = {"operations": [{**on, "type": "grant", "amount": "20", "source": "gift"}]}
    (refused,) = (await api.admin.post("/transactions/batch", wrong)).json()["results"]
    assert refused["problem"]["errors"][0]["pointer"] == "/source"


async def test_a_restricted_key_grants_only_its_accounts_in_batches(direct_api: Api) -> None:
    wallet = (await direct_api.admin.wallet(currency="CREDIT"))["wallet_id"]
    key = await restricted(direct_api, Restriction(counter_accounts=("promotions",), max_amount=Decimal(5)))
    for members, status in (
        ({"amount": "5", "source": "promotion"}, "posted"),
        ({"amount": "6", "source": "promotion"}, "refused"),
        ({"amount": "1", "source": "plan"}, "refused"),
    ):
        batch = {"operations": [{"type": "grant", "wallet_id": wallet, **members}]}
        answer = await key.post("/transactions/batch", batch)
        assert answer.status_code == 200, answer.text
        (result,) = answer.json()["results"]
        assert result["status"] == status, result
