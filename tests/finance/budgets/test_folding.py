"""The pure parts of budgets in SQL: periods, carry, tiers, projection; each against the same rule in Python."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BOOK = "row(null, null, null, 'EUR', 'UTC', $4::smallint, $5::smallint, $6::smallint, 1, now(), now())::finance.books"
KINDS = ("day", "week", "month", "quarter", "year")


def fold(left: list[Decimal], carry: str, cap: Decimal | None) -> list[Decimal]:
    """What each period takes over, one after the other."""
    taken, at = [], Decimal(0)
    for each in left:
        taken.append(at)
        if carry == "none":
            continue
        at += each
        if cap is not None:
            at = min(at, cap)
        if carry == "surplus":
            at = max(at, Decimal(0))
    return taken


@pytest.mark.parametrize(
    ("carry", "cap", "available", "left"),
    [
        ("none", None, (100, 100, 100, 100), (60, -90, 80, 100)),
        ("surplus", None, (100, 160, 100, 180), (60, -30, 80, 180)),
        ("full", None, (100, 160, 70, 150), (60, -30, 50, 150)),
        ("full", 50, (100, 150, 60, 140), (60, -40, 40, 140)),
        ("surplus", 50, (100, 150, 100, 150), (60, -40, 80, 150)),
    ],
)
async def test_carry_of_a_hundred_a_month_g11(
    superuser: asyncpg.Connection,
    carry: str,
    cap: int | None,
    available: tuple[int, ...],
    left: tuple[int, ...],
) -> None:
    spent = (40, 190, 20, 0)
    carries = await superuser.fetchval(
        "select finance.fold_carry($1, $2, $3)", [Decimal(100 - each) for each in spent], carry, cap
    )
    assert tuple(100 + each for each in carries) == available
    assert tuple(each - gone for each, gone in zip(available, spent, strict=True)) == left


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    left=st.lists(st.decimals(-500, 500, places=2), min_size=1, max_size=30),
    carry=st.sampled_from(["none", "surplus", "full"]),
    cap=st.none() | st.decimals(0, 300, places=2),
)
async def test_carry_agrees_with_python(
    superuser: asyncpg.Connection, left: list[Decimal], carry: str, cap: Decimal | None
) -> None:
    found = await superuser.fetchval("select finance.fold_carry($1, $2, $3)", left, carry, cap)
    assert found == fold(left, carry, cap)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("start", "week", "year"), [(1, 1, 1), (25, 7, 4), (31, 3, 12)])
async def test_listed_periods_are_those_of_each_day(
    superuser: asyncpg.Connection, kind: str, start: int, week: int, year: int
) -> None:
    first, last = date(2023, 11, 29), date(2025, 3, 2)
    rows = await superuser.fetch(
        f"select * from finance.list_book_periods($1, $2, $3, {BOOK})", kind, first, last, start, week, year
    )
    listed = [(row["first_day"], row["next_day"]) for row in rows]
    assert all(one[1] == other[0] for one, other in pairwise(listed)), "without a gap"
    single = await superuser.fetch(
        f"select distinct lower(p) as first_day, upper(p) as next_day from generate_series(0, $3::date - $2::date) n,"
        f" lateral finance.find_book_period($1, $2::date + n, {BOOK}) p order by 1",
        kind,
        first,
        last,
        start,
        week,
        year,
    )
    assert listed == [(row["first_day"], row["next_day"]) for row in single]


async def test_periods_of_a_book_that_begins_its_months_on_the_31st_g12(
    superuser: asyncpg.Connection,
) -> None:
    rows = await superuser.fetch(
        f"select first_day from finance.list_book_periods($1, $2, $3, {BOOK})",
        "month",
        date(2024, 2, 15),
        date(2024, 3, 31),
        31,
        1,
        1,
    )
    assert [row["first_day"] for row in rows] == [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]


@pytest.mark.parametrize(
    ("tier", "spent", "available", "reached"),
    [
        (75, "74.99", "100", False),
        (75, "75", "100", True),
        (100, "99.999", "100", False),
        (100, "100", "100", True),
        (100, "0.01", "0", True),
        (100, "0", "0", False),
        (75, "0", "-10", False),
        (75, "0.01", "-10", True),
        (75, "-5", "-10", False),
        (1, "-5", "100", False),
    ],
)
async def test_a_tier_is_reached(
    superuser: asyncpg.Connection, tier: int, spent: str, available: str, reached: bool
) -> None:
    found = await superuser.fetchval(
        "select finance.is_tier_reached($1, $2, $3)", tier, Decimal(spent), Decimal(available)
    )
    assert found is reached


async def test_the_projection_g15(superuser: asyncpg.Connection) -> None:
    projected = await superuser.fetchval("select finance.project_spending(1130.00, 950.00, 120.00, 10, 31)")
    assert projected == Decimal("1628.00")
    assert await superuser.fetchval("select finance.project_spending(0, 0, 0, 0, 31)") == 0
    row = await superuser.fetchrow(
        "select p ->> 'daily_average' as average, p ->> 'projected' as projected, (p ->> 'day')::int as day,"
        " (p ->> 'on_track')::boolean as on_track from finance.format_pace(row(null, date '2026-01-01',"
        " date '2026-02-01', 3503, 0, 1130.00, true, null, null)::finance.budget_figures, date '2026-01-10', 2) p"
    )
    assert row is not None
    # Both recurring terms are 0 until there is a room for them: 1130 + 113 * 21.
    assert tuple(row) == ("113.00", "3503.00", 10, True)


@pytest.mark.parametrize("days", [-1, 0, 30, 31, 45])
async def test_the_day_of_a_period_that_is_under_way(superuser: asyncpg.Connection, days: int) -> None:
    pace = await superuser.fetchrow(
        "select (p ->> 'day')::int as day, p ->> 'daily_average' as average from finance.format_pace("
        "row(null, date '2026-01-01', date '2026-02-01', 0, 0, 62, true, null, null)::finance.budget_figures, $1, 2) p",
        date(2026, 1, 1) + timedelta(days=days),
    )
    assert pace is not None
    day = min(max(days + 1, 0), 31)
    assert pace["day"] == day
    wanted = None if day == 0 else f"{(Decimal(62) / day).quantize(Decimal('0.01'))}"
    assert pace["average"] == wanted
