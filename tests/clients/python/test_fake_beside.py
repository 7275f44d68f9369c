"""FakeWallet beside the real service: one program, the same documents, headers and refusals on both.

The stateful test foretells what each answer means; here every member of it is compared, also of refusals.
"""

from decimal import Decimal
from typing import Any

import pytest
from support.api import Api
from support.clock import SettableClock
from support.fake_comparison import NOWHERE, START, FakeAndReal, fake_and_real
from support.problems import ERRORS
from wallet_client.keys import new_key
from wallet_client.testing.problems import STATUSES, Refusal
from wallet_client.testing.values import EXPONENTS

postgres_only = pytest.mark.parametrize("driver", ["postgres"], indirect=True)


@pytest.fixture
async def both(timed_api: Api, clock: SettableClock) -> FakeAndReal:
    return await fake_and_real(timed_api, clock)


@postgres_only
async def test_wallets(both: FakeAndReal) -> None:
    metadata = {"zeta": 1, "a": {"z": 1.50, "bb": None}, "list": [1, "two", True, None], "e": Decimal("1e2")}
    new = {"user_id": "ada", "initial_balance": "100", "metadata": metadata, "organization_id": "org"}
    await both.post("/wallets", new, key="make", save="ada")
    await both.later()
    await both.post("/wallets", new | {"initial_balance": "100.00", "credit_limit": None}, key="make")
    await both.post("/wallets", new | {"currency": "CREDIT", "name": "main"}, key="make")
    await both.post("/wallets", new | {"initial_balance": "100.01"}, key="make")
    await both.post("/wallets", new | {"credit_limit": "0"}, key="make")
    await both.post("/wallets", new)
    await both.post("/wallets", {"user_id": "ada", "name": "two", "initial_balance": "0"}, "2", save="two")
    await both.post("/wallets", {"user_id": "ada", "name": "two"}, "2")
    hybrid = {"user_id": "ada", "currency": "USD", "wallet_type": "hybrid", "network": "n", "address": "a"}
    await both.post("/wallets", hybrid, save="dollars")
    await both.post("/wallets", {"user_id": "bob", "currency": "USD", "credit_limit": "2.5"}, save="bob")
    for wrong in (
        {"currency": "XXXX"},
        {"currency": "USD", "name": "x", "credit_limit": "0.001"},
        {"currency": "USD", "name": "x", "initial_balance": "0.001"},
        {"name": "x", "currency": "ETH", "initial_balance": "9" * 20},
        {"initial_balance": "-1"},
        {"keeping": "house"},
        {"name": "", "wallet_type": "gold", "metadata": [], "network": "n" * 65},
        {"currency": "usd", "user_id": "u" * 256, "address": "a\tb", "credit_limit": "x"},
    ):
        await both.post("/wallets", {"user_id": "ada"} | wrong)
    for user_id in (".", "..", "../ada", "acme/../ada", "acme/..", "...", "acme/ada"):
        await both.post("/wallets", {"user_id": user_id})
    await both.get("/users/acme%2Fada/wallets")
    await both.get("/users/.../wallets")
    await both.post("/wallets", {})
    await both.get("/wallets/<ada>")
    await both.get("/wallets/<ada>/balance")
    await both.get(f"/wallets/{NOWHERE}/balance")
    await both.ask("PATCH", "/wallets/nothing", {"name": "three"})
    for path in (NOWHERE, "<ada>"):
        for changes in (
            {"metadata": {"a": {"z": None, "y": 2}, "zeta": None}},
            {"metadata": {"a": {"y": Decimal("2.0")}}},
            {"metadata": {"big": "x" * 16_360}},
            {"metadata": None, "name": "three"},
            {"metadata": {}, "is_primary": True, "status": "active", "credit_limit": "0"},
            {"name": "two"},
            {"name": "three"},
            {"status": "closed", "credit_limit": "1e3"},
            {"credit_limit": "0.0000001"},
        ):
            await both.ask("PATCH", f"/wallets/{path}", changes)
            await both.later()
    for tag in ('"1"', '"2.7"', "*", '"1.0"'):
        await both.ask("PATCH", "/wallets/<two>", {"is_primary": True}, headers={"If-Match": tag})
    await both.get("/users/ada/wallets")
    await both.ask("DELETE", "/wallets/<ada>")
    await both.ask("DELETE", "/wallets/<two>", headers={"If-Match": '"9"'})
    await both.ask("DELETE", "/wallets/<two>")
    await both.ask("DELETE", "/wallets/<two>")
    await both.ask("PATCH", "/wallets/<two>", {"name": "more"})
    await both.post("/wallets", {"user_id": "ada", "name": "two"})
    await both.get("/users/ada/wallets")
    await both.get("/users/nobody/wallets")
    assert both.statuses == {200, 201, 404, 409, 412, 422}


