"""The application on a database of its own, with rates and a clock that the test sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from support.api import Api, Client, conforms

from wallet_service.finance.fx.conversion_schemas import Conversion, PostedConversion
from wallet_service.finance.fx.schemas import Converted, RateList


def rate(pair: str, day: str, value: Any) -> dict[str, Any]:
    base, _, quote = pair.partition("-")
    return {"base": base, "quote": quote, "day": day, "rate": value}


async def put(
    client: Client, *rates: Mapping[str, Any], book_id: str | None = None
) -> Sequence[Mapping[str, Any]]:
    answer = await client.send("PUT", "/fx/rates", {"book_id": book_id, "rates": list(rates)})
    assert answer.status_code == 200, answer.text
    return conforms(answer.content, RateList)["rates"]


async def converted(client: Client, amount: str, pair: str, **query: Any) -> dict[str, Any]:
    base, _, quote = pair.partition("-")
    answer = await client.get("/fx/convert", **{"from": base, "to": quote, "amount": amount}, **query)
    assert answer.status_code == 200, answer.text
    return conforms(answer.content, Converted)


def conversion(answer: httpx.Response, status: int = 201) -> dict[str, Any]:
    """The conversion of a response, whose posting is an exchange with an entry in each wallet."""
    assert answer.status_code == status, answer.text
    found = conforms(answer.content, PostedConversion)
    assert found["conversion"].keys() == {
        field.alias or name for name, field in Conversion.model_fields.items()
    }
    one, other = found["transaction"]["legs"]
    assert {one["transaction_type"], other["transaction_type"]} == {"exchange"}
    by_direction = {each["direction"]: each for each in (one, other)}
    for direction, wallet, amount in (
        ("debit", "wallet_id", "amount"),
        ("credit", "to_wallet_id", "to_amount"),
    ):
        assert by_direction[direction]["wallet_id"] == found["conversion"][wallet]
        assert by_direction[direction]["amount"] == found["conversion"][amount]
    if status == 201:
        name = found["conversion"]["transaction_id"]
        assert name == found["transaction"]["transaction_id"]
        assert answer.headers["Location"] == f"/api/v1/transactions/{name}"
    return found["conversion"]


async def pair_of(client: Client, *currencies: str, balance: str | None = None, **members: Any) -> list[str]:
    """Wallets of one user in these currencies, the first with a balance."""
    return [
        (await client.wallet(balance if place == 0 else None, currency=code, **members))["wallet_id"]
        for place, code in enumerate(currencies)
    ]


async def balances(api: Api, *wallets: str) -> list[str]:
    return [await api.admin.balance(each) for each in wallets]
