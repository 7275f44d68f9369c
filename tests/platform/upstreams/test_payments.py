import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx
from support.stand_in import StandIn
from support.upstreams import ListedInstances, account_client

from wallet_service.platform.upstreams.payments import PaymentClient, PaymentRefused
from wallet_service.platform.upstreams.responses import ResponseUnusable

URL = "http://payments.example/api/v1/payments"
PAYMENT = {
    "payment_id": "p-1",
    "user_id": "ann",
    "amount": "10.00",
    "currency": "USD",
    "status": "pending",
}


@pytest.fixture
async def payments(upstreams: StandIn) -> AsyncIterator[PaymentClient]:
    async with account_client(ListedInstances(upstreams.url)) as client:
        yield PaymentClient(client)


@pytest.fixture
async def mocked() -> AsyncIterator[PaymentClient]:
    async with account_client(ListedInstances("http://payments.example")) as client:
        yield PaymentClient(client)


async def test_a_payment_is_made_and_found(payments: PaymentClient) -> None:
    made = await payments.create_payment("ann", "10.00", "USD", reference="top-up 7")
    assert (made.user_id, made.amount, made.currency, made.status) == (
        "ann",
        Decimal("10.00"),
        "USD",
        "pending",
    )
    assert await payments.get_payment(made.payment_id) == made
    other = await payments.create_payment("ann", "10.00", "USD")
    assert other.payment_id != made.payment_id, "each has a key of its own"


async def test_the_same_key_is_the_same_payment(payments: PaymentClient) -> None:
    first, second = [await payments.create_payment("ann", "5", "USD", idempotency_key="k") for _ in range(2)]
    assert first == second


async def test_a_repeat_has_the_key_of_the_first_attempt(mocked: PaymentClient) -> None:
    with respx.mock(using="httpx") as router:
        route = router.post(URL)
        route.side_effect = [httpx.ReadError("cut"), httpx.Response(500), httpx.Response(201, json=PAYMENT)]
        await mocked.create_payment("ann", "10", "USD", reference="r")
        keys = {call.request.headers["Idempotency-Key"] for call in route.calls}
        assert len(route.calls) == 3
        assert len(keys) == 1
        sent = [json.loads(call.request.content) for call in route.calls]
        assert sent == [{"user_id": "ann", "amount": "10", "currency": "USD", "reference": "r"}] * 3


@pytest.mark.parametrize("status", [400, 402, 403, 409, 422])
async def test_a_refusal_is_said_once(mocked: PaymentClient, status: int) -> None:
    with respx.mock(using="httpx") as router:
        route = router.post(URL).respond(status, json={"detail": "no money"})
        with pytest.raises(PaymentRefused) as refused:
            await mocked.create_payment("ann", "10", "USD")
        assert (refused.value.status, refused.value.detail) == (status, "no money")
        assert route.call_count == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "11"},
        {"amount": 10},
        {"amount": "ten"},
        {"amount": "NaN"},
        {"amount": "sNaN"},
        {"currency": "EUR"},
        {"user_id": "bob"},
        {"status": "perhaps"},
        {"payment_id": None},
    ],
    ids=str,
)
async def test_another_payment_is_no_answer(mocked: PaymentClient, change: dict[str, Any]) -> None:
    with respx.mock(using="httpx") as router:
        router.post(URL).respond(201, json=PAYMENT | change)
        with pytest.raises(ResponseUnusable):
            await mocked.create_payment("ann", "10", "USD")


async def test_an_amount_that_is_none_is_not_sent(payments: PaymentClient, upstreams: StandIn) -> None:
    with pytest.raises(ValueError, match="decimal"):
        await payments.create_payment("ann", "five", "USD")
    assert upstreams.questions == []


async def test_no_such_payment(payments: PaymentClient, upstreams: StandIn) -> None:
    assert await payments.get_payment("p/../q") is None
    assert await payments.get_payment("..") is None
    assert upstreams.paths() == ["/api/v1/payments/p%2F..%2Fq"]


async def test_a_payment_is_asked_for_each_time(mocked: PaymentClient) -> None:
    with respx.mock(using="httpx") as router:
        route = router.get(f"{URL}/p-1")
        route.side_effect = [
            httpx.Response(200, json=PAYMENT | {"status": status}) for status in ("pending", "succeeded")
        ]
        found = [await mocked.get_payment("p-1") for _ in range(2)]
        assert [each.status for each in found if each] == ["pending", "succeeded"]
        route.side_effect = [httpx.Response(200, json=PAYMENT | {"payment_id": "p-2"})]
        with pytest.raises(ResponseUnusable):
            await mocked.get_payment("p-1")
