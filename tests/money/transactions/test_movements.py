import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api, posted, problem
from support.clock import SettableClock

from wallet_service.core.identifiers import new_id

KINDS = {
    "deposit": ("credit", "external:deposits"),
    "withdraw": ("debit", "external:withdrawals"),
    "consume": ("debit", "revenue:usage"),
    "reward": ("credit", "promotions"),
    "fee": ("debit", "revenue:fees"),
}
DEBITS = ("withdraw", "consume", "fee", "transfer")


@pytest.mark.parametrize("kind", KINDS)
async def test_the_answer_says_all_of_it(api: Api, kind: str) -> None:
    direction, counter_account = KINDS[kind]
    wallet = await api.admin.wallet("10")
    entry = posted(await api.admin.move(kind, wallet["wallet_id"], "2.5"))
    after = "12.500000" if direction == "credit" else "7.500000"
    assert entry["effective_at"] == entry["created_at"] > wallet["created_at"]
    assert entry == {
        "transaction_id": entry["transaction_id"],
        "leg": 0,
        "transaction_type": kind,
        "wallet_id": wallet["wallet_id"],
        "user_id": wallet["user_id"],
        "currency": "CREDIT",
        "direction": direction,
        "amount": "2.500000",
        "balance_before": "10.000000",
        "balance_after": after,
        "wallet_version": 2,
        "counter_account": counter_account,
        "original_transaction_id": None,
        "client_id": "admin",
        "reference": None,
        "description": None,
        "metadata": {},
        "effective_at": entry["effective_at"],
        "created_at": entry["created_at"],
        "legs": None,
        "dry_run": False,
    }
    now = await api.admin.read(wallet["wallet_id"])
    assert (now["balance"], now["last_entry"], now["version"]) == (after, 2, 1)
    assert now["updated_at"] == entry["created_at"]


@pytest.mark.parametrize("kind", KINDS)
async def test_it_can_be_read_again(api: Api, kind: str) -> None:
    wallet = await api.admin.wallet("10")
    answer = await api.admin.move(kind, wallet["wallet_id"])
    path = answer.headers["Location"].removeprefix("/api/v1")
    assert (await api.admin.get(path)).content == answer.content


@pytest.mark.parametrize("kind", KINDS)
async def test_its_own_words_are_kept(api: Api, kind: str) -> None:
    words: dict[str, Any] = {
        "description": "two\nlines\tand a tab, 'quotes' and \\",
        "reference": "invoice-42 é 🏦",
        "metadata": {"a": {"b": [1, "x", None, True, {}]}, "": "an empty name"},
        "counter_account": "revenue:usage:model.small_v1",
        "effective_at": "2020-02-29T12:00:00.123456+02:00",
    }
    wallet = await api.admin.wallet("10")
    entry = posted(await api.admin.move(kind, wallet["wallet_id"], **words))
    assert {name: entry[name] for name in words} == words | {"effective_at": "2020-02-29T10:00:00.123456Z"}
    assert entry["created_at"] > "2026"


@pytest.mark.parametrize("metadata", [None, {}])
async def test_no_metadata_is_empty_metadata(api: Api, metadata: dict[str, Any] | None) -> None:
    wallet = await api.admin.wallet("10")
    entry = posted(await api.admin.move("consume", wallet["wallet_id"], metadata=metadata))
    assert entry["metadata"] == {}


async def test_numbers_in_metadata_keep_their_digits(api: Api) -> None:
    wallet = await api.admin.wallet("10")
    body = b'{"amount": 1, "metadata": {"a": 1.10, "b": 12345678901234567890.123, "c": -0.000, "d": 1e-20}}'
    answer = await api.admin.post(f"/wallets/{wallet['wallet_id']}/consume", body)
    assert posted(answer)["amount"] == "1.000000"
    read = await api.admin.get(answer.headers["Location"].removeprefix("/api/v1"))
    for content in (answer.content, read.content):
        for digits in (b"1.10", b"12345678901234567890.123", b"0.00000000000000000001"):
            assert digits in content


@pytest.mark.parametrize(
    "counter_account", ["revenue:a", "external:bank:7", "promotions", "promotions:x", "expense:y"]
)
async def test_any_counter_account_of_the_allowed_kinds(api: Api, counter_account: str) -> None:
    wallet = await api.admin.wallet("10")
    for kind in KINDS:
        answer = await api.admin.move(kind, wallet["wallet_id"], counter_account=counter_account)
        assert posted(answer)["counter_account"] == counter_account


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (b'"1.5"', "1.500000"),
        (b"1.5", "1.500000"),
        (b"1", "1.000000"),
        (b"1.50000000000000", "1.500000"),
        (b"15e-1", "1.500000"),
        (b"0.000001", "0.000001"),
        (b'"0.000001"', "0.000001"),
        (b"1.0E+1", "10.000000"),
        (b'"007"', "7.000000"),
        (b"12345678901234567890.123456", "12345678901234567890.123456"),
    ],
)
async def test_amounts_are_exact(api: Api, written: bytes, amount: str) -> None:
    wallet = await api.admin.wallet()
    body = b'{"amount": ' + written + b"}"
    entry = posted(await api.admin.post(f"/wallets/{wallet['wallet_id']}/deposit", body))
    assert (entry["amount"], entry["balance_after"]) == (amount, amount)
    assert await api.admin.balance(wallet["wallet_id"]) == amount


