"""FakeWallet beside the real service: one program, the same documents, headers and refusals on both.

The stateful test foretells what each answer means; here every member of it is compared, also of requests that
are wrong.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api
from support.beside import NOWHERE, START, Both, beside
from support.clock import SettableClock
from wallet_client.testing.problems import KINDS

from wallet_service.core.errors import ERRORS


@pytest.fixture
async def both(timed_api: Api, clock: SettableClock) -> Both:
    return await beside(timed_api, clock)


postgres_only = pytest.mark.parametrize("driver", ["postgres"], indirect=True)


def test_the_problems_are_the_services() -> None:
    kinds = {
        code: (each.status, each.title, each.retryable, each.retry_after_s) for code, each in KINDS.items()
    }
    assert kinds == {
        code: (error.status, error.title, error.retryable, error.retry_after_s)
        for code, error in ERRORS.items()
    }


@postgres_only
async def test_wallets(both: Both) -> None:
    metadata = {"zeta": 1, "a": {"z": 1.50, "bb": None}, "list": [1, "two", True, None], "e": Decimal("1e2")}
    new = {"user_id": "ada", "initial_balance": "100", "metadata": metadata, "organization_id": "org"}
    await both.post("/wallets", new, key="make", save="ada")
    await both.later()
    await both.post("/wallets", new | {"initial_balance": "100.00", "credit_limit": None}, key="make")
    await both.post("/wallets", new | {"initial_balance": "100.01"}, key="make")
    await both.post("/wallets", new | {"credit_limit": "0"}, key="make")
    await both.post("/wallets", new)
    await both.post("/wallets", {"user_id": "ada", "name": "two", "idempotency_key": "2"}, save="two")
    await both.post(
        "/wallets", {"user_id": "ada", "currency": "USD", "wallet_type": "hybrid"}, save="dollars"
    )
    await both.post("/wallets", {"user_id": "bob", "currency": "USD", "credit_limit": "2.5"}, save="bob")
    for wrong in (
        {"currency": "XXXX"},
        {"currency": "USD", "name": "x", "credit_limit": "0.001"},
        {"currency": "USD", "name": "x", "initial_balance": 0.001},
        {"initial_balance": "-1"},
        {"name": "", "wallet_type": "gold", "metadata": [], "other/~": 1, "network": "n" * 65},
        {"name": None, "currency": "usd", "user_id": 5, "address": "a\tb", "credit_limit": True},
    ):
        await both.post("/wallets", {"user_id": "ada"} | wrong)
    await both.post("/wallets", {})
    await both.get("/wallets/<ada>")
    for path in (NOWHERE, "nothing", "<ada>"):
        for changes in (
            {"metadata": {"a": {"z": None, "y": 2}, "zeta": None}},
            {"metadata": {"a": {"y": Decimal("2.0")}}},
            {"metadata": {"big": "x" * 16_360}},
            {"metadata": None, "name": "three"},
            {"name": "two"},
            {"name": "three"},
            {"status": "closed", "credit_limit": "1e3", "is_primary": None},
            {"credit_limit": "0.0000001"},
        ):
            await both.ask("PATCH", f"/wallets/{path}", changes)
            await both.later()
    for tag in ('"1.0"', '"2.7"', "W/3", "*", "what"):
        await both.ask("PATCH", "/wallets/<two>", {"is_primary": True}, headers={"If-Match": tag})
    await both.get("/wallets/<ada>")
    await both.ask("DELETE", "/wallets/<ada>")
    await both.ask("DELETE", "/wallets/<two>", headers={"If-Match": '"9.9"'})
    await both.ask("DELETE", "/wallets/<two>")
    await both.ask("DELETE", "/wallets/<two>")
    await both.ask("PATCH", "/wallets/<two>", {"name": "more"})
    for query in (
        {},
        {"status": "closed"},
        {"currency": "USD", "wallet_type": "hybrid"},
        {"limit": 0},
        {"limit": "many", "color": "red"},
        {"limit": 101, "status": "open"},
        {"cursor": "none"},
    ):
        await both.ask("GET", "/users/ada/wallets", query=query)
        await both.ask("GET", "/wallets", query=query)
    await both.ask("GET", "/users/ada/wallets", query={"limit": 2}, save="page")
    await both.ask("GET", "/users/ada/wallets", query={"limit": 1, "cursor": "<page>"})
    await both.ask("GET", "/users/bob/wallets", query={"cursor": "<page>"})
    for verified in ("false", "true", "maybe"):
        await both.get("/wallets", verified=verified)
    await both.get("/currencies")
    assert {200, 201, 404, 409, 412, 422} == set(both.statuses)


@postgres_only
async def test_money(both: Both) -> None:
    for user, currency in (("ada", "CREDIT"), ("bob", "CREDIT"), ("cy", "USD")):
        await both.post(
            "/wallets", {"user_id": user, "currency": currency, "initial_balance": "50"}, save=user
        )
        await both.later()
    detailed = {
        "amount": 2.50,
        "reference": "invoice-1",
        "description": "two\nlines",
        "metadata": {"model": "small", "n": 1},
        "effective_at": "2026-01-01T01:02:03.1234567+02:00",
        "counter_account": "revenue:usage:small",
    }
    await both.post("/wallets/<ada>/consume", detailed, key="one", save="consumed")
    await both.later()
    await both.post("/wallets/<ada>/consume", detailed | {"amount": "2.5000"}, key="one")
    await both.post("/wallets/<ada>/consume", detailed | {"reference": None}, key="one")
    await both.post("/wallets/<ada>/consume", detailed | {"idempotency_key": "other"}, key="one")
    await both.post("/wallets/<ada>/consume", detailed | {"dry_run": True}, key="dry")
    for kind in ("deposit", "withdraw", "consume", "reward", "fee"):
        await both.post(f"/wallets/<ada>/{kind}", {"amount": "1"}, save=kind)
        await both.post(f"/wallets/<cy>/{kind}", {"amount": "0.001"})
        await both.post(f"/wallets/{NOWHERE}/{kind}", {"amount": "1"})
    await both.post("/wallets/<ada>/transfer", {"amount": "7", "to_wallet_id": "<bob>"}, save="transfer")
    for target in ("<ada>", "<cy>", NOWHERE, "bob"):
        await both.post("/wallets/<ada>/transfer", {"amount": "7", "to_wallet_id": target})
    for amount in ("1000", "0", "-1", "1e3", 1e30, "9" * 20, "9" * 21, True, None, "", " 1", "NaN", {}):
        await both.post("/wallets/<ada>/consume", {"amount": amount})
        await both.post("/wallets/<ada>/deposit", {"amount": amount, "more": 1})
    for body in (
        {},
        {"amount": "1", "reference": "", "description": "x" * 1001, "metadata": "m"},
        {"amount": "1", "effective_at": "yesterday", "counter_account": "external"},
        {"amount": "1", "effective_at": "2026-02-30T00:00:00Z", "dry_run": "yes", "idempotency_key": "ü"},
        {"amount": "1", "metadata": {"big": "x" * 16_400}},
        b"[]",
        b"{",
        b'{"amount": NaN}',
        b'{"amount": "1", "amount": "2"}',
        b'{"amount": "1", "metadata": {"a": 1, "a": 1}}',
        b'{"amount": "1", "metadata": {"a": %s1%s}}' % (b"[" * 29, b"]" * 29),
        b'{"amount": "1", "metadata": {"a": %s1%s}}' % (b"[" * 30, b"]" * 30),
        b'{"amount": "1", "metadata": {"a": %s1%s}}' % (b"[" * 31, b"]" * 31),
        b'{"amount": "1", "metadata": {"a": ["\\u0000"]}}',
        b"\xff",
        b"",
    ):
        await both.post("/wallets/<ada>/consume", body)
    await both.post("/wallets/<ada>/consume", {"amount": "x"}, key="k" * 256)
    await both.ask("POST", "/wallets/<ada>/fee", {"amount": "1"}, headers={"Content-Type": "text/plain"})
    for amount in ("1", None, "2", "0.0000000001"):
        for original in ("<consumed>", "<transfer>", "<deposit>", NOWHERE):
            body = {} if amount is None else {"amount": amount}
            await both.post(f"/transactions/{original}/refund", body, key=f"{amount} {original}", save="back")
    await both.get("/transactions/<transfer>")
    await both.get(f"/transactions/{NOWHERE}")
    await both.ask("PATCH", "/wallets/<bob>", {"status": "frozen", "credit_limit": "5"})
    await both.post("/wallets/<bob>/withdraw", {"amount": "1"})
    await both.post("/wallets/<bob>/deposit", {"amount": "1"})
    for user in ("ada", "new"):
        await both.get(f"/users/{user}/credits/balance")
        await both.post(f"/users/{user}/credits/consume", {"amount": "1"}, key=f"credits-{user}")
    await both.ask("PATCH", "/wallets/<ada>", {"is_primary": False})
    await both.post("/users/ada/credits/consume", {"amount": "1"}, key="credits-ada")
    await both.ask("PUT", "/wallets/<ada>", {})
    await both.get("/nothing/here")
    await both.ask("GET", "/currencies", headers={"Authorization": "Basic x"})
    assert {200, 201, 400, 401, 402, 404, 405, 409, 415, 422} == set(both.statuses)


@postgres_only
async def test_batches(both: Both) -> None:
    await both.post("/wallets", {"user_id": "ada", "initial_balance": "10"}, save="ada")
    await both.post("/wallets", {"user_id": "bob"}, save="bob")

    def consume(amount: Any, **more: Any) -> Any:
        return {"type": "consume", "wallet_id": "<ada>", "amount": amount, **more}

    deposit = {"type": "deposit", "wallet_id": "<bob>", "amount": "1", "idempotency_key": "own"}
    across = {"type": "transfer", "wallet_id": "<ada>", "to_wallet_id": "<bob>", "amount": "2"}
    back = {"type": "refund", "original_transaction_id": NOWHERE}
    misfits = [consume("0"), {"type": "gift"}, {}, "consume", consume("1", extra=1), {"type": "refund"}]
    for operations in (
        [consume("1"), across, deposit],
        [consume("4"), consume("40"), consume("0.0000001"), deposit],
        [deposit, deposit, deposit | {"amount": "2"}],
        [*misfits, consume("1")],
        [consume("1"), back],
        misfits[:2],
        [consume("1", type=5)],
    ):
        for more in ({}, {"dry_run": True}, {"atomic": True}, {"atomic": True, "dry_run": True}):
            for key in ("a", None):
                await both.post("/transactions/batch", {"operations": operations, **more}, key=key)
            await both.later()
    for body in (
        {"operations": []},
        {"operations": [consume("1")] * 501},
        {"operations": "all", "atomic": 1},
        {},
    ):
        await both.post("/transactions/batch", body)
    await both.post("/transactions/batch", {"operations": [consume("1")]}, key="k" * 252)
    await both.get("/users/ada/transactions")
    assert {200, 201, 402, 422} == set(both.statuses)


@postgres_only
async def test_reading(both: Both) -> None:
    await _fill(both)
    first = START + timedelta(hours=7, minutes=1)
    middle, before = [moment.isoformat() for moment in (first + timedelta(hours=20), first)]
    await _read_histories(both, before, middle)
    await _read_sums(both, before, middle)
    for path in ("/wallet/stats", "/ledger/trial-balance"):
        await both.get(path)
        await both.get(path, color="red")
    assert {200, 201, 404, 422} == set(both.statuses)


async def _fill(both: Both) -> None:
    for user, name, currency in (("ada", "main", "CREDIT"), ("ada", "two", "CREDIT"), ("ada", "main", "USD")):
        new = {"user_id": user, "name": name, "currency": currency, "initial_balance": "500"}
        await both.post("/wallets", new, save=name + currency)
    for number in range(12):
        await both.later()
        metadata = {"n": number, "model": "small" if number % 3 else "large", "deep": {"b": 1, "a": [1, 2]}}
        body = {"amount": str(number + 1), "reference": f"r-{number % 4}", "metadata": metadata}
        for wallet in ("<mainCREDIT>", "<twoCREDIT>", "<mainUSD>"):
            await both.post(f"/wallets/{wallet}/{('consume', 'fee', 'deposit')[number % 3]}", body)
        transfer = {"amount": "1", "to_wallet_id": "<mainCREDIT>"}
        await both.post("/wallets/<twoCREDIT>/transfer", transfer)


async def _read_histories(both: Both, before: str, middle: str) -> None:
    for query in (
        {},
        {"type": "consume"},
        {"from": before, "to": middle},
        {"from": middle},
        {"min_amount": "3", "max_amount": "7.5"},
        {"reference": "r-1", "metadata": ["model=small"]},
        {"metadata": ["n=3"]},
        {"metadata": ['deep={"a": [1, 2], "b": 1}']},
        {"counter_account": "revenue:usage"},
    ):
        for path in ("/wallets/<mainCREDIT>/transactions", "/users/ada/transactions"):
            await both.ask("GET", path, query=query)
            await both.ask("GET", path, query=query | {"limit": 2}, save="page")
            await both.ask("GET", path, query=query | {"limit": 3, "cursor": "<page>"})
    await both.ask("GET", "/users/ada/transactions", query={"cursor": "<page>"})
    for query in (
        {"type": "gift", "color": 1},
        {"metadata": ["a=b", "none"]},
        {"metadata": ["a=b"] * 11},
        {"min_amount": "-1"},
        {"from": "x"},
    ):
        await both.ask("GET", "/users/ada/transactions", query=query)
    await both.get(f"/wallets/{NOWHERE}/transactions")


async def _read_sums(both: Both, before: str, middle: str) -> None:
    for at in (before, middle, "2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "then"):
        await both.get("/wallets/<mainUSD>/balance", at=at)
    await both.get("/wallets/<mainUSD>/balance")
    await both.get(f"/wallets/{NOWHERE}/balance")
    for period in (
        {},
        {"from": before, "to": middle},
        {"to": before},
        {"from": before, "interval": "day"},
        {"from": before, "to": middle, "interval": "month"},
        {"from": "2099-01-01T00:00:00Z", "interval": "day"},
        {"interval": "day"},
        {"from": middle, "to": before},
        {"from": "2020-01-01T00:00:00Z", "interval": "day"},
        {"from": "2020-01-01T00:00:00Z", "interval": "month"},
        {"interval": "week"},
        {"from": "2025-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "interval": "day"},
        {"from": "2025-01-01T00:00:00Z", "to": "2026-01-02T00:00:00.000001Z", "interval": "day"},
    ):
        for path in ("/wallets/<mainCREDIT>/statistics", "/users/ada/statistics", "/users/nobody/statistics"):
            await both.ask("GET", path, query=period)
    await both.get(f"/wallets/{NOWHERE}/statistics")