@postgres_only
async def test_money(both: FakeAndReal) -> None:
    await _three_wallets(both)
    await _movements(both)
    await _refusals_of_movements(both)
    await _refunds(both)
    await both.ask("PATCH", "/wallets/<bob>", {"status": "frozen", "credit_limit": "5"})
    await both.post("/wallets/<bob>/withdraw", {"amount": "1"})
    await both.post("/wallets/<bob>/deposit", {"amount": "1"})
    await both.post("/wallets/<ada>/transfer", {"amount": "1", "to_wallet_id": "<bob>"})
    for path in ("/wallets/<ada>/transactions", "/users/bob/transactions", "/users/nobody/transactions"):
        await both.get(path)
    await both.get(f"/wallets/{NOWHERE}/transactions")
    assert both.statuses == {200, 201, 402, 404, 409, 413, 422}


async def _three_wallets(both: FakeAndReal) -> None:
    for user, currency in (("ada", "CREDIT"), ("bob", "CREDIT"), ("cy", "USD")):
        new = {"user_id": user, "currency": currency, "initial_balance": "50"}
        await both.post("/wallets", new, save=user)
        await both.later()


async def _movements(both: FakeAndReal) -> None:
    detailed = {
        "amount": "2.50",
        "reference": "invoice-1",
        "description": "two\nlines",
        "metadata": {"model": "small", "n": 1},
        "effective_at": "2026-01-01T01:02:03.123456+02:00",
        "counter_account": "revenue:usage:small",
    }
    await both.post("/wallets/<ada>/consume", detailed, key="one", save="consumed")
    await both.later()
    await both.post("/wallets/<ada>/consume", detailed | {"amount": "2.5000"}, key="one")
    await both.post("/wallets/<ada>/consume", detailed | {"reference": None}, key="one")
    await both.post("/wallets/<ada>/fee", detailed, key="one")
    await both.post("/wallets/<ada>/consume", detailed | {"dry_run": True}, key="one")
    await both.post("/wallets/<ada>/consume", detailed | {"dry_run": True}, key="dry")
    await both.post("/wallets/<ada>/consume", detailed | {"amount": "1"}, key="dry")
    for kind in ("deposit", "withdraw", "consume", "reward", "fee"):
        await both.post(f"/wallets/<ada>/{kind}", {"amount": "1"}, save=kind)
        await both.post(f"/wallets/<cy>/{kind}", {"amount": "0.001"})
        await both.post(f"/wallets/{NOWHERE}/{kind}", {"amount": "1"})
    await both.post("/wallets/<ada>/transfer", {"amount": "7", "to_wallet_id": "<bob>"}, save="transfer")
    for target in ("<ada>", "<cy>", NOWHERE, "bob"):
        await both.post("/wallets/<ada>/transfer", {"amount": "7", "to_wallet_id": target})


