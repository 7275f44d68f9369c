"""The ledger's test clock, for trying out what time does."""

from datetime import timedelta
from typing import TYPE_CHECKING

from wallet_client._async.runner import AsyncRunner
from wallet_client._call import Moment, change_call, encode, get_call, moment
from wallet_client._responses import test_clock_of

if TYPE_CHECKING:
    from wallet_client.models import TestClock

_ROUTE = "/test-clock"


class AsyncTestClockResource:
    """``client.test_clock``: needs a service with WALLET_TEST_CLOCK, and the operator's key. Never in production."""

    __test__ = False  # pytest does not collect it

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def get(self) -> "TestClock":
        """Read the clock.

        Raises:
            NotFound: the service has no test clock.
        """
        return await self._runner.run(get_call("get_test_clock", _ROUTE, test_clock_of))

    async def set(self, at: Moment) -> "TestClock":
        """Set the clock; it goes on from there, for all callers.

        Args:
            at: with a time zone, and not before what the clock shows.

        Raises:
            NotFound: the service has no test clock.
            TestClockMissing: the database was migrated without it.
            ValidationFailed: the clock is already further.
        """
        body = encode({"moment": moment(at, "at")})
        return await self._runner.run(
            change_call("set_test_clock", "POST", _ROUTE, test_clock_of, body, None)
        )

    async def advance(self, duration: timedelta) -> "TestClock":
        """Advance the clock by whole seconds.

        Args:
            duration: at least a second.

        Raises:
            NotFound: the service has no test clock.
            TestClockMissing: the database was migrated without it.
            ValidationFailed: it is less than a second, or more than ten years.
        """
        body = encode({"advance_s": int(duration.total_seconds())})
        return await self._runner.run(
            change_call("advance_test_clock", "POST", _ROUTE, test_clock_of, body, None)
        )
