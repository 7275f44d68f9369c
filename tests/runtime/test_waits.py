"""The documented longest waits. tests/platform/web/test_time_limit.py shows that they are held."""

from support.settings import make_settings

from wallet_service.money.opening_balances.room import PATH
from wallet_service.rooms import ROOMS
from wallet_service.runtime.waits import longest_waits


def test_they_follow_the_settings() -> None:
    settings = make_settings(request_timeout_ms=3000, database_timeout_ms=1000)
    waits = {wait.routes: (wait.postgres_ms, wait.supabase_ms) for wait in longest_waits(settings, ROOMS)}
    assert waits == {
        "`/health/live`": (0, 0),
        "`/health`, `/health/ready`": (1000, 1000),
        "every other route": (3000, 3000),
        "a history as CSV": (3000, 3000),
        f"`{PATH}`": (None, None),
    }


def test_no_part_is_longer_than_the_whole() -> None:
    settings = make_settings(request_timeout_ms=3000, database_timeout_ms=20_000)
    assert max(wait.postgres_ms or 0 for wait in longest_waits(settings, ROOMS)) == 3000
