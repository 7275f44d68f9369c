"""What budgets must do. Each check is a test by itself, and must fail with the faults that are there for it (mutants)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from support.api import problem

from .home import Home

Check = Callable[[Home], Awaitable[None]]


def figures(found: dict[str, str], *names: str) -> tuple[str, ...]:
    return tuple(found[name] for name in names)


async def the_carry_of_g11(home: Home) -> None:
    for month, amount in ((1, "40.00"), (2, "190.00"), (3, "20.00")):
        await home.spend(f"2024-0{month}-10", amount)
    wanted = {
        ("none", None): (
            ("100.00", "60.00"),
            ("100.00", "-90.00"),
            ("100.00", "80.00"),
            ("100.00", "100.00"),
        ),
        ("surplus", None): (
            ("100.00", "60.00"),
            ("160.00", "-30.00"),
            ("100.00", "80.00"),
            ("180.00", "180.00"),
        ),
        ("full", None): (("100.00", "60.00"), ("160.00", "-30.00"), ("70.00", "50.00"), ("150.00", "150.00")),
        ("full", "50.00"): (
            ("100.00", "60.00"),
            ("150.00", "-40.00"),
            ("60.00", "40.00"),
            ("140.00", "140.00"),
        ),
    }
    for (carry, cap), months in wanted.items():
        budget = await home.add(carry=carry, carry_cap=cap)
        details = await home.details(budget)
        shown = [*reversed(details["history"]), details]
        assert tuple(figures(each, "available", "left") for each in shown) == months
        assert [each["from"] for each in shown] == [f"2024-0{month}-01" for month in (1, 2, 3, 4)]
        assert figures(await home.of_budget(budget), "available", "left") == months[-1]
        assert figures(await home.of_budget(budget, "2024-02-29"), "available", "left") == months[1]


async def spent_is_net_of_refunds_in_their_month_g16(home: Home) -> None:
    await home.set_day("2024-06-30")
    await home.spend("2024-05-10", "60.00", "restaurants")
    await home.spend("2024-06-03", "-40.00", "restaurants")
    await home.spend("2024-06-04", "800.00", "rent")
    restaurants = await home.add(category_ids=[home.category("restaurants")])
    everything = await home.add()
    assert (await home.of_budget(restaurants))["spent"] == "-40.00"
    assert (await home.of_budget(everything))["spent"] == "760.00"
    assert (await home.of_budget(restaurants, "2024-05-31"))["spent"] == "60.00"


async def only_expenses_count_with_what_is_under_a_category(home: Home) -> None:
    bakery = await home.add_category("Bakery", "groceries")
    await home.spend("2024-04-02", "1.00", "groceries")
    await home.spend("2024-04-02", "2.00", bakery)
    await home.spend("2024-04-02", "4.00", "rent")
    await home.spend("2024-04-02", "8.00", "own_transfers")
    await home.book("2024-04-02", "1000.00", "salary")
    await home.spend("2024-04-02", "16.00", "sales")
    everything = await home.add()
    food = await home.add(category_ids=[home.category("food")])
    two = await home.add(category_ids=[home.category("groceries"), bakery])
    spent = {key: each["spent"] for key, each in (await home.progress()).items()}
    assert [spent[each["budget_id"]] for each in (everything, food, two)] == ["7.00", "3.00", "3.00"]


async def merges_and_moves_are_followed_when_read(home: Home) -> None:
    bakery = await home.add_category("Bakery", "groceries")
    cakes = await home.add_category("Cakes", "leisure")
    await home.spend("2024-04-02", "1.00", bakery)
    await home.spend("2024-04-02", "2.00", cakes)
    food = await home.add(category_ids=[home.category("food")])
    of_cakes = await home.add(category_ids=[cakes])
    of_bakery = await home.add(category_ids=[bakery])

    async def shown() -> list[str]:
        found = await home.progress()
        return [found[each["budget_id"]]["spent"] for each in (food, of_cakes, of_bakery)]

    assert await shown() == ["1.00", "2.00", "1.00"]
    await home.client.post(f"/categories/{cakes}/merge", {"into": bakery})
    assert await shown() == ["3.00", "3.00", "3.00"]
    await home.client.post(f"/categories/{cakes}/unmerge")
    assert await shown() == ["1.00", "2.00", "1.00"]
    await home.client.patch(f"/categories/{bakery}", {"parent_id": home.category("transfer")})
    assert await shown() == ["0.00", "2.00", "0.00"]


async def chosen_wallets_alone_count(home: Home) -> None:
    await home.add_wallet("EUR", "cash")
    await home.spend("2024-04-02", "1.00")
    await home.spend("2024-04-02", "2.00", wallet="cash")
    cash = await home.add(wallet_ids=[home.wallets["cash"]])
    both = await home.add(wallet_ids=[home.wallets["cash"], home.wallets["EUR"]])
    found = await home.progress()
    assert [found[each["budget_id"]]["spent"] for each in (cash, both)] == ["2.00", "3.00"]


async def days_count_from_the_start_to_the_end(home: Home) -> None:
    for day in ("2024-03-09", "2024-03-10", "2024-04-09", "2024-04-10", "2024-04-20"):
        await home.spend(day, "1.00")
    budget = await home.add(start_date="2024-03-10", end_date="2024-04-10")
    found = await home.of_budget(budget)
    assert figures(found, "state", "from", "to", "spent") == ("ended", "2024-04-01", "2024-04-10", "1.00")
    first = await home.of_budget(budget, "2024-03-31")
    assert figures(first, "state", "from", "to", "spent") == ("active", "2024-03-10", "2024-04-01", "1.00")
    before = await home.of_budget(budget, "2024-03-09")
    assert figures(before, "state", "from", "to", "spent") == ("upcoming", "2024-03-10", "2024-04-01", "0.00")
    later = await home.add(start_date="2024-05-05")
    upcoming = await home.details(later)
    assert figures(upcoming, "state", "from", "to") == ("upcoming", "2024-05-05", "2024-06-01")
    assert (upcoming["day"], upcoming["days"], upcoming["daily_average"]) == (0, 27, None)
    assert (await home.of_budget(await home.add(), "2024-04-09"))["spent"] == "1.00", "up to the day"


async def a_cut_period_is_whole_or_by_days(home: Home) -> None:
    whole = await home.add("310.00", start_date="2024-01-15", end_date="2024-03-11")
    by_days = await home.add("310.00", start_date="2024-01-15", end_date="2024-03-11", prorate=True)
    for budget, amounts in ((whole, ("310.00",) * 3), (by_days, ("170.00", "310.00", "100.00"))):
        details = await home.details(budget)
        assert tuple(each["amount"] for each in [*reversed(details["history"]), details]) == amounts
    thirds = await home.add("100.00", start_date="2024-01-11", prorate=True, carry="full")
    details = await home.details(thirds, "2024-02-01")
    assert figures(details["history"][0], "amount") == ("67.74",), "21 of 31 days"
    assert details["carry"] == "67.74"


async def each_day_has_its_rate_and_a_sum_is_rounded_once(home: Home) -> None:
    await home.add_wallet("USD")
    await home.rate("EUR", "USD", "2024-04-02", "1.2")
    await home.rate("EUR", "USD", "2024-04-08", "1.6")
    for _ in range(3):
        await home.spend("2024-04-02", "0.01", "groceries", "USD")
    budget = await home.add()
    assert (await home.of_budget(budget))["spent"] == "0.03", "0.025, half away from zero"
    await home.spend("2024-04-09", "1.00", "rent", "USD")
    await home.spend("2024-04-03", "1.20", "rent", "USD")
    assert (await home.of_budget(budget))["spent"] == "1.65"
    dollars = await home.add("100.00", currency="USD")
    await home.spend("2024-04-09", "1.00")
    assert figures(await home.of_budget(dollars), "currency", "spent") == ("USD", "3.83")
    assert (await home.of_budget(budget))["stale"] == []


async def what_has_no_rate_is_left_out_and_shown(home: Home) -> None:
    await home.add_wallet("USD")
    await home.add_wallet("CREDIT")
    await home.spend("2024-03-02", "5.00", "groceries", "USD")
    await home.spend("2024-04-02", "7.00", "groceries", "USD")
    await home.spend("2024-04-02", "9", "groceries", "CREDIT")
    await home.spend("2024-04-02", "1.00")
    plain = await home.add()
    found = await home.of_budget(plain)
    assert (found["spent"], found["complete"]) == ("1.00", False)
    assert found["unconverted"] == [{"currency": "USD", "amount": "7.00"}], "credits are no money"
    carried = await home.add(carry="surplus")
    assert (await home.of_budget(carried))["unconverted"] == [{"currency": "USD", "amount": "12.00"}]
    await home.rate("EUR", "USD", "2024-04-02", "1.4")
    found = await home.of_budget(plain)
    assert (found["spent"], found["complete"], found["unconverted"]) == ("6.00", True, [])
    assert not (await home.of_budget(carried))["complete"], "March still counts for the carry"
    details = await home.details(carried)
    assert [each["complete"] for each in details["history"]] == [False, True, True]


async def a_stale_rate_is_named(home: Home) -> None:
    await home.add_wallet("USD")
    await home.rate("EUR", "USD", "2024-04-01", "2")
    await home.spend("2024-04-18", "4.00", "groceries", "USD")
    found = await home.of_budget(await home.add())
    assert (found["spent"], found["complete"]) == ("2.00", True)
    assert found["stale"] == [{"currency": "USD", "rated_on": "2024-04-01"}]


async def a_part_counts_for_the_nearest_item(home: Home) -> None:
    bakery = await home.add_category("Bakery", "groceries")
    for amount, category in (("1.00", "food"), ("2.00", "groceries"), ("4.00", bakery), ("8.00", "rent")):
        await home.spend("2024-04-02", amount, category)
    items = [
        {"category_id": home.category("food"), "amount": "50.00"},
        {"category_id": bakery, "amount": "3.00"},
    ]
    budget = await home.add(items=items)
    found = (await home.details(budget))["items"]
    assert [(each["category_id"], *figures(each, "amount", "spent", "left")) for each in found] == [
        (home.category("food"), "50.00", "3.00", "47.00"),
        (bakery, "3.00", "4.00", "-1.00"),
        (None, "47.00", "8.00", "39.00"),
    ]


async def periods_are_those_of_the_book(home: Home) -> None:
    path = f"/books/{home.book_id}"
    await home.client.patch(path, {"month_start_day": 25, "week_start": "sunday", "year_start_month": 4})
    wanted = {
        "daily": ("2024-04-20", "2024-04-21"),
        "weekly": ("2024-04-14", "2024-04-21"),
        "monthly": ("2024-03-25", "2024-04-25"),
        "quarterly": ("2024-01-25", "2024-04-25"),
        "yearly": ("2023-04-25", "2024-04-25"),
        "annual": ("2023-04-25", "2024-04-25"),
    }
    for period, bounds in wanted.items():
        budget = await home.add(period=period, start_date="2020-01-01")
        assert budget["period"] == ("yearly" if period == "annual" else period)
        assert figures(await home.of_budget(budget), "from", "to") == bounds


async def a_tier_is_one_event(home: Home) -> None:
    budget = await home.add(tiers=[50, 100])
    await home.spend("2024-04-02", "49.99")
    await home.catalogue()
    assert await home.reached() == []
    await home.spend("2024-04-03", "0.01")
    await home.catalogue()
    await home.catalogue()
    assert await home.reached() == [("2024-04-01", 50)]
    await home.spend("2024-04-03", "60.00")
    await asyncio.gather(*(home.catalogue() for _ in range(4)))
    assert await home.reached() == [("2024-04-01", 50), ("2024-04-01", 100)]
    await home.spend("2024-04-04", "-100.00")
    await home.catalogue()
    await home.spend("2024-04-05", "100.00")
    await home.catalogue()
    assert len(await home.reached()) == 2, "once in a period"
    assert [each["tier"] for each in (await home.details(budget))["alerts"]] == [50, 100]
    await home.set_day("2024-05-02")
    await home.spend("2024-05-01", "50.00")
    await home.catalogue()
    assert (await home.reached())[2:] == [("2024-05-01", 50)]


async def a_higher_amount_re_arms_what_is_not_reached(home: Home) -> None:
    budget = await home.add(tiers=[50, 75, 100])
    await home.spend("2024-04-02", "100.00")
    await home.catalogue()
    assert [tier for _, tier in await home.reached()] == [50, 75, 100]
    budget = await home.change(budget, amount="150.00")
    assert len(await home.reached()) == 3
    await home.spend("2024-04-03", "20.00")
    await home.catalogue()
    assert [tier for _, tier in await home.reached()][3:] == [75], "50 is reached all the time, 100 is not"
    budget = await home.change(budget, amount="120.00")
    assert [tier for _, tier in await home.reached()][4:] == [100]
    await home.change(budget, amount="119.00")
    await home.change(budget, amount="118.00", name="Other")
    assert len(await home.reached()) == 5


async def nothing_available_and_something_spent_reaches_all(home: Home) -> None:
    await home.add("0.00")
    await home.catalogue()
    assert await home.reached() == []
    await home.spend("2024-04-02", "0.01")
    await home.catalogue()
    assert [tier for _, tier in await home.reached()] == [75, 90, 100]


async def late_entries_count_for_alerts_and_old_periods_do_not(home: Home) -> None:
    await home.spend("2024-03-10", "100.00")
    await home.add(tiers=[100])
    await home.catalogue()
    assert await home.reached() == [], "March had ended when the budget was created"
    await home.set_day("2024-05-10")
    await home.spend("2024-04-10", "100.00")
    await home.catalogue()
    assert await home.reached() == [("2024-04-01", 100)], "April is over, and was booked late"
    await home.set_day("2024-12-10")
    await home.spend("2024-06-10", "100.00")
    await home.spend("2024-11-10", "100.00")
    await home.catalogue()
    assert (await home.reached())[1:] == [("2024-06-01", 100), ("2024-11-01", 100)], "since the last look"
    await home.spend("2024-09-10", "100.00")
    await home.catalogue()
    assert len(await home.reached()) == 3, "September ended more than 35 days before the last look"


async def used_labels_are_not_deleted(home: Home) -> None:
    bakery = await home.add_category("Bakery", "groceries")
    other = await home.add_category("Other", "groceries")
    budget = await home.add(category_ids=[bakery], items=[{"category_id": other, "amount": "1.00"}])
    for label in (bakery, other):
        answer = await home.client.delete(f"/categories/{label}")
        assert answer.status_code == 409
        assert problem(answer, "label_in_use")["uses"]["budgets"] == 1
    await home.change(budget, category_ids=[], items=[])
    for label in (bakery, other):
        assert (await home.client.delete(f"/categories/{label}")).status_code == 204


async def items_categories_and_wallets_are_checked(home: Home) -> None:
    other = home.api.user()
    await other.post("/books", {"base_currency": "EUR"})
    theirs = (await other.get("/categories")).json()["items"][1]["label_id"]
    wallet = (await other.wallet(currency="EUR"))["wallet_id"]
    base = {"name": "x", "amount": "10.00", "period": "monthly", "start_date": "2024-01-01"}

    async def refused(code: str, **members: object) -> dict[str, object]:
        return problem(await home.client.post("/budgets", base | members), code)

    assert (await refused("label_not_found", category_ids=[theirs]))["label_id"] == theirs
    await refused("label_not_found", items=[{"category_id": theirs, "amount": "1"}])
    assert (await refused("wallet_not_found", wallet_ids=[wallet]))["wallet_id"] == wallet
    for members, pointer in (
        ({"category_ids": [home.category("expense"), home.category("salary")]}, "/category_ids/1"),
        ({"items": [{"category_id": home.category("own_transfers"), "amount": "1"}]}, "/items/0/category_id"),
    ):
        errors = (await refused("validation_failed", **members))["errors"]
        assert isinstance(errors, list)
        assert [each["pointer"] for each in errors] == [pointer]
    assert (await refused("amount_precision", amount="1.001"))["exponent"] == 2
    await refused("amount_precision", carry="full", carry_cap="1.001")
    await refused("amount_precision", items=[{"category_id": home.category("rent"), "amount": "1.001"}])
    await refused("currency_unknown", currency="EURO")


CHECKS: Final[dict[str, Check]] = {
    check.__name__: check
    for check in (
        the_carry_of_g11,
        spent_is_net_of_refunds_in_their_month_g16,
        only_expenses_count_with_what_is_under_a_category,
        merges_and_moves_are_followed_when_read,
        chosen_wallets_alone_count,
        days_count_from_the_start_to_the_end,
        a_cut_period_is_whole_or_by_days,
        each_day_has_its_rate_and_a_sum_is_rounded_once,
        what_has_no_rate_is_left_out_and_shown,
        a_stale_rate_is_named,
        a_part_counts_for_the_nearest_item,
        periods_are_those_of_the_book,
        a_tier_is_one_event,
        a_higher_amount_re_arms_what_is_not_reached,
        nothing_available_and_something_spent_reaches_all,
        late_entries_count_for_alerts_and_old_periods_do_not,
        used_labels_are_not_deleted,
        items_categories_and_wallets_are_checked,
    )
}
