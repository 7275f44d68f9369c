"""Holds over HTTP, on both drivers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
from support.api import Api, Client, conforms, new_user, pointers, posted, problem
from support.clock import SettableClock

from wallet_service.billing.holds.schemas import Capture, Hold
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def hold_of(answer: httpx.Response, **expected: Any) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    found = conforms(answer.content, Hold)
    assert found | expected == found
    return found


def capture_of(answer: httpx.Response, **expected: Any) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found = conforms(answer.content, Capture)
    assert found["hold"] | expected == found["hold"]
    return found


async def place(client: Client, wallet_id: str, amount: str, **members: Any) -> dict[str, Any]:
    return hold_of(await client.post(f"/wallets/{wallet_id}/holds", {"amount": amount, **members}))


async def balances(client: Client, wallet_id: str) -> tuple[str, str, str]:
    wallet = await client.read(wallet_id)
    return wallet["balance"], wallet["locked_balance"], wallet["available_balance"]


async def test_a_hold_keeps_an_amount_until_it_is_captured_voided_or_expires(
    timed_api: Api, clock: SettableClock
) -> None:
    admin = timed_api.admin
    await clock.set(NOW)
    wallet_id = (await admin.wallet("100"))["wallet_id"]
    first = await place(admin, wallet_id, "60", expires_in_s=600, reference="a", metadata={"n": 1})
    assert first["expires_at"] == "2031-05-06T07:18:09.000000Z"
    assert await balances(admin, wallet_id) == ("100.000000", "60.000000", "40.000000")
    problem(await admin.move("consume", wallet_id, "41"), "insufficient_funds")
    second = await place(admin, wallet_id, "40")
    assert second["expires_at"] == "2031-05-06T08:08:09.000000Z", "an hour by default"
    problem(await admin.post(f"/wallets/{wallet_id}/holds", {"amount": "0.000001"}), "insufficient_funds")

    path = f"/holds/{first['hold_id']}"
    part = capture_of(await admin.post(f"{path}/capture", {"amount": "25", "reference": "r"}), state="open")
    assert part["hold"]["remaining"] == "35.000000"
    entry = part["transaction"]
    assert (entry["transaction_type"], entry["amount"], entry["counter_account"], entry["reference"]) == (
        "consume",
        "25.000000",
        "revenue:usage",
        "r",
    )
    assert entry["metadata"] == {"hold_id": first["hold_id"]}
    assert await balances(admin, wallet_id) == ("75.000000", "75.000000", "0.000000")
    last = capture_of(await admin.post(f"{path}/capture", {"amount": "5", "final": True}), state="captured")
    assert (last["hold"]["captured"], last["hold"]["voided"]) == ("30.000000", "30.000000")
    assert await balances(admin, wallet_id) == ("70.000000", "40.000000", "30.000000")
    assert hold_of(await admin.get(path)) == last["hold"]

    path = f"/holds/{second['hold_id']}"
    hold_of(await admin.post(f"{path}/void", {}), state="voided", voided="40.000000")
    problem(await admin.post(f"{path}/void", {}), "hold_ended")
    assert await balances(admin, wallet_id) == ("70.000000", "0.000000", "70.000000")

    third = await place(admin, wallet_id, "70", expires_in_s=60)
    await clock.advance(timedelta(seconds=60))
    posted(await admin.move("consume", wallet_id, "70"))
    hold_of(await admin.get(f"/holds/{third['hold_id']}"), state="expired", expired="70.000000")
    problem(await admin.post(f"/holds/{third['hold_id']}/capture", {"amount": "1"}), "hold_ended")
    assert await balances(admin, wallet_id) == ("0.000000", "0.000000", "0.000000")


async def test_a_repeated_request_returns_the_first_answer(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    path = f"/wallets/{wallet_id}/holds"
    first = await api.admin.post(path, {"amount": "10"}, key=f"place-{wallet_id}")
    again = await api.admin.post(path, {"amount": "10"}, key=f"place-{wallet_id}")
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    one = again.headers["Location"].removeprefix("/api/v1")
    assert one == f"/holds/{first.json()['hold_id']}"
    problem(await api.admin.post(path, {"amount": "11"}, key=f"place-{wallet_id}"), "idempotency_key_reused")
    for kind, body in (
        ("increase", {"amount": "5"}),
        ("extend", {"expires_in_s": 7200}),
        ("capture", {"amount": "3"}),
        ("void", {}),
    ):
        dry = await api.admin.post(f"{one}/{kind}", body | {"dry_run": True})
        assert dry.status_code == 200, dry.text
        done = await api.admin.post(f"{one}/{kind}", body, key=f"{kind}-{wallet_id}")
        # Also after what came later: what the operation did is the same.
        repeated = await api.admin.post(f"{one}/{kind}", body, key=f"{kind}-{wallet_id}")
        assert (done.status_code, repeated.status_code) == (201, 201), done.text
        assert repeated.content == done.content
        assert repeated.headers["Idempotency-Replayed"] == "true"
    late = await api.admin.post(f"{one}/extend", {"expires_in_s": 7200}, key=f"extend-{wallet_id}")
    assert late.headers["Idempotency-Replayed"] == "true"
    assert late.json()["state"] == "open"
    assert await balances(api.admin, wallet_id) == ("97.000000", "0.000000", "97.000000")


async def test_a_user_holds_and_captures_of_its_own_wallets(api: Api) -> None:
    owner, stranger = api.user(), api.user()
    wallet_id = (await api.admin.wallet("100", user_id=owner.user_id))["wallet_id"]
    mine, theirs = await place(owner, wallet_id, "10"), await place(api.admin, wallet_id, "20")
    path = f"/holds/{theirs['hold_id']}"
    assert hold_of(await owner.get(path)) == theirs
    listed = (await owner.get(f"/wallets/{wallet_id}/holds")).json()["items"]
    assert listed == [theirs, mine]
    for kind, body in CHANGES:
        problem(await owner.post(f"{path}/{kind}", body), "forbidden")
        problem(await stranger.post(f"{path}/{kind}", body), "hold_not_found")
    problem(await stranger.get(path), "hold_not_found")
    problem(await stranger.get(f"/wallets/{wallet_id}/holds"), "wallet_not_found")
    problem(await stranger.post(f"/wallets/{wallet_id}/holds", {"amount": "1"}), "wallet_not_found")
    own = f"/holds/{mine['hold_id']}"
    other = {"amount": "1", "counter_account": "revenue:usage:gpt"}
    problem(await owner.post(f"/wallets/{wallet_id}/holds", other), "forbidden")
    problem(await owner.post(f"{own}/capture", other), "forbidden")
    problem(await owner.post(f"{own}/capture", {"amount": "1", "type": "withdraw"}), "forbidden")
    capture_of(await owner.post(f"{own}/capture", {"amount": "4"}), captured="4.000000")
    hold_of(await owner.post(f"{own}/void", {}), state="voided")
    hold_of(await api.admin.post(f"{path}/void", {}), state="voided")


CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("capture", {"amount": "1"}),
    ("void", {}),
    ("extend", {"expires_in_s": 7200}),
    ("increase", {"amount": "1"}),
)


async def test_what_a_key_may_is_bounded(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    path = f"/wallets/{wallet_id}/holds"
    reader = await api.service("holds:read")
    problem(await reader.post(path, {"amount": "1"}), "forbidden")
    writer = await api.service("holds:write", "holds:read")
    hold = await place(writer, wallet_id, "20")
    one = f"/holds/{hold['hold_id']}"
    assert hold_of(await reader.get(one)) == hold
    for kind, body in CHANGES:
        problem(await reader.post(f"{one}/{kind}", body), "forbidden")
    lacking = await writer.post(f"{one}/capture", {"amount": "1", "type": "fee"})
    assert problem(lacking, "forbidden")["scope"] == "fees:write"
    posted(await writer.move("consume", wallet_id, "1"))

    small = await api.service("holds:write", restriction=Restriction(max_amount=Decimal(5)))
    for kind, body in (
        ("capture", {"amount": "6"}),
        ("capture", {}),
        ("increase", {"amount": "6"}),
        ("void", {}),
    ):
        assert problem(await small.post(f"{one}/{kind}", body), "forbidden")["max_amount"] == "5"
    problem(await small.post(path, {"amount": "5.01"}), "forbidden")
    capture_of(await small.post(f"{one}/capture", {"amount": "5"}), captured="5.000000")
    hold_of(await small.post(path, {"amount": "5"}))

    gpt = await api.service("holds:write", restriction=Restriction(counter_accounts=("revenue:usage:gpt",)))
    problem(await gpt.post(path, {"amount": "1"}), "forbidden")
    for kind, body in CHANGES:
        problem(await gpt.post(f"{one}/{kind}", body), "forbidden")
    hold_of(await gpt.post(path, {"amount": "1", "counter_account": "revenue:usage:gpt"}))

    elsewhere = await api.service("holds:write", "holds:read", restriction=Restriction(user_id="another"))
    problem(await elsewhere.get(one), "hold_not_found")
    problem(await elsewhere.post(f"{one}/void", {}), "hold_not_found")


async def test_what_is_no_hold_is_refused(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    path = f"/wallets/{wallet_id}/holds"
    for body, pointer in (
        ({}, "/amount"),
        ({"amount": "1", "expires_in_s": 0}, "/expires_in_s"),
        ({"amount": "1", "expires_in_s": 1.5}, "/expires_in_s"),
        ({"amount": "1", "expires_in_s": 2_592_001}, "/expires_at"),
        ({"amount": "1", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"amount": "1", "expires_at": "tomorrow"}, "/expires_at"),
        ({"amount": "1", "counter_account": "gpt"}, "/counter_account"),
        ({"amount": "1", "final": True}, "/final"),
    ):
        assert pointers(problem(await api.admin.post(path, body), "validation_failed")) == [pointer], body
    problem(await api.admin.post(path, {"amount": "0"}), "amount_invalid")
    both = {"amount": "1", "expires_in_s": 60, "expires_at": "2999-01-01T00:00:00Z"}
    refused = problem(await api.admin.post(path, both), "validation_failed")
    assert refused["errors"][0]["code"] == "hold_end_ambiguous"
    problem(await api.admin.post(path, {"amount": "0.0000001"}), "amount_precision")
    mirrored = (await api.admin.wallet("5", keeping="mirrored"))["wallet_id"]
    problem(await api.admin.post(f"/wallets/{mirrored}/holds", {"amount": "1"}), "wallet_mirrored")
    problem(await api.admin.post(f"/wallets/{new_id()}/holds", {"amount": "1"}), "wallet_not_found")

    hold = await place(api.admin, wallet_id, "10")
    one = f"/holds/{hold['hold_id']}"
    above = problem(await api.admin.post(f"{one}/capture", {"amount": "10.5"}), "hold_exceeded")
    assert (above["remaining"], above["available"], above["excess"]) == ("10.000000", "90.000000", "0.500000")
    for kind, body, pointer in (
        ("capture", {"amount": "1", "overage": "gladly"}, "/overage"),
        ("capture", {"amount": "1", "type": "deposit"}, "/type"),
        ("increase", {}, "/amount"),
        ("void", {"amount": "1"}, "/amount"),
        ("extend", {"expires_in_s": 1}, "/expires_at"),
        ("extend", {"expires_in_s": 2_592_001}, "/expires_at"),
    ):
        answer = await api.admin.post(f"{one}/{kind}", body)
        assert pointers(problem(answer, "validation_failed")) == [pointer], (kind, body)
    refused = problem(await api.admin.post(f"{one}/extend", {}), "validation_failed")
    assert refused["errors"][0]["code"] == "hold_end_missing"
    problem(await api.admin.post(f"/holds/{new_id()}/void", {}), "hold_not_found")

    await api.admin.patch(f"/wallets/{wallet_id}", {"status": "frozen"})
    problem(await api.admin.post(path, {"amount": "1"}), "wallet_frozen")
    problem(await api.admin.post(f"{one}/increase", {"amount": "1"}), "wallet_frozen")
    capture_of(await api.admin.post(f"{one}/capture", {"amount": "1"}), captured="1.000000")
    await api.admin.patch(f"/wallets/{wallet_id}", {"status": "active"})
    posted(await api.admin.move("consume", wallet_id, "90"))
    problem(await api.admin.delete(f"/wallets/{wallet_id}"), "wallet_not_empty")


async def test_holds_are_listed_newest_first_in_pages(timed_api: Api, clock: SettableClock) -> None:
    admin = timed_api.admin
    await clock.set(NOW)
    wallet_id = (await admin.wallet("100"))["wallet_id"]
    holds: list[dict[str, Any]] = []
    for number in range(5):
        members = {"reference": "even" if number % 2 == 0 else "odd", "expires_in_s": 3600}
        holds.insert(0, await place(admin, wallet_id, "1", **members))
        await clock.advance(timedelta(minutes=1))
    path = f"/wallets/{wallet_id}/holds"

    async def listed(**query: Any) -> list[str]:
        ids: list[str] = []
        while True:
            page = (await admin.get(path, limit=2, **query)).json()
            ids += [each["hold_id"] for each in page["items"]]
            if page["next_cursor"] is None:
                return ids
            query["cursor"] = page["next_cursor"]

    ids = [each["hold_id"] for each in holds]
    assert await listed() == ids
    assert await listed(reference="even") == ids[::2]
    assert await listed(reference="even", state="open") == ids[::2]
    bounds = {"from": holds[3]["created_at"], "to": holds[1]["created_at"]}
    assert await listed(**bounds) == ids[2:4]
    hold_of(await admin.post(f"/holds/{ids[0]}/void", {}), state="voided")
    assert await listed(state="voided") == ids[:1]
    assert await listed(state="open") == ids[1:]
    await clock.set(NOW + timedelta(minutes=61))
    assert await listed(state="open") == ids[1:3]
    assert await listed(state="expired") == ids[3:]
    assert await listed(state="captured") == []
    cursor = (await admin.get(path, limit=2)).json()["next_cursor"]
    assert pointers(problem(await admin.get(path, cursor=cursor, state="open"), "validation_failed")) == [
        "/cursor"
    ]
    assert pointers(problem(await admin.get(path, state="lost"), "validation_failed")) == ["/state"]


async def test_statistics_and_statements_show_captures_as_their_type(api: Api) -> None:
    wallet_id = (await api.admin.wallet("100"))["wallet_id"]
    one = f"/holds/{(await place(api.admin, wallet_id, '20'))['hold_id']}"
    consumed = capture_of(await api.admin.post(f"{one}/capture", {"amount": "3"}))["transaction"]
    fee = {"amount": "2", "type": "fee", "counter_account": "revenue:fees"}
    capture_of(await api.admin.post(f"{one}/capture", fee))
    (found,) = (await api.admin.get(f"/wallets/{wallet_id}/statistics")).json()["currencies"]
    totals = found["by_type"]
    assert {each["transaction_type"]: each["amount"] for each in totals if each["direction"] == "debit"} == {
        "consume": "3.000000",
        "fee": "2.000000",
    }
    history = (await api.admin.get(f"/wallets/{wallet_id}/transactions", type="consume")).json()["items"]
    assert [each["transaction_id"] for each in history] == [consumed["transaction_id"]]
    refunded = posted(await api.admin.post(f"/transactions/{consumed['transaction_id']}/refund", {}))
    assert refunded["amount"] == "3.000000"
    hold_of(await api.admin.get(one), captured="5.000000", state="open")


async def test_moments_at_which_a_hold_ends_show_in_every_read(timed_api: Api, clock: SettableClock) -> None:
    admin = timed_api.admin
    for read in ("balance", "limits", "credits", "close", "credit_limit"):
        await clock.set(NOW)
        user = new_user()
        wallet = await admin.wallet(user_id=user, currency="CREDIT", credit_limit="10")
        wallet_id = wallet["wallet_id"]
        await admin.send(
            "PUT", f"/wallets/{wallet_id}/limits", {"limits": [{"period": "day", "amount": "50"}]}
        )
        await place(admin, wallet_id, "10", expires_in_s=60)
        await clock.advance(timedelta(seconds=60))
        match read:
            case "balance":
                found = (await admin.get(f"/wallets/{wallet_id}/balance")).json()
                assert found["available_balance"] == "0.000000"
            case "limits":
                (limit,) = (await admin.get(f"/wallets/{wallet_id}/limits")).json()["limits"]
                assert (limit["reserved"], limit["remaining"]) == ("0.000000", "50.000000")
            case "credits":
                found = (await admin.get(f"/users/{user}/credits/balance")).json()
                assert found["available_balance"] == "0.000000"
            case "close":
                assert (await admin.delete(f"/wallets/{wallet_id}")).json()["status"] == "closed"
            case _:
                answer = await admin.patch(f"/wallets/{wallet_id}", {"credit_limit": "0"})
                assert answer.json()["credit_limit"] == "0.000000"
