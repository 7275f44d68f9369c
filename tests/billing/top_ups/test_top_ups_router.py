"""Rules and top-ups over HTTP, on both drivers."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from conftest import FreshApi
from standardwebhooks import Webhook
from support.api import Api, Client, conforms, pointers, posted, problem

from wallet_service.billing.top_ups.schemas import TopUp, TopUpRule
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction

from .conftest import RULE, SECRET, Shop


async def put(
    client: Client, wallet_id: str, rule: Mapping[str, Any] = RULE, *, if_match: str | None = None
) -> httpx.Response:
    headers = {"If-Match": if_match} if if_match is not None else None
    return await client.send("PUT", f"/wallets/{wallet_id}/top-up-rule", rule, headers=headers)


def rule_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found = conforms(answer.content, TopUpRule)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    return found


async def test_a_debit_that_crosses_the_threshold_is_charged_and_deposited(shop: Shop) -> None:
    wallet_id = (await shop.admin.wallet("100"))["wallet_id"]
    await shop.set_rule(wallet_id)
    await shop.work()
    posted(await shop.admin.move("consume", wallet_id, "79.99"))
    assert await shop.top_ups(wallet_id) == [], "above the threshold"
    posted(await shop.admin.move("consume", wallet_id, "0.01"))
    (top_up,) = await shop.until(wallet_id, "completed")
    assert (top_up["trigger"], top_up["amount"]) == ("rule", "80.000000")
    (payment,) = shop.charged()
    assert Decimal(payment["amount"]) == 80
    assert payment["reference"] == f"top_up:{top_up['top_up_id']}"
    assert top_up["payment_id"] == payment["payment_id"]
    assert await shop.admin.balance(wallet_id) == "100.000000"
    deposit = (await shop.admin.get(f"/transactions/{top_up['transaction_id']}")).json()
    assert (deposit["transaction_type"], deposit["counter_account"]) == ("deposit", "external:top_ups")
    assert deposit["metadata"] == {"top_up_id": top_up["top_up_id"], "payment_id": payment["payment_id"]}
    assert await shop.events(wallet_id) == [
        "top_up_rule.created",
        "top_up.created",
        "top_up.started",
        "top_up.charged",
        "top_up.completed",
    ]


async def test_a_rule_is_set_read_and_deleted(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    path = f"/wallets/{wallet_id}/top-up-rule"
    problem(await api.admin.get(path), "top_up_rule_not_found")
    problem(await api.admin.delete(path), "top_up_rule_not_found")
    first = rule_of(await put(api.admin, wallet_id, if_match='"0"'))
    assert first["created_at"] == first.pop("updated_at")
    del first["created_at"]
    assert first == {
        "wallet_id": wallet_id,
        "currency": "CREDIT",
        "version": 1,
        "state": "active",
        "pause_reason": None,
        "resumes_at": None,
        "declines": 0,
        "threshold": "20.000000",
        "target": "100.000000",
        "amount": None,
        "payment_method": "pm-1",
        "max_charges": 5,
        "max_amount": None,
        "window_s": 86400,
        "max_declines": 3,
        "backoff_s": 3600,
    }
    assert problem(await put(api.admin, wallet_id, if_match='"0"'), "version_mismatch")["version"] == 1
    limits = {"max_charges": 2, "max_amount": "90", "window_s": 60, "max_declines": 1, "backoff_s": 1}
    by_amount = {"threshold": "0", "amount": "9", "payment_method": "pm-2"} | limits
    second = rule_of(await put(api.admin, wallet_id, by_amount, if_match='"1"'))
    assert (second["version"], second["target"], second["amount"]) == (2, None, "9.000000")
    assert second | limits | {"max_amount": "90.000000"} == second
    assert rule_of(await api.admin.get(path)) == second
    problem(await api.admin.delete(path, if_match='"1"'), "version_mismatch")
    assert (await api.admin.delete(path, if_match='"2"')).status_code == 204
    problem(await api.admin.get(path), "top_up_rule_not_found")
    problem(await put(api.admin, wallet_id, if_match='"2"'), "version_mismatch")
    assert rule_of(await put(api.admin, wallet_id))["version"] == 4, "never that of an earlier rule"


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"amount": "5"}, "validation_failed", ""),
        ({"target": None}, "validation_failed", ""),
        ({"target": "20"}, "validation_failed", "/target"),
        ({"target": "20.0000001"}, "amount_precision", None),
        ({"threshold": "-1"}, "amount_invalid", "/threshold"),
        ({"target": "0"}, "amount_invalid", "/target"),
        ({"max_amount": "79.99"}, "validation_failed", "/max_amount"),
        ({"target": None, "amount": "5", "max_amount": "4"}, "validation_failed", "/max_amount"),
        ({"payment_method": ""}, "validation_failed", "/payment_method"),
        ({"payment_method": None}, "validation_failed", "/payment_method"),
        ({"max_charges": 101}, "validation_failed", "/max_charges"),
        ({"window_s": 59}, "validation_failed", "/window_s"),
        ({"max_declines": 0}, "validation_failed", "/max_declines"),
        ({"backoff_s": 86_401}, "validation_failed", "/backoff_s"),
        ({"card_number": "4711"}, "validation_failed", "/card_number"),
    ],
)
async def test_what_is_no_rule_is_refused(
    direct_api: Api, members: dict[str, Any], code: str, pointer: str | None
) -> None:
    wallet_id = (await direct_api.admin.wallet())["wallet_id"]
    refused = problem(await put(direct_api.admin, wallet_id, RULE | members), code)
    if pointer is not None:
        assert pointers(refused) == [pointer]
    problem(await direct_api.admin.get(f"/wallets/{wallet_id}/top-up-rule"), "top_up_rule_not_found")


async def test_wallets_that_are_mirrored_closed_or_frozen(api: Api) -> None:
    mirrored = (await api.admin.wallet(keeping="mirrored", name="bank"))["wallet_id"]
    closed, frozen = [(await api.admin.wallet())["wallet_id"] for _ in range(2)]
    rule_of(await put(api.admin, closed))
    assert (await api.admin.delete(f"/wallets/{closed}")).status_code == 200
    await api.admin.patch(f"/wallets/{frozen}", {"status": "frozen"})
    amount = {"amount": "5", "payment_method": "pm-1"}
    for wallet_id, of_rule, of_request in (
        (mirrored, "wallet_mirrored", "wallet_mirrored"),
        (closed, "wallet_closed", "wallet_closed"),
        (frozen, None, "wallet_frozen"),
        (new_id(), "wallet_not_found", "wallet_not_found"),
    ):
        if of_rule is None:
            rule_of(await put(api.admin, wallet_id))
        else:
            problem(await put(api.admin, wallet_id), of_rule)
        problem(await api.admin.post(f"/wallets/{wallet_id}/top-ups", amount), of_request)


async def test_who_may_read_and_who_may_charge(api: Api) -> None:
    owner = api.user()
    wallet_id = (await api.admin.wallet("100", user_id=owner.user_id))["wallet_id"]
    path, body = f"/wallets/{wallet_id}/top-ups", {"amount": "5", "payment_method": "pm-1"}
    rule = rule_of(await put(api.admin, wallet_id))
    assert rule_of(await owner.get(f"/wallets/{wallet_id}/top-up-rule")) == rule
    assert problem(await put(owner, wallet_id), "forbidden")["scope"] == "top_ups:write"
    problem(await owner.delete(f"/wallets/{wallet_id}/top-up-rule"), "forbidden")
    problem(await owner.post(path, body), "forbidden")
    made = (await api.admin.post(path, body)).json()
    assert (await owner.get(f"/top-ups/{made['top_up_id']}")).json() == made
    assert (await owner.get(path)).json()["items"] == [made]

    others = await api.service("top_ups:read", "top_ups:write", restriction=Restriction(user_id="x"))
    for stranger in (api.user(), others):
        problem(await stranger.get(f"/wallets/{wallet_id}/top-up-rule"), "wallet_not_found")
        problem(await stranger.get(path), "wallet_not_found")
        problem(await stranger.get(f"/top-ups/{made['top_up_id']}"), "top_up_not_found")
    problem(await others.post(path, body), "wallet_not_found")
    problem(await put(others, wallet_id), "wallet_not_found")
    reader = await api.service("top_ups:read")
    assert problem(await reader.post(path, body), "forbidden")["scope"] == "top_ups:write"
    small = await api.service("top_ups:write", restriction=Restriction(max_amount=Decimal("4.99")))
    problem(await small.post(path, body), "forbidden")
    problem(await put(small, wallet_id), "forbidden")
    elsewhere = await api.service(
        "top_ups:write", restriction=Restriction(counter_accounts=("external:deposits",))
    )
    problem(await elsewhere.post(path, body), "forbidden")
    problem(await put(elsewhere, wallet_id), "forbidden")


async def test_a_top_up_on_request_is_charged_once_for_its_key(shop: Shop) -> None:
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    path = f"/wallets/{wallet_id}/top-ups"
    body = {"amount": "50", "payment_method": "pm-1", "reference": "order-7", "metadata": {"a": 1}}
    first = await shop.admin.post(path, body, key="k")
    assert first.status_code == 202, first.text
    made = conforms(first.content, TopUp)
    assert (made["state"], made["trigger"], made["amount"]) == ("created", "request", "50.000000")
    assert first.headers["Location"] == f"/api/v1/top-ups/{made['top_up_id']}"
    again = await shop.admin.post(path, body, key="k")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.content == first.content
    problem(await shop.admin.post(path, body | {"amount": "51"}, key="k"), "idempotency_key_reused")
    busy = problem(await shop.admin.post(path, body), "top_up_under_way")
    assert busy["top_up_id"] == made["top_up_id"]
    await shop.work()
    (done,) = await shop.until(wallet_id, "completed")
    assert len(shop.charged()) == 1
    assert await shop.admin.balance(wallet_id) == "51.000000"
    deposit = (await shop.admin.get(f"/transactions/{done['transaction_id']}")).json()
    assert deposit["reference"] == "order-7"


async def test_the_payment_method_of_a_request_is_that_of_the_rule_unless_it_names_one(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    path = f"/wallets/{wallet_id}/top-ups"
    refused = problem(await api.admin.post(path, {"amount": "5"}), "validation_failed")
    assert pointers(refused) == ["/payment_method"]
    problem(await api.admin.post(path, {"amount": "0.0000001", "payment_method": "pm-1"}), "amount_precision")
    problem(await api.admin.post(path, {"amount": "0", "payment_method": "pm-1"}), "amount_invalid")
    problem(
        await api.admin.post(path, {"amount": "99999999999999999999", "payment_method": "pm-1"}),
        "balance_limit",
    )
    rule_of(await put(api.admin, wallet_id))
    assert (await api.admin.post(path, {"amount": "5"})).json()["payment_method"] == "pm-1"


async def test_top_ups_are_listed_newest_first(shop: Shop) -> None:
    wallet_id = (await shop.admin.wallet())["wallet_id"]
    path = f"/wallets/{wallet_id}/top-ups"
    await shop.work()
    made: list[str] = []
    for count, method in enumerate(("pm-1", "declined-1", "pm-1"), 1):
        made.append((await shop.request(wallet_id, payment_method=method))["top_up_id"])
        await shop.until(wallet_id, *("completed", "declined", "completed")[:count])
    page = (await shop.admin.get(path, limit=2)).json()
    assert [each["top_up_id"] for each in page["items"]] == made[:0:-1]
    rest = (await shop.admin.get(path, limit=2, cursor=page["next_cursor"])).json()
    assert [each["top_up_id"] for each in rest["items"]] == made[:1]
    assert rest["next_cursor"] is None
    declined = (await shop.admin.get(path, state="declined")).json()["items"]
    assert [each["top_up_id"] for each in declined] == made[1:2]
    assert declined[0]["failure"] == {"code": "payment_declined", "detail": "The card was declined"}
    problem(await shop.admin.get(path, state="lost"), "validation_failed")
    problem(await shop.admin.get(f"/top-ups/{new_id()}"), "top_up_not_found")


def signed(
    body: bytes, *, secret: str = SECRET, at: datetime | None = None, message: str = ""
) -> dict[str, str]:
    moment = at or datetime.now(UTC)
    name = message or f"msg_{new_id()}"
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(name, moment, body.decode()),
    }


async def send(api: Api, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
    return await api.http.post("/api/v1/payments/events", content=body, headers=dict(headers))


NOTICE = json.dumps({"type": "payment.succeeded", "data": {"payment_id": "payment-0"}}).encode()


async def test_only_notices_with_a_valid_signature_are_taken(shop: Shop) -> None:
    api = shop.api
    assert (await send(api, NOTICE, signed(NOTICE))).status_code == 204
    other_secret = "whsec_YW5vdGhlci1zZWNyZXQtb2Ytc29tZW9uZS1lbHNl"
    long_ago = datetime.now(UTC) - timedelta(minutes=6)
    without = signed(NOTICE)
    del without["webhook-signature"]
    for body, headers in (
        (NOTICE, {}),
        (NOTICE, without),
        (NOTICE, signed(NOTICE) | {"webhook-signature": "v1,AAAA"}),
        (NOTICE, signed(NOTICE) | {"webhook-signature": "nonsense"}),
        (NOTICE, signed(NOTICE) | {"webhook-id": "another"}),
        (NOTICE, signed(NOTICE, secret=other_secret)),
        (NOTICE, signed(NOTICE, at=long_ago)),
        (NOTICE + b" ", signed(NOTICE)),
        (b"\xff", signed(NOTICE)),
        (b"{", {"Authorization": api.admin.headers["Authorization"]}),
    ):
        problem(await send(api, body, headers), "unauthorized")
    for body, code in (
        (b"", "malformed_request"),
        (b"{", "malformed_request"),
        (b"[]", "malformed_request"),
        (b'{"type": "payment.succeeded"}', "validation_failed"),
        (b'{"type": "payment.succeeded", "data": {"payment_id": 7}}', "validation_failed"),
    ):
        problem(await send(api, body, signed(body)), code)


async def test_without_a_secret_no_notice_is_taken(api: Api) -> None:
    problem(await send(api, NOTICE, signed(NOTICE)), "unauthorized")


async def test_while_a_secret_is_replaced_both_are_valid(fresh_api: FreshApi) -> None:
    old = "whsec_YW5vdGhlci1zZWNyZXQtb2Ytc29tZW9uZS1lbHNl"
    api = await fresh_api(top_ups_payment_events_secret=f"{SECRET}, {old}")
    for secret in (SECRET, old):
        assert (await send(api, NOTICE, signed(NOTICE, secret=secret))).status_code == 204