async def _refusals_of_movements(both: FakeAndReal) -> None:
    for amount in ("1000", "0", "0.0", "-1", "1e3", "9" * 20, "9" * 21, "0" * 30, "", " 1", "NaN"):
        await both.post("/wallets/<ada>/consume", {"amount": amount})
        await both.post("/wallets/<ada>/deposit", {"amount": amount})
    for body in (
        {},
        {"amount": "1", "reference": "", "description": "x" * 1001, "metadata": "m"},
        {"amount": "x", "effective_at": "yesterday", "counter_account": "external"},
        {"amount": "1", "reference": "a\nb", "dry_run": "yes"},
        {"amount": "1", "effective_at": "2026-02-20T00:00:00Z"},
        {"amount": "1", "counter_account": "breakage"},
        {"amount": "1", "counter_account": "fx:EUR-USD"},
        {"amount": "1", "counter_account": "mirrored:gifts"},
        {"amount": "1", "metadata": {"big": "x" * 16_400}},
        {"amount": "1", "metadata": {"a": ["\0"]}},
        {"amount": "1", "metadata": {"a": ["\\u0000"]}},
        {"amount": "1", "metadata": {"a": "x" * 1_048_576}},
    ):
        await both.post("/wallets/<ada>/consume", body)


async def _refunds(both: FakeAndReal) -> None:
    for amount in ("1", None, "2", "0.0000000001"):
        for original in ("<consumed>", "<transfer>", "<deposit>", NOWHERE, "none"):
            body = {} if amount is None else {"amount": amount}
            await both.post(f"/transactions/{original}/refund", body, key=f"{amount} {original}")
    await both.post("/transactions/<fee>/refund", {"dry_run": True})
    await both.post("/transactions/<fee>/refund", {}, save="back")
    await both.post("/transactions/<back>/refund", {})
    for transaction in ("<transfer>", "<back>", NOWHERE, "none"):
        await both.get(f"/transactions/{transaction}")


@postgres_only
async def test_batches(both: FakeAndReal) -> None:
    await both.post("/wallets", {"user_id": "ada", "initial_balance": "100"}, save="ada")
    await both.post("/wallets", {"user_id": "bob"}, save="bob")

    def consume(amount: Any, **more: Any) -> Any:
        return {"type": "consume", "wallet_id": "<ada>", "amount": amount, **more}

    deposit = {"type": "deposit", "wallet_id": "<bob>", "amount": "1", "idempotency_key": "own"}
    across = {"type": "transfer", "wallet_id": "<ada>", "to_wallet_id": "<bob>", "amount": "2"}
    back = {"type": "refund", "original_transaction_id": NOWHERE}
    ahead = consume("1", effective_at="2027-01-01T00:00:00Z")
    unread = [consume("0"), consume("1", reference="r" * 256), {"type": "refund"}, across | {"amount": "x"}]
    for operations in (
        [consume("1"), across, deposit],
        [consume("4"), consume("400"), consume("0.0000001"), deposit],
        [deposit, deposit, deposit | {"amount": "2"}],
        [*unread, consume("1")],
        [consume("1"), back, consume("0")],
        [consume("1"), back],
        unread[:2],
        [consume("1"), consume("400"), ahead, consume("1")],
        [consume("1"), ahead, consume("400")],
        [ahead, consume("0")],
    ):
        for more in ({}, {"dry_run": True}, {"atomic": True}, {"atomic": True, "dry_run": True}):
            for key in ("a", None):
                await both.post("/transactions/batch", {"operations": operations, **more}, key=key)
            await both.later()
            await both.get("/wallets/<bob>")
    for body in (
        {"operations": []},
        {"operations": [consume("1")] * 501},
        {"operations": "all", "atomic": 1},
        {},
    ):
        await both.post("/transactions/batch", body)
    await both.post("/transactions/batch", {"operations": [consume("1")]}, key="k" * 252)
    await both.post("/transactions/batch", {"operations": [consume("1")]}, key="k" * 251)
    await both.get("/users/ada/transactions")
    assert both.statuses == {200, 201, 402, 404, 422}


