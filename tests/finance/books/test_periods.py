"""Days and periods of a book: the given cases, and a walk against the calendar of Python."""

import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


async def period(
    superuser: asyncpg.Connection, kind: str, day: date, start: int = 1, week: int = 1, year: int = 1
) -> tuple[date, date]:
    row = await superuser.fetchrow(
        "select lower(p) as first, upper(p) as last from (select finance.find_book_period($1, $2, "
        "row(null, null, null, 'EUR', 'UTC', $3::smallint, $4::smallint, $5::smallint, 1, now(), now())::finance.books))"
        " f (p)",
        kind,
        day,
        start,
        week,
        year,
    )
    assert row is not None
    return row["first"], row["last"]


@pytest.mark.parametrize(
    ("start", "day", "first", "last"),
    [
        (31, "2024-02-15", "2024-01-31", "2024-02-29"),
        (31, "2024-02-29", "2024-02-29", "2024-03-31"),
        (31, "2024-03-31", "2024-03-31", "2024-04-30"),
        (25, "2026-01-10", "2025-12-25", "2026-01-25"),
        (30, "2023-02-27", "2023-01-30", "2023-02-28"),
        (30, "2023-03-01", "2023-02-28", "2023-03-30"),
        (1, "2026-12-31", "2026-12-01", "2027-01-01"),
    ],
)
async def test_months_begin_on_a_day_or_the_last_one_g12(
    superuser: asyncpg.Connection, start: int, day: str, first: str, last: str
) -> None:
    found = await period(superuser, "month", date.fromisoformat(day), start)
    assert found == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("kind", "start", "year", "day", "first", "last"),
    [
        ("quarter", 1, 1, "2026-06-30", "2026-04-01", "2026-07-01"),
        ("quarter", 1, 2, "2026-01-31", "2025-11-01", "2026-02-01"),
        ("quarter", 31, 12, "2024-02-29", "2023-12-31", "2024-03-31"),
        ("quarter", 31, 11, "2024-02-29", "2024-02-29", "2024-05-31"),
        ("year", 1, 1, "2026-12-31", "2026-01-01", "2027-01-01"),
        ("year", 6, 4, "2026-04-05", "2025-04-06", "2026-04-06"),
        ("year", 6, 4, "2026-04-06", "2026-04-06", "2027-04-06"),
        ("year", 31, 2, "2024-02-28", "2023-02-28", "2024-02-29"),
        ("day", 31, 2, "2024-02-28", "2024-02-28", "2024-02-29"),
    ],
)
async def test_quarters_and_years_begin_in_the_month_of_the_book(
    superuser: asyncpg.Connection, kind: str, start: int, year: int, day: str, first: str, last: str
) -> None:
    found = await period(superuser, kind, date.fromisoformat(day), start, year=year)
    assert found == (date.fromisoformat(first), date.fromisoformat(last))


async def test_weeks_begin_on_the_day_of_the_book(superuser: asyncpg.Connection) -> None:
    for number, name in enumerate(DAYS, 1):
        for offset in range(8):
            day = date(2025, 12, 28) + timedelta(days=offset)
            first, last = await period(superuser, "week", day, week=number)
            assert (DAYS[first.weekday()], last - first) == (name, timedelta(days=7))
            assert first <= day < last


@pytest.mark.parametrize("start", [1, 15, 28, 29, 30, 31])
async def test_periods_follow_each_other_without_a_gap(superuser: asyncpg.Connection, start: int) -> None:
    """Each day of five years is in one period of a kind; a period begins where the one before ended; they nest."""
    for kind, months in (("month", 1), ("quarter", 3), ("year", 12)):
        day, begins = date(2023, 1, 1), set[date]()
        while day < date(2028, 1, 1):
            first, last = await period(superuser, kind, day, start, year=3)
            assert first <= day < last
            assert await period(superuser, kind, last - timedelta(days=1), start, year=3) == (first, last)
            assert first.day == min(start, calendar.monthrange(first.year, first.month)[1])
            assert (first.month - 3) % months == 0
            assert (last.year - first.year) * 12 + last.month - first.month == months
            begins.add(first)
            day = last
        assert len(begins) >= 60 // months


async def test_a_kind_that_does_not_exist_is_no_period(superuser: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.RaiseError, match="no kind of period: decade"):
        await period(superuser, "decade", date(2026, 1, 1))


@pytest.mark.parametrize(
    ("at", "zone", "day"),
    [
        ("2026-01-01T03:30:00+00:00", "America/New_York", "2025-12-31"),
        ("2026-03-31T22:30:00+00:00", "Europe/Berlin", "2026-04-01"),
        ("2026-03-31T21:59:59+00:00", "Europe/Berlin", "2026-03-31"),
        ("2026-01-01T00:00:00+00:00", "UTC", "2026-01-01"),
        ("2026-01-01T00:00:00+00:00", "Pacific/Kiritimati", "2026-01-01"),
        ("2025-12-31T10:00:00+00:00", "Pacific/Kiritimati", "2026-01-01"),
    ],
)
async def test_a_moment_has_its_day_in_the_zone_of_the_book_g13(
    superuser: asyncpg.Connection, at: str, zone: str, day: str
) -> None:
    found = await superuser.fetchval("select finance.find_book_day($1, $2)", datetime.fromisoformat(at), zone)
    assert found == date.fromisoformat(day)


async def test_march_in_berlin_has_743_hours_g13(superuser: asyncpg.Connection) -> None:
    first, last = await period(superuser, "month", date(2026, 3, 10))
    length = await superuser.fetchval(
        "select finance.find_day_start($2, $3) - finance.find_day_start($1, $3)", first, last, "Europe/Berlin"
    )
    assert length == timedelta(hours=743)


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlin",
        "America/Havana",
        "Atlantic/Azores",
        "Africa/Cairo",
        "Asia/Beirut",
        "America/Asuncion",
        "UTC",
    ],
)
async def test_a_day_starts_with_its_first_moment(superuser: asyncpg.Connection, zone: str) -> None:
    """Also where clocks skip midnight, or pass it twice."""
    local = ZoneInfo(zone)
    starts = await superuser.fetch(
        "select d::date as day, finance.find_day_start(d::date, $1) as start"
        " from generate_series('2023-01-01'::timestamp, '2025-01-01', '1 day') d",
        zone,
    )
    for row in starts:
        start = row["start"].astimezone(UTC)
        assert start.astimezone(local).date() == row["day"]
        before = start - timedelta(microseconds=1)
        assert before.astimezone(local).date() < row["day"], (zone, row["day"])
