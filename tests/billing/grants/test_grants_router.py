"""Grants over HTTP: who may, and what a short one records."""

from decimal import Decimal

import asyncpg
from support.api import Api, Client, problem

from wallet_service.billing.grants import service
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.auth.restrictions import Restriction


async def restricted(api: Api, restriction: Restriction) -> Client:
    key = await create_key(api.app.state.database, "giver", ["grants:write"], restriction=restriction)
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
    for source, account in service.ACCOUNTS.items():
        assert await superuser.fetchval("select billing.find_source_account($1)", source) == account
