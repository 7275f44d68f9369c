"""What the test clock refuses."""

from wallet_service.core.errors import WalletError


class TestClockMissing(WalletError):
    """The database was migrated without `WALLET_TEST_CLOCK=true`, so its clock can't be set."""

    code, status, title = "test_clock_missing", 409, "The database has no test clock"
