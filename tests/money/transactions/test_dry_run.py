import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from typing import Any

import pytest
from support.api import Api, conforms, posted, problem

from wallet_service.core.identifiers import new_id
from wallet_service.money.schemas import Transaction

Unchanged = Callable[[], Context[None]]
TIMES = ("transaction_id", "created_at", "effective_at")


def timeless(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in entry.items() if name not in {*TIMES, "dry_run", "legs"}}
    legs = entry.get("legs")
    return kept | {"legs": [timeless(leg) for leg in legs] if legs else None}


@pytest.mark.parametrize("kind", ["deposit", "withdraw", "consume", "reward", "fee", "transfer", "refund"])
async def test_it_answers_as_if_posted_and_keeps_nothing(api: Api, unchanged: Unchanged, kind: str) -> None:
    wallet, other, key = await api.admin.wallet("10"), await api.admin.wallet("3"), new_id()
    spent = posted(await api.admin.move("consume", wallet["wallet_id"], "2"))
    path, body = f"/wallets/{wallet['wallet_id']}/{kind}", {"amount": "1", "metadata": {"a": 1}}
    if kind == "transfer":
        body["to_wallet_id"] = other["wallet_id"]
    if kind == "refund":
        path = f"/transactions/{spent['transaction_id']}/refund"
    async with unchanged():
        dry = await api.admin.post(path, body | {"dry_run": True}, key=key)
        assert dry.status_code == 200, dry.text
        foreseen = conforms(dry.content, Transaction)
        assert foreseen["dry_run"] is True
        assert "Location" not in dry.headers
        assert "Idempotency-Replayed" not in dry.headers
        problem(await api.admin.get(f"/transactions/{foreseen['transaction_id']}"), "transaction_not_found")
    real = await api.admin.post(path, body | {"dry_run": False}, key=key)
    assert "Idempotency-Replayed" not in real.headers
    entry = posted(real)
    assert entry["dry_run"] is False
    assert timeless(entry) == timeless(foreseen)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"amount": "11"}, "insufficient_funds"),
        ({"amount": "0"}, "amount_invalid"),
        ({"amount": "0.0000001"}, "amount_precision"),
        ({"reference": ""}, "validation_failed"),
    ],
    ids=str,
)
async def test_it_is_refused_as_the_real_one(
    api: Api, unchanged: Unchanged, members: dict[str, Any], code: str
) -> None:
    wallet = await api.admin.wallet("10")
    path = f"/wallets/{wallet['wallet_id']}/consume"
    async with unchanged():
        dry = problem(await api.admin.post(path, {"amount": "1", "dry_run": True} | members), code)
        real = problem(await api.admin.post(path, {"amount": "1"} | members), code)
        for document in (dry, real):
            del document["instance"], document["request_id"]
        assert dry == real


@pytest.mark.parametrize("value", ["true", "false", 1, 0, None, "yes", []], ids=repr)
async def test_only_true_and_false_say_whether_money_moves(
    api: Api, unchanged: Unchanged, value: Any
) -> None:
    wallet = await api.admin.wallet("10")
    async with unchanged():
        answer = await api.admin.move("consume", wallet["wallet_id"], dry_run=value)
        assert problem(answer, "validation_failed")["errors"][0]["pointer"] == "/dry_run"


async def test_a_spent_key_is_seen(api: Api, unchanged: Unchanged) -> None:
    wallet, key = await api.admin.wallet("10"), new_id()
    first = await api.admin.move("consume", wallet["wallet_id"], key=key)
    async with unchanged():
        again = await api.admin.move("consume", wallet["wallet_id"], key=key, dry_run=True)
        assert again.status_code == 200
        assert json.loads(again.content) == posted(first) | {"dry_run": True}
        answer = await api.admin.move("consume", wallet["wallet_id"], "2", key=key, dry_run=True)
        problem(answer, "idempotency_key_reused")