@postgres_only
async def test_later_attempts(both: FakeAndReal) -> None:
    await _three_wallets(both)
    poor = {"type": "consume", "wallet_id": "<ada>", "amount": "1000"}
    gift, unread = poor | {"type": "deposit", "amount": "1"}, poor | {"amount": "0"}
    movements = [{"amount": "1000"}, {"amount": "0"}, {"amount": "1000", "dry_run": True}]
    batches = [
        {"operations": operations, **more}
        for operations in ([poor, unread], [gift, poor], [unread, poor])
        for more in ({}, {"atomic": True}, {"dry_run": True})
    ]
    for number in ("1", "2"):
        for body in (*movements, *batches):
            path = "/transactions/batch" if "operations" in body else "/wallets/<ada>/consume"
            headers = {"Idempotency-Call": new_key(), "Idempotency-Attempt": number}
            await both.ask("POST", path, body, headers=headers)
    assert both.statuses == {200, 201, 402, 422}


@postgres_only
async def test_requests_with_their_defaults(both: FakeAndReal) -> None:
    await _three_wallets(both)
    await both.post("/wallets/<ada>/consume", {"amount": "9.50"}, key="spent", save="spent")
    posted_at = {"effective_at": both.moment.isoformat()}
    await both.later()
    for same in ({"metadata": {}}, {"counter_account": "revenue:usage"}, posted_at, {"reference": None}):
        await both.post("/wallets/<ada>/consume", {"amount": "9.5"} | same, key="spent")
    for other in (
        {"metadata": {"a": 1}},
        {"counter_account": "revenue:fees"},
        {"effective_at": START.isoformat()},
    ):
        await both.post("/wallets/<ada>/consume", {"amount": "9.5"} | other, key="spent")
    for key, amounts in (("part", ("2", None)), ("rest", (None, "7.5", "7.50", "2", None))):
        for amount in amounts:
            body = {"amount": amount, "metadata": {}}
            await both.post("/transactions/<spent>/refund", body, key=key)
    transfer = {"amount": "1", "to_wallet_id": "<bob>"}
    for more in ({}, {"metadata": {}}, {"to_wallet_id": "<cy>"}):
        await both.post("/wallets/<ada>/transfer", transfer | more, key="transfer")
    new = {"user_id": "eve", "metadata": {}, "credit_limit": "0.0"}
    for more in ({}, {"metadata": None}, {"credit_limit": None}, {"credit_limit": "1"}):
        await both.post("/wallets", new | more, key="eve")
    assert both.statuses == {201, 422}


@postgres_only
async def test_atomic_refunds(both: FakeAndReal) -> None:
    """What an atomic batch or a dry run takes back, it takes back wholly."""
    await _three_wallets(both)
    await both.post("/wallets/<ada>/transfer", {"amount": "7", "to_wallet_id": "<bob>"}, save="transfer")
    refund = {"type": "refund", "original_transaction_id": "<transfer>", "amount": "5"}
    for more in ({"dry_run": True}, {"atomic": True}, {}):
        body = {"operations": [refund, refund | {"idempotency_key": "r"}], **more}
        await both.post("/transactions/batch", body, key="twice")
        await both.get("/users/bob/transactions")
    await both.post("/transactions/<transfer>/refund", {})
    await both.post("/transactions/<transfer>/refund", {})
    assert both.statuses == {200, 201, 409}


@postgres_only
async def test_currencies(both: FakeAndReal) -> None:
    service, _ = both.sides
    currencies = (await service.client.get("/currencies")).json()["items"]
    assert {each["code"]: each["exponent"] for each in currencies} == EXPONENTS


@pytest.mark.parametrize("code", sorted(STATUSES))
def test_the_problems_are_the_services(code: str) -> None:
    document = Refusal(code).document()
    error = ERRORS[code]
    assert (document["status"], document["retryable"]) == (error.status, error.retryable)
