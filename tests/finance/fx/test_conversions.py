"""Conversions over HTTP, on both drivers: of figures, and of money between wallets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api, open_api, pointers, problem
from support.clock import SettableClock
from support.database_location import DatabaseLocation

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import verify
from wallet_service.platform.auth.restrictions import Restriction

from .fx_api import balances, conversion, converted, pair_of, put, rate

NOW = datetime(2024, 6, 28, 17, tzinfo=UTC)  # a Friday
MIRRORED = {"keeping": "mirrored"}
RATES = (
    rate("EUR-USD", "2024-03-28", "1.0811"),
    rate("EUR-GBP", "2024-03-28", "0.8551"),
    rate("EUR-JPY", "2024-03-28", "163.45"),
    rate("EUR-USD", "2024-06-28", "1.0705"),
    rate("EUR-CHF", "2024-06-28", "0.9634"),
    rate("EUR-RUB", "2022-03-01", "117.201"),
)


@pytest.fixture
async def api(timed_location: DatabaseLocation, clock: SettableClock) -> AsyncIterator[Api]:
    await clock.set(NOW)
    async with open_api(timed_location, fx_convert=True, fx_spread_bps=50) as opened:
        await put(opened.admin, *RATES)
        yield opened
        lines: list[str] = []
        assert await verify(opened.app.state.database, lines.append), lines


async def test_figures_are_converted_by_the_rate_of_their_day(api: Api) -> None:
    user = api.user()
    cases = (
        ("1000.00", "USD-GBP", "2024-03-30", "790.95"),
        ("1000.00", "USD-JPY", "2024-04-01", "151189"),
        ("500.00", "CHF-USD", "2024-06-30", "555.58"),
        ("0", "CHF-USD", "2024-06-30", "0.00"),
        ("12.50", "EUR-EUR", "1971-01-01", "12.50"),
    )
    for amount, pair, day, value in cases:  # G7
        found = await converted(user, amount, pair, day=day)
        assert (found["converted"], found["stale"], found["complete"]) == (value, False, True), pair
        assert found["unconverted"] == []
    assert (await converted(user, "1000.00", "USD-GBP", day="2024-03-30"))["rated_on"] == "2024-03-28"
    missing = await converted(user, "100.00", "USD-RUB", day="2023-01-10")  # G8
    assert missing == {
        "from": "USD",
        "to": "RUB",
        "amount": "100.00",
        "day": "2023-01-10",
        "converted": None,
        "rate": None,
        "rated_on": None,
        "stale": False,
        "unconverted": ["USD"],
        "complete": False,
    }
    today = await converted(user, "1.00", "EUR-USD")
    assert (today["day"], today["rate"], today["stale"]) == ("2024-06-28", "1.0705", False)


async def test_figures_of_today_use_a_stale_rate_and_say_so(api: Api, clock: SettableClock) -> None:
    await clock.set(NOW + timedelta(days=45))
    found = await converted(api.user(), "100.00", "EUR-USD")
    assert (found["converted"], found["stale"], found["rated_on"]) == ("107.05", True, "2024-06-28")
    await clock.set(NOW + timedelta(days=46))
    assert (await converted(api.user(), "100.00", "EUR-USD"))["converted"] is None


async def test_what_can_t_be_converted_is_refused(api: Api) -> None:
    user = api.user()
    query = {"from": "USD", "to": "EUR", "amount": "1.00"}
    assert (
        problem(await user.get("/fx/convert", **query | {"to": "XXQ"}), "currency_unknown")["currency"]
        == "XXQ"
    )
    assert (
        problem(await user.get("/fx/convert", **query | {"amount": "1.001"}), "amount_precision")["exponent"]
        == 2
    )
    for change, pointer in (
        ({"day": "2024-02-30"}, "/day"),
        ({"day": "0000-01-01"}, "/day"),
        ({"amount": "-1"}, "/amount"),
    ):
        answer = await user.get("/fx/convert", **query | change)
        assert answer.status_code == 422, change
        assert pointers(answer.json()) == [pointer]
    problem(await user.get("/fx/convert", **query | {"book_id": new_id()}), "book_not_found")


async def test_money_is_converted_less_the_spread_g9(api: Api) -> None:
    user = api.user()
    dollars, euros = await pair_of(user, "USD", "EUR", **MIRRORED)
    path = f"/wallets/{dollars}/convert"
    body = {"to_wallet_id": euros, "amount": "100.00", "effective_at": "2024-06-28T10:00:00Z"}
    tried = conversion(await user.post(path, body | {"dry_run": True}, key="k"), 200)
    assert await balances(api, dollars, euros) == ["0.00", "0.00"]
    answer = await user.post(path, body, key="k")
    found = conversion(answer)
    assert found | {"transaction_id": 0} == tried | {"transaction_id": 0}
    assert (found["to_amount"], found["remainder"][:13], found["spread_bps"]) == (
        "92.95",
        "-0.0027790751",
        50,
    )
    assert (found["rate"], found["rated_on"], found["stale"]) == (
        "0.9341429238673517048",
        "2024-06-28",
        False,
    )
    assert await balances(api, dollars, euros) == ["-100.00", "92.95"]
    one, other = answer.json()["transaction"]["legs"]
    assert one["counter_account"] == other["counter_account"] == "mirrored:fx:USD-EUR"
    assert one["metadata"] == {"fx_rate": found["rate"], "fx_rated_on": "2024-06-28"}
    # The same key and request, when there is another rate by now: what was posted.
    await put(api.admin, rate("EUR-USD", "2024-06-28", "2"))
    again = await user.post(path, body, key="k")
    assert (again.content, again.headers["Idempotency-Replayed"]) == (answer.content, "true")
    problem(await user.post(path, body | {"amount": "101.00"}, key="k"), "idempotency_key_reused")
    problem(await user.post(path, body | {"to_amount": "93"}, key="k"), "idempotency_key_reused")


async def test_a_bank_s_own_amounts_are_recorded_as_they_are(api: Api) -> None:
    user = api.user()
    dollars, roubles = await pair_of(user, "USD", "RUB", **MIRRORED)
    path = f"/wallets/{dollars}/convert"
    problem(await user.post(path, {"to_wallet_id": roubles, "amount": "10.00"}), "rate_missing")
    found = conversion(
        await user.post(path, {"to_wallet_id": roubles, "amount": "10.00", "to_amount": "905.5"})
    )
    assert (found["to_amount"], found["rate"]) == ("905.50", "90.55")
    assert [found[name] for name in ("rated_on", "spread_bps", "remainder", "stale")] == [
        None,
        None,
        None,
        False,
    ]
    refused = problem(
        await user.post(path, {"to_wallet_id": roubles, "amount": "1", "to_amount": "0.001"}),
        "amount_precision",
    )
    assert refused["currency"] == "RUB"


async def test_a_mirrored_wallet_takes_its_book_s_rate_of_the_day_in_its_zone(api: Api) -> None:
    user = api.user()
    book = (await user.post("/books", {"base_currency": "EUR", "time_zone": "America/New_York"})).json()
    dollars, euros = await pair_of(user, "USD", "EUR", **MIRRORED)
    await put(
        user,
        rate("USD-EUR", "2024-06-27", "0.5"),
        rate("USD-EUR", "2024-06-26", "0.4"),
        book_id=book["book_id"],
    )
    # In New York it is the evening of the 26th.
    body = {"to_wallet_id": euros, "amount": "100.00", "effective_at": "2024-06-27T03:00:00Z"}
    found = conversion(await user.post(f"/wallets/{dollars}/convert", body))
    assert (found["rated_on"], found["to_amount"]) == ("2024-06-26", "39.80")
    assert (await converted(user, "1.00", "USD-EUR", book_id=book["book_id"]))["converted"] == "0.50"
    assert (await converted(user, "1.00", "USD-EUR"))["converted"] == "0.93"
    # Money that is kept here has the service's rate of today, whatever its owner writes.
    operating, other = await pair_of(
        await api.service("admin"), "USD", "EUR", balance="100", user_id=user.user_id
    )
    found = conversion(await user.post(f"/wallets/{operating}/convert", body | {"to_wallet_id": other}))
    assert (found["rated_on"], found["to_amount"]) == ("2024-06-28", "92.95")


async def test_money_that_is_kept_here_is_converted_by_a_fresh_rate(api: Api, clock: SettableClock) -> None:
    user = api.user()
    dollars, euros = await pair_of(api.admin, "USD", "EUR", balance="150", user_id=user.user_id)
    path, body = f"/wallets/{dollars}/convert", {"to_wallet_id": euros, "amount": "100.00"}
    answer = await user.post(path, body)
    conversion(answer)
    assert answer.json()["transaction"]["counter_account"] == "fx:USD-EUR"
    assert await balances(api, dollars, euros) == ["50.00", "92.95"]
    assert problem(await user.post(path, body), "insufficient_funds")["shortfall"] == "50.00"
    given = await user.post(path, body | {"amount": "1", "to_amount": "100"})
    assert pointers(problem(given, "validation_failed")) == ["/to_amount"]
    # The rate of Friday is good until the end of Monday.
    await clock.set(datetime(2024, 7, 1, 23, 59, tzinfo=UTC))
    conversion(await user.post(path, body | {"amount": "1.00"}))
    await clock.set(datetime(2024, 7, 2, 0, 1, tzinfo=UTC))
    stale = problem(await user.post(path, body | {"amount": "1.00"}), "rate_stale")
    assert (stale["rated_on"], stale["max_age_h"]) == ("2024-06-28", 72)
    problem(await user.post("/fx/quotes", {"from": "USD", "to": "EUR", "amount": "1"}), "rate_stale")


async def test_a_quote_holds_for_a_minute_for_its_caller(api: Api, clock: SettableClock) -> None:
    user = api.user()
    dollars, euros = await pair_of(api.admin, "USD", "EUR", balance="500", user_id=user.user_id)
    path = f"/wallets/{dollars}/convert"
    answer = await user.post("/fx/quotes", {"from": "USD", "to": "EUR", "amount": "100"})
    assert answer.status_code == 201, answer.text
    quote = answer.json()
    assert (quote["amount"], quote["to_amount"], quote["rated_on"]) == ("100.00", "92.95", "2024-06-28")
    body = {"to_wallet_id": euros, "quote_id": quote["quote_id"]}
    await put(api.admin, rate("EUR-USD", "2024-06-28", "2"))
    await clock.advance(timedelta(seconds=59))
    found = conversion(await user.post(path, body, key="quoted"))
    assert (found["to_amount"], found["quote_id"]) == ("92.95", quote["quote_id"])
    other = await user.post(path, body | {"amount": "99"})
    assert pointers(problem(other, "validation_failed")) == ["/quote_id"]
    assert (await user.post(path, body | {"to_amount": "99"})).status_code == 422
    problem(await api.admin.post(path, body), "quote_not_found")
    problem(await user.post(path, body | {"quote_id": new_id()}), "quote_not_found")
    await clock.advance(timedelta(seconds=1))
    assert problem(await user.post(path, body), "quote_expired")["quote_id"] == quote["quote_id"]
    assert conversion(await user.post(path, body, key="quoted")) == found  # a replay is no new use
    wrong = {"from": "USD", "to": "USD", "amount": "1"}
    assert pointers(problem(await user.post("/fx/quotes", wrong), "validation_failed")) == ["/to"]
    problem(await user.post("/fx/quotes", {"from": "USD", "to": "RUB", "amount": "1"}), "rate_missing")


async def test_wallets_that_don_t_fit_are_refused(api: Api) -> None:
    user, stranger = api.user(), api.user()
    dollars, euros, francs = await pair_of(user, "USD", "EUR", "CHF", **MIRRORED)
    (others,) = await pair_of(stranger, "EUR", **MIRRORED)
    (operating,) = await pair_of(api.admin, "EUR", user_id=user.user_id)
    (more,) = await pair_of(user, "USD", name="more", **MIRRORED)
    path = f"/wallets/{dollars}/convert"

    async def tried(to: str, **members: Any) -> Any:
        return await user.post(path, {"to_wallet_id": to, "amount": "1.00"} | members)

    problem(await tried(dollars), "same_wallet")
    problem(await tried(operating), "wallet_mirrored")
    problem(await tried(others), "wallet_not_found")
    problem(await tried(new_id()), "wallet_not_found")
    assert pointers(problem(await tried(more), "validation_failed")) == ["/to_wallet_id"]
    problem(await tried(euros, amount="0.001"), "amount_precision")
    assert (await tried(euros, amount=None)).status_code == 422
    by_key = await api.admin.post(path, {"to_wallet_id": others, "amount": "1.00"})
    assert pointers(problem(by_key, "validation_failed")) == ["/to_wallet_id"]
    (yen,) = await pair_of(user, "JPY", **MIRRORED)
    await put(api.admin, rate("EUR-JPY", "2024-06-28", "172"))
    small = {"to_wallet_id": francs, "amount": "1"}
    conversion(await user.post(f"/wallets/{yen}/convert", small))
    await put(api.admin, rate("JPY-EUR", "2024-06-28", "0.001"))
    nothing = await user.post(f"/wallets/{yen}/convert", small | {"to_wallet_id": euros})
    assert pointers(problem(nothing, "validation_failed")) == ["/amount"]


async def test_a_batch_converts_and_keys_are_restricted(api: Api) -> None:
    user = api.user()
    dollars, euros = await pair_of(api.admin, "USD", "EUR", balance="500", user_id=user.user_id)
    one = {"type": "convert", "wallet_id": dollars, "to_wallet_id": euros, "amount": "100.00"}
    answer = await user.batch(one, one | {"amount": "1000.00"}, one | {"to_amount": "1"}, key="b")
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [each["status"] for each in results] == ["posted", "refused", "refused"]
    assert results[0]["result"]["to_amount"] == "92.95"
    assert len(results[0]["transaction"]["legs"]) == 2
    assert results[1]["problem"]["code"] == "insufficient_funds"
    atomic = await user.batch(one, one | {"amount": "1000.00"}, atomic=True)
    problem(atomic, "insufficient_funds")
    assert await balances(api, dollars, euros) == ["400.00", "92.95"]

    body = {"to_wallet_id": euros, "amount": "10.00"}
    path = f"/wallets/{dollars}/convert"
    for restriction, code in (
        (Restriction(wallet_ids=(dollars,)), "wallet_not_found"),
        (Restriction(counter_accounts=("fx:EUR-USD",)), "forbidden"),
        (Restriction(max_amount=Decimal("9.99")), "forbidden"),
    ):
        key = await api.service("conversions:write", "fees:write", restriction=restriction)
        problem(await key.post(path, body), code)
        refused = await key.batch(one | {"amount": "10.00"})
        assert refused.json()["results"][0]["problem"]["code"] == code
    key = await api.service(
        "conversions:write",
        restriction=Restriction(
            wallet_ids=(dollars, euros), counter_accounts=("fx:*",), max_amount=Decimal(10)
        ),
    )
    conversion(await key.post(path, body))
    problem(await (await api.service("exchanges:write")).post(path, body), "forbidden")


async def test_conversions_both_ways_at_once_lose_nothing(api: Api) -> None:
    user = api.user()
    dollars, euros = await pair_of(api.admin, "USD", "EUR", balance="500", user_id=user.user_id)
    await api.admin.move("deposit", euros, "500")
    answers = await asyncio.gather(
        *(
            user.post(f"/wallets/{one}/convert", {"to_wallet_id": other, "amount": "1.00"})
            for one, other in [(dollars, euros), (euros, dollars)] * 20
        )
    )
    found = [conversion(each) for each in answers]
    assert {each["to_amount"] for each in found} == {"0.93", "1.07"}
    assert await balances(api, dollars, euros) == ["501.40", "498.60"]


async def test_conversion_of_money_that_is_kept_here_is_off_by_default(
    timed_location: DatabaseLocation, clock: SettableClock
) -> None:
    await clock.set(NOW)
    async with open_api(timed_location) as api:
        await put(api.admin, *RATES)
        dollars, euros = await pair_of(
            api.admin, "USD", "EUR", balance="500", user_id=(user := api.user()).user_id
        )
        body = {"to_wallet_id": euros, "amount": "100.00"}
        for caller in (user, api.admin):
            problem(await caller.post(f"/wallets/{dollars}/convert", body), "conversion_off")
        assert await balances(api, dollars, euros) == ["500.00", "0.00"]
        mirrored = await pair_of(user, "USD", "EUR", **MIRRORED)
        found = conversion(
            await user.post(f"/wallets/{mirrored[0]}/convert", body | {"to_wallet_id": mirrored[1]})
        )
        assert (found["to_amount"], found["spread_bps"]) == ("93.41", 0)
