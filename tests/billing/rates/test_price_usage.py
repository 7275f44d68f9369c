"""Prices: the arithmetic of the kernel against the model, with random tiers and quantities."""

import json
import random
from collections.abc import Iterator
from decimal import Context, Decimal, localcontext

import asyncpg
import pytest

from .rates_model import Price, Tier, exact, rounded

PRICE = """
select (p).exact, (p).included, (p).billed, (p).priced, (p).lines from (select billing.price_usage(
  billing.normalize_price($1::jsonb), $2::numeric, $3::numeric,
  row(null, null, null, null, null, 0, $4::numeric, $5::numeric, false)::billing.usage_counter, $6) as p) s
"""


@pytest.fixture(autouse=True)
def exact_decimals() -> Iterator[None]:
    with localcontext(Context(prec=120)):
        yield


def a_number(random_: random.Random, *, zero: bool = True) -> Decimal:
    digits = random_.choice((0, 0, 1, 3, 9, 18))
    number = random_.randint(0 if zero else 1, random_.choice((3, 40, 10**6, 10**18)))
    return Decimal(number).scaleb(-digits)


def a_price(random_: random.Random, model: str) -> Price:
    included = random_.choice((Decimal(0), Decimal(0), a_number(random_)))
    if model == "per_unit":
        return Price(model, included, a_number(random_))
    if model == "package":
        return Price(model, included, a_number(random_), a_number(random_, zero=False))
    bounds = sorted({a_number(random_, zero=False) for _ in range(random_.randint(0, 4))})
    tiers = [
        Tier(up_to, a_number(random_), random_.choice((Decimal(0), a_number(random_))))
        for up_to in (*bounds, None)
    ]
    return Price(model, included, tiers=tuple(tiers))


def quantities(random_: random.Random, price: Price) -> list[Decimal]:
    """Quantities of a month that often end exactly at a bound."""
    bounds = [each.up_to + price.included for each in price.tiers if each.up_to is not None]
    ends = sorted(
        [a_number(random_) for _ in range(random_.randint(1, 5))]
        + random_.sample(bounds, random_.randint(0, len(bounds)))
    )
    return [end - begin for begin, end in zip([Decimal(0), *ends], ends, strict=False)]


@pytest.mark.parametrize("pricing", ["reached", "difference"])
@pytest.mark.parametrize("model", ["per_unit", "package", "graduated", "volume"])
async def test_a_month_costs_what_the_model_says(
    superuser: asyncpg.Connection, model: str, pricing: str
) -> None:
    random_ = random.Random(f"{model} {pricing}")  # noqa: S311  # a test's data
    for _ in range(60):
        price = a_price(random_, model)
        document = json.dumps(price.document())
        before = billed = priced = Decimal(0)
        for quantity in quantities(random_, price):
            row = await superuser.fetchrow(PRICE, document, quantity, before, billed, priced, pricing)
            assert row is not None
            assert row["exact"] == exact(price, before, quantity, pricing), (price, before, quantity)
            assert row["included"] + row["billed"] == quantity
            lines = json.loads(row["lines"], parse_float=Decimal)
            assert sum((Decimal(each["amount"]) for each in lines), Decimal(0)) == row["exact"]
            before += quantity
            billed += row["billed"]
            priced = row["priced"]


async def test_however_a_month_is_divided_it_costs_the_same(superuser: asyncpg.Connection) -> None:
    random_ = random.Random(7)  # noqa: S311  # a test's data
    for model in ("per_unit", "package", "graduated"):
        for _ in range(40):
            price = a_price(random_, model)
            document, parts = json.dumps(price.document()), quantities(random_, price)
            sums, before = Decimal(0), Decimal(0)
            for part in parts:
                row = await superuser.fetchrow(
                    PRICE, document, part, before, Decimal(0), Decimal(0), "reached"
                )
                assert row is not None
                sums, before = sums + row["exact"], before + part
            whole = await superuser.fetchrow(
                PRICE, document, before, Decimal(0), Decimal(0), Decimal(0), "reached"
            )
            assert whole is not None
            assert whole["exact"] == sums


@pytest.mark.parametrize(
    ("exact_amount", "amount"), [("0.0000005", "0.000001"), ("-0.0000005", "-0.000001"), ("0.00000049", "0")]
)
def test_the_model_rounds_half_away_from_zero(exact_amount: str, amount: str) -> None:
    assert rounded(Decimal(exact_amount)) == Decimal(amount)
