"""FakeWallet beside the real service, asked by users with tokens."""

import pytest
from support.api import Api
from support.beside import NOWHERE, Both, beside
from support.clock import SettableClock

pytestmark = pytest.mark.parametrize("driver", ["postgres"], indirect=True)


@pytest.fixture
async def both(timed_api: Api, clock: SettableClock) -> Both:
    return await beside(timed_api, clock)


async def test_users(both: Both) -> None:
    """A user's token sees and spends what is the user's; the rest is not there for it."""
    for user, currency in (("ada", "CREDIT"), ("bob", "CREDIT"), ("cy", "USD")):
        new = {"user_id": user, "currency": currency, "initial_balance": "50"}
        await both.post("/wallets", new, save=user)
    await both.post("/wallets/<bob>/consume", {"amount": "1"}, save="bobs")
    await both.post("/wallets/<bob>/transfer", {"amount": "2", "to_wallet_id": "<ada>"}, save="received")
    ada, bob = both.acting_as("ada"), both.acting_as("bob")

    await _make_and_change(ada)
    await _move(both, ada, bob)
    for transaction in ("<bobs>", "<received>", "<sent>", NOWHERE):
        await ada.get(f"/transactions/{transaction}")
        await ada.post(f"/transactions/{transaction}/refund", {})
    await _post_together(both, ada)
    await bob.post(
        "/wallets/<bob>/consume", {"amount": "1"}, key="consume <ada> {}"
    )  # ada's key, and not bob's
    await _read(both, ada, bob)
    assert {200, 201, 403, 404, 409, 412, 422} == set(ada.statuses)


async def _read(both: Both, ada: Both, bob: Both) -> None:
    for user in ("ada", "bob", "nobody"):
        await ada.post(f"/users/{user}/credits/consume", {"amount": "1"}, key="credits")
        for room in ("wallets", "transactions", "statistics", "credits/balance"):
            await ada.get(f"/users/{user}/{room}")
    for wallet in ("<ada>", "<bob>"):
        for room in ("", "/balance", "/transactions", "/statistics"):
            await ada.get(f"/wallets/{wallet}{room}")
    await bob.get("/users/bob/transactions")
    await both.get("/users/bob/transactions")
    for path in ("/wallets", "/wallet/stats", "/ledger/trial-balance", "/currencies"):
        await ada.get(path)
        await ada.get(path, color="red")


async def _make_and_change(ada: Both) -> None:
    for more in ({}, {"name": "mine"}, {"user_id": "bob"}, {"initial_balance": "0"}, {"credit_limit": "1"}):
        await ada.post("/wallets", {"user_id": "ada"} | more, save="mine")
    await ada.post("/wallets", {"user_id": "ada", "name": "o", "organization_id": "org"})
    for wallet in ("<mine>", "<bob>"):
        for changes in (
            {"name": "x"},
            {"name": "y", "status": "active"},
            {"credit_limit": "1"},
            {"metadata": {"a": 1}},
        ):
            await ada.ask("PATCH", f"/wallets/{wallet}", changes)
        await ada.ask("DELETE", f"/wallets/{wallet}", headers={"If-Match": '"9.9"'})


async def _post_together(both: Both, ada: Both) -> None:
    operations = [
        {"type": kind, "wallet_id": wallet, "amount": "1"}
        for kind in ("consume", "deposit", "reward")
        for wallet in ("<ada>", "<bob>")
    ]
    operations += [
        {"type": "refund", "original_transaction_id": "<bobs>"},
        {"type": "transfer", "wallet_id": "<ada>", "to_wallet_id": "<bob>", "amount": "1"},
        {"type": "fee", "wallet_id": "<ada>", "amount": "1", "counter_account": "revenue:own"},
    ]
    for more in ({}, {"atomic": True}, {"dry_run": True}):
        await ada.post("/transactions/batch", {"operations": operations, **more}, key="together")
    await ada.post("/transactions/batch", {"operations": operations[:2], "atomic": True})
    await both.ask("PATCH", "/wallets/<mine>", {"status": "frozen"})
    await ada.ask("DELETE", "/wallets/<mine>")
    await both.ask("PATCH", "/wallets/<mine>", {"status": "active"})
    await ada.ask("DELETE", "/wallets/<mine>")


async def test_whose_token_it_is(both: Both) -> None:
    for claims in (
        {"exp": 0},
        {"exp": None},
        {"sub": ""},
        {"sub": None},
        {"role": "anon"},
        {"iss": "a|b"},
        {"iss": "https://issuer"},
    ):
        caller = both.acting_as("ada", **claims)
        await caller.post("/wallets", {"user_id": "ada"})
        await caller.post("/users/ada/credits/consume", {"amount": "1"})


async def _move(both: Both, ada: Both, bob: Both) -> None:
    for kind in ("deposit", "withdraw", "consume", "reward", "fee"):
        for wallet in ("<ada>", "<bob>", NOWHERE):
            for more in ({}, {"counter_account": "revenue:own"}, {"dry_run": True}, {"amount": "0.0000001"}):
                await ada.post(
                    f"/wallets/{wallet}/{kind}", {"amount": "1"} | more, key=f"{kind} {wallet} {more}"
                )
    for target in ("<bob>", "<cy>", "<ada>", "<mine>", NOWHERE):
        await ada.post(
            "/wallets/<ada>/transfer",
            {"amount": "1", "to_wallet_id": target},
            key=f"to {target}",
            save="sent",
        )
        await ada.post("/wallets/<bob>/transfer", {"amount": "1", "to_wallet_id": target})
        await ada.get("/transactions/<sent>")
        await bob.get("/transactions/<sent>")
        await both.get("/transactions/<sent>")
