"""What requests become on their way to the database, to the byte: a replay compares requests."""

from typing import Any

import pytest
from support.api import Api, Client

from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.gateway import Json

MOMENT = "2026-01-31T13:00:00.123456+01:00"
ALL = {"metadata": {"b": 1, "a": None}, "reference": "r", "description": "d", "effective_at": MOMENT}
DETAILS = '"description":"d","reference":"r","metadata":{"b":1,"a":null},"effective_at":"2026-01-31T12:00:00.123456Z"'


@pytest.fixture
def sent(direct_api: Api, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The units of each call of post_transactions."""
    units, database = list[str](), direct_api.app.state.database
    call = database.call

    async def listening(function: str, /, **params: Any) -> bytes:
        if function == "post_transactions":
            assert isinstance(params["units"], Json)
            units.append(params["units"].text)
        return await call(function, **params)

    monkeypatch.setattr(database, "call", listening)
    return units


def units(*operations: str, atomic: bool = False, dry_run: bool = False) -> str:
    """A call with one unit of these operations."""
    flags = f'"atomic":{atomic},"dry_run":{dry_run},"resent":false'.replace("T", "t").replace("F", "f")
    return f'[{{"operations":[{",".join(operations)}],{flags}}}]'


def operation(kind: str, transaction_id: str, members: str, client: str = "admin", more: str = "") -> str:
    """An operation as the database receives it."""
    return f'{{"transaction_id":"{transaction_id}","type":"{kind}","client_id":"{client}",{members}{more}}}'


async def done(client: Client, path: str, body: dict[str, Any], key: str | None = None) -> str:
    """The transaction id of a movement."""
    answer = await client.post(path, body, key=key)
    assert answer.status_code == 201, answer.text
    return answer.json()["transaction_id"]


@pytest.mark.parametrize("kind", ["deposit", "withdraw", "consume", "reward", "fee"])
async def test_a_movement(direct_api: Api, sent: list[str], kind: str) -> None:
    wallet_id, key = (await direct_api.admin.wallet("10"))["wallet_id"], new_id()
    path = f"/wallets/{wallet_id}/{kind}"
    plain = await done(direct_api.admin, path, {"amount": "1.50"})
    full = await done(direct_api.admin, path, {"amount": 1, "counter_account": "revenue:x", **ALL}, key)
    assert sent == [
        units(operation(kind, plain, f'"amount":"1.50","wallet_id":"{wallet_id}"')),
        units(
            operation(
                kind,
                full,
                f'{DETAILS},"amount":"1","counter_account":"revenue:x","wallet_id":"{wallet_id}"',
                more=f',"idempotency_key":"{key}"',
            )
        ),
    ]


async def test_a_transfer_and_its_refund(direct_api: Api, sent: list[str]) -> None:
    source, target = [(await direct_api.admin.wallet("10"))["wallet_id"] for _ in range(2)]
    moved = await done(
        direct_api.admin, f"/wallets/{source}/transfer", {"amount": "2", "to_wallet_id": target, **ALL}
    )
    part = await done(direct_api.admin, f"/transactions/{moved}/refund", {"amount": "0.5", **ALL})
    rest = await done(direct_api.admin, f"/transactions/{moved}/refund", {})
    places = f'"to_wallet_id":"{target}","wallet_id":"{source}"'
    original = f'"original_transaction_id":"{moved}"'
    assert sent == [
        units(operation("transfer", moved, f'{DETAILS},"amount":"2",{places}')),
        units(operation("refund", part, f'{DETAILS},"amount":"0.5",{original}')),
        units(operation("refund", rest, original)),
    ]


async def test_a_user_token(direct_api: Api, sent: list[str]) -> None:
    user = direct_api.user()
    wallet_id = (await direct_api.admin.wallet("10", user_id=user.user_id))["wallet_id"]
    key = new_id()
    spent = await done(user, f"/wallets/{wallet_id}/consume", {"amount": "1"}, key)
    members = (
        f'"amount":"1","wallet_id":"{wallet_id}","acting_user_id":"{user.user_id}","idempotency_key":"{key}"'
    )
    assert sent == [units(operation("consume", spent, members, client=f"user:|{user.user_id}"))]


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_batch(direct_api: Api, sent: list[str], atomic: bool) -> None:
    source, target = [(await direct_api.admin.wallet("10"))["wallet_id"] for _ in range(2)]
    spent = await done(direct_api.admin, f"/wallets/{source}/consume", {"amount": "1"})
    sent.clear()
    key, own = new_id(), new_id()
    answer = await direct_api.admin.batch(
        {"type": "consume", "wallet_id": source, "amount": "1", "counter_account": "revenue:x", **ALL},
        {"type": "transfer", "wallet_id": source, "to_wallet_id": target, "amount": "1"},
        {"type": "refund", "original_transaction_id": spent, "idempotency_key": own},
        key=key,
        atomic=atomic,
    )
    first, second, third = [each["transaction"]["transaction_id"] for each in answer.json()["results"]]
    assert sent == [
        units(
            operation(
                "consume",
                first,
                f'{DETAILS},"amount":"1","counter_account":"revenue:x","wallet_id":"{source}"',
                more=f',"idempotency_key":"{key}/0"',
            ),
            operation(
                "transfer",
                second,
                f'"amount":"1","to_wallet_id":"{target}","wallet_id":"{source}"',
                more=f',"idempotency_key":"{key}/1"',
            ),
            operation(
                "refund", third, f'"original_transaction_id":"{spent}"', more=f',"idempotency_key":"{own}"'
            ),
            atomic=atomic,
        )
    ]


async def test_a_dry_run(direct_api: Api, sent: list[str]) -> None:
    wallet_id = (await direct_api.admin.wallet("10"))["wallet_id"]
    answer = await direct_api.admin.move("fee", wallet_id, dry_run=True)
    transaction_id = answer.json()["transaction_id"]
    assert sent == [
        units(operation("fee", transaction_id, f'"amount":"1","wallet_id":"{wallet_id}"'), dry_run=True)
    ]
