"""The SQL functions of the test clock."""

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database


class TestClockRepository:
    """Reads and sets the ledger's clock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> bytes:
        """The clock as JSON."""
        return await self._database.read("read_test_clock")

    async def set(self, moment: str | None, advance_s: int | None) -> bytes:
        """Set the clock to a moment (RFC 3339), or advance it; the clock as JSON.

        Raises:
            TestClockMissing: the database was migrated without a test clock.
            ValidationFailed: the moment is earlier than what the clock shows, or after the year 9999.
        """
        return await self._database.call(
            "set_test_clock", moment=moment, advance_s=advance_s, caller=caller_param()
        )
