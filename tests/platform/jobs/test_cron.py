"""Cron expressions, missed ticks and pauses: pure rules."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from support.settings import make_settings

from wallet_service.core.room import JobType, Room
from wallet_service.platform.jobs.backoff import pause_ms
from wallet_service.platform.jobs.cron import CronInvalid, next_tick, ticks
from wallet_service.platform.jobs.types import runnable_types
from wallet_service.rooms import ROOMS

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def at(hour: int, minute: int = 0, day: int = 29) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/5 * * * *", at(12, 5)),
        ("0 0 * * *", at(0, day=30)),
        ("0 12 * * *", at(12, day=30)),  # strictly after
        ("30 3 * * 1-5", at(3, 30, day=30)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_the_next_tick_is_in_utc(expression: str, expected: datetime) -> None:
    assert next_tick(expression, NOON) == expected
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    assert next_tick(expression, elsewhere) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 30 2 *",
        "0 0 31 4,6 *",
        "61 * * * *",
        "* * * * * *",
        "* * * *",
        "@daily",
        "",
        "every minute or so",
    ],
)
def test_what_never_comes_or_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(CronInvalid):
        next_tick(expression, NOON)


def test_ticks_that_were_missed_are_made_up_in_order() -> None:
    found = ticks("0 * * * *", at(9), NOON, 10)
    assert (found.due, found.following, found.skipped) == ([at(9), at(10), at(11), at(12)], at(13), False)
    exact = ticks("0 * * * *", at(9), NOON, 4)
    assert (len(exact.due), exact.skipped) == (4, False)


def test_only_the_latest_are_made_up_after_a_long_outage() -> None:
    found = ticks("* * * * *", datetime(2020, 1, 1, tzinfo=UTC), NOON, 2)
    assert (found.due, found.following, found.skipped) == ([at(11, 59), at(12)], at(12, 1), True)


def test_pauses_double_up_to_the_longest_and_differ() -> None:
    kind = JobType(name="x", summary="", handler="h:h", max_attempts=5, first_pause_s=4, longest_pause_s=10)
    assert [pause_ms(kind, attempt, lambda: 1.0) for attempt in range(1, 6)] == [
        4000,
        8000,
        10000,
        10000,
        None,
    ]
    assert pause_ms(kind, 1, lambda: 0.0) == 3000
    assert pause_ms(kind, 5, lambda: 0.0) is None


def test_a_schedule_that_never_comes_and_a_name_used_twice_stop_the_start() -> None:
    def room(*kinds: JobType) -> Room:
        return Room(name="x", module="support.job_room.room", summary="", jobs=kinds)

    never = JobType(name="never", summary="", handler="handlers:count", schedule="0 0 30 2 *")
    with pytest.raises(CronInvalid, match="30 2"):
        runnable_types([room(never)], make_settings())
    once = JobType(name="once", summary="", handler="handlers:count")
    with pytest.raises(ValueError, match="once"):
        runnable_types([room(once), room(once)], make_settings())
    unknown = JobType(name="unknown", summary="", handler="handlers:count", permission="no:such")
    with pytest.raises(ValueError, match="no:such"):
        runnable_types([room(unknown)], make_settings())


def test_every_type_of_the_rooms_can_run() -> None:
    assert "delete_finished_jobs" in runnable_types(ROOMS, make_settings())
