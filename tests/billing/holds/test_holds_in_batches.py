"""Operations on holds in batches, on both drivers."""

from typing import Any

import pytest
from support.api import Api, Client, conforms, new_user, problem

from wallet_service.billing.holds.schemas import Hold
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction


async def sent(client: Client, *operations: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    """The results of a batch that is not refused as a whole."""
    answer = await client.post("/transactions/batch", {"operations": list(operations), **members})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


async def placed(client: Client, wallet_id: str, amount: str, **members: Any) -> str:
    (result,) = await sent(client, {"type": "hold", "wallet_id": wallet_id, "amount": amount, **members})
    assert (result["status"], result["transaction"]) == ("posted", None)
    Hold.model_validate(result["result"])
    return result["result"]["hold_id"]


async def test_holds_are_placed_changed_captured_and_voided_in_one_unit(api: Api) -> None:
    wallet = (await api.admin.wallet("100"))["wallet_id"]
    hold = await placed(api.admin, wallet, "60", counter_account="revenue:usage:gpt")
    of = {"wallet_id": wallet, "hold_id": hold}
    unit = (
        {"type": "hold_increase", **of, "amount": "10"},
        {"type": "hold_capture", **of, "amount": "25", "reference": "r"},
        {"type": "consume", "wallet_id": wallet, "amount": "30"},
        {"type": "hold_extend", **of, "expires_in_s": 7200},
        {"type": "hold_capture", **of, "amount": "5", "final": True, "counter_account": "revenue:usage"},
        {"type": "hold", "wallet_id": wallet, "amount": "40"},
    )
    key = new_id()
    body = {"operations": list(unit), "atomic": True}
    first, again = [(await api.admin.post("/transactions/batch", body, key=key)).json() for _ in range(2)]
    assert again == first
    results = first["results"]
    assert [each["status"] for each in results] == ["posted"] * 6
    assert [each.get("result", {}).get("remaining") for each in results] == [
        *("70.000000", "45.000000", None, "45.000000", "0.000000", "40.000000")
    ]
    entry = results[1]["transaction"]
    assert (entry["transaction_type"], entry["counter_account"], entry["reference"], entry["metadata"]) == (
        *("consume", "revenue:usage:gpt", "r"),
        {"hold_id": hold},
    )
    assert results[4]["transaction"]["counter_account"] == "revenue:usage"
    conforms((await api.admin.get(f"/holds/{hold}")).content, Hold)
    read = await api.admin.read(wallet)
    assert (read["balance"], read["locked_balance"]) == ("40.000000", "40.000000")


async def test_a_refusal_takes_back_all_of_an_atomic_batch(api: Api) -> None:
    wallet = (await api.admin.wallet("50"))["wallet_id"]
    hold = await placed(api.admin, wallet, "20")
    of = {"wallet_id": wallet, "hold_id": hold}
    unit = [
        {"type": "hold_void", **of},
        {"type": "hold", "wallet_id": wallet, "amount": "50"},
        {"type": "hold_capture", **of, "amount": "1"},
    ]
    answer = await api.admin.post("/transactions/batch", {"operations": unit, "atomic": True})
    assert problem(answer, "hold_ended")["index"] == 2
    assert (await api.admin.read(wallet))["locked_balance"] == "20.000000"
    single = await sent(api.admin, *unit)
    assert [each["status"] for each in single] == ["posted", "posted", "refused"]
    assert single[2]["problem"]["code"] == "hold_ended"
    (dry,) = await sent(api.admin, {"type": "hold", "wallet_id": wallet, "amount": "1"}, dry_run=True)
    assert dry["problem"]["code"] == "insufficient_funds"


@pytest.mark.parametrize(
    ("operation", "pointer"),
    [
        ({"type": "hold", "amount": "0"}, "/amount"),
        ({"type": "hold", "amount": "1", "expires_in_s": 0}, "/expires_in_s"),
        ({"type": "hold_capture", "amount": "1", "overage": "some"}, "/overage"),
        ({"type": "hold_extend", "hold_id": "x", "expires_in_s": 1}, "/hold_id"),
    ],
)
async def test_a_fault_is_that_of_its_member(
    direct_api: Api, operation: dict[str, Any], pointer: str
) -> None:
    wallet = (await direct_api.admin.wallet("50"))["wallet_id"]
    named = {"wallet_id": wallet, **operation}
    if operation["type"] != "hold":
        named.setdefault("hold_id", new_id())
    (result,) = await sent(direct_api.admin, named)
    assert result["problem"]["errors"][0]["pointer"] == pointer, result


async def test_restricted_keys_name_what_bounds_them(direct_api: Api) -> None:
    wallet = (await direct_api.admin.wallet("50"))["wallet_id"]
    hold = await placed(direct_api.admin, wallet, "20", counter_account="revenue:usage:gpt")
    of = {"wallet_id": wallet, "hold_id": hold}
    allowed = Restriction(counter_accounts=("revenue:usage:tts",))
    key = await direct_api.service("holds:write", restriction=allowed)
    results = await sent(
        key,
        {"type": "hold_capture", **of, "amount": "1"},
        {"type": "hold_capture", **of, "amount": "1", "counter_account": "revenue:usage:gpt"},
        {"type": "hold_void", **of},
        {"type": "hold_increase", **of, "amount": "1"},
        {"type": "hold", "wallet_id": wallet, "amount": "1"},
        {"type": "hold", "wallet_id": wallet, "amount": "1", "counter_account": "revenue:usage:tts"},
    )
    codes = [each.get("problem", {}).get("code") for each in results]
    assert codes == ["forbidden"] * 5 + [None]


async def test_a_user_holds_for_the_default_account_only(direct_api: Api) -> None:
    user = new_user()
    wallet = (await direct_api.admin.wallet("50", user_id=user))["wallet_id"]
    by_service = await placed(direct_api.admin, wallet, "5")
    own = direct_api.user(user)
    results = await sent(
        own,
        {"type": "hold", "wallet_id": wallet, "amount": "1"},
        {"type": "hold", "wallet_id": wallet, "amount": "1", "counter_account": "revenue:other"},
        {"type": "hold_void", "wallet_id": wallet, "hold_id": by_service},
    )
    codes = [each.get("problem", {}).get("code") for each in results]
    assert codes == [None, "forbidden", "forbidden"]