@pytest.mark.parametrize(
    ("currency", "finest", "too_fine"),
    [
        ("JPY", "1", "0.1"),
        ("USD", "0.01", "0.001"),
        ("KWD", "0.001", "0.0001"),
        ("CREDIT", "0.000001", "0.0000001"),
        ("BTC", "0.00000001", "0.000000001"),
        ("ETH", "0.000000000000000001", "0.0000000000000000001"),
    ],
)
async def test_an_amount_is_no_finer_than_its_currency(
    api: Api, unchanged: Callable[[], Context[None]], currency: str, finest: str, too_fine: str
) -> None:
    wallet = await api.admin.wallet("10", currency=currency)
    entry = posted(await api.admin.move("consume", wallet["wallet_id"], finest))
    assert Decimal(entry["balance_after"]) == 10 - Decimal(finest)
    assert entry["amount"] == finest
    async with unchanged():
        for kind in KINDS:
            document = problem(await api.admin.move(kind, wallet["wallet_id"], too_fine), "amount_precision")
            decimals = len(finest.partition(".")[2])
            assert (document["currency"], document["exponent"]) == (currency, decimals)
            assert document["detail"] == f"An amount in {currency} has at most {decimals} decimals"


@pytest.mark.parametrize("kind", DEBITS)
async def test_more_than_there_is(api: Api, unchanged: Callable[[], Context[None]], kind: str) -> None:
    wallet = await api.admin.wallet("1")
    other = await api.admin.wallet()
    more = {"to_wallet_id": other["wallet_id"]} if kind == "transfer" else {}
    async with unchanged():
        answer = await api.admin.move(kind, wallet["wallet_id"], "3.5", key=new_id(), **more)
        document = problem(answer, "insufficient_funds")
        assert (document["shortfall"], document["wallet_id"]) == ("2.500000", wallet["wallet_id"])
        assert document["currency"] == "CREDIT"
        assert document["detail"] == f"The wallet {wallet['wallet_id']} lacks 2.500000 CREDIT"
    posted(await api.admin.move(kind, wallet["wallet_id"], "1", **more))


@pytest.mark.parametrize("kind", DEBITS)
async def test_a_frozen_wallet_takes_and_gives_nothing(
    api: Api, unchanged: Callable[[], Context[None]], kind: str
) -> None:
    wallet, other = await api.admin.wallet("5"), await api.admin.wallet("5")
    await api.admin.patch(f"/wallets/{wallet['wallet_id']}", {"status": "frozen"})
    more = {"to_wallet_id": other["wallet_id"]} if kind == "transfer" else {}
    async with unchanged():
        answer = await api.admin.move(kind, wallet["wallet_id"], **more)
        assert problem(answer, "wallet_frozen")["wallet_id"] == wallet["wallet_id"]
    for credit in ("deposit", "reward"):
        posted(await api.admin.move(credit, wallet["wallet_id"]))
    posted(await api.admin.move("transfer", other["wallet_id"], to_wallet_id=wallet["wallet_id"]))


@pytest.mark.parametrize("kind", [*KINDS, "transfer"])
async def test_an_unknown_wallet(api: Api, unchanged: Callable[[], Context[None]], kind: str) -> None:
    wallet_id, other = new_id(), await api.admin.wallet("5")
    more = {"to_wallet_id": other["wallet_id"]} if kind == "transfer" else {}
    async with unchanged():
        answer = await api.admin.move(kind, wallet_id, **more)
        assert problem(answer, "wallet_not_found")["wallet_id"] == wallet_id


async def test_a_balance_has_its_limit(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    wallet = await api.admin.wallet("99999999999999999999.999999")
    async with unchanged():
        document = problem(await api.admin.move("deposit", wallet["wallet_id"], "0.000001"), "balance_limit")
        assert document["wallet_id"] == wallet["wallet_id"]


async def test_many_debits_at_once_spend_what_is_there_and_no_more(api: Api) -> None:
    wallet = await api.admin.wallet("10")
    answers = await asyncio.gather(*(api.admin.move("consume", wallet["wallet_id"]) for _ in range(30)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 10 + [402] * 20
    entries = [posted(answer) for answer in answers if answer.status_code == 201]
    assert sorted(entry["wallet_version"] for entry in entries) == list(range(2, 12))
    assert sorted(Decimal(entry["balance_after"]) for entry in entries) == list(range(10))
    assert await api.admin.balance(wallet["wallet_id"]) == "0.000000"


async def test_time_never_runs_backwards_within_a_wallet(timed_api: Api, clock: SettableClock) -> None:
    noon = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
    await clock.set(noon)
    wallet = await timed_api.admin.wallet("10")
    assert wallet["created_at"] == "2026-01-31T12:00:00.123456Z"
    moments: list[str] = []
    for step_s in (0, 10, -3600, 0, 3600):
        await clock.advance(timedelta(seconds=step_s))
        entry = posted(await timed_api.admin.move("consume", wallet["wallet_id"]))
        assert entry["effective_at"] == entry["created_at"]
        moments.append(entry["created_at"])
    assert moments == [
        "2026-01-31T12:00:00.123456Z",
        *["2026-01-31T12:00:10.123456Z"] * 4,
    ]
