"""Calls of the database functions that sum the ledger."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from wallet_service.platform.database.gateway import Database
from wallet_service.platform.membership.visibility import Included, Visibility

_WALLETS_A_CALL = 500
"""Few enough that no call keeps its snapshot for long, even with 999 entries after each last checkpoint."""


@dataclass(frozen=True, slots=True)
class Period:
    """A period of time in the form of the request: RFC 3339 texts, open where None.

    Attributes:
        start: inclusive.
        end: exclusive.
        interval: ``day`` or ``month``: the length of the steps that the period is divided into; None for no steps.
        by: whether the posting time of an entry counts (``posted``) or its effective time (``effective``).
    """

    start: str | None
    end: str | None
    interval: str | None
    by: str = "posted"


class StatisticsRepository:
    """Reads totals. ``viewer``: the user of the request, or None for a client."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_wallet(self, wallet_id: str, viewer: str | None, period: Period) -> bytes:
        """The totals of a wallet in a period."""
        return await self._database.read(
            "read_wallet_statistics",
            wallet_id=wallet_id,
            viewer=viewer,
            **{"from": period.start, "to": period.end, "interval": period.interval, "by": period.by},
        )

    async def of_user(
        self, user_id: str, viewer: str | None, period: Period, visibility: Visibility
    ) -> bytes:
        """The totals of a user's visible wallets in a period."""

        async def read(included: Included) -> bytes:
            return await self._database.read(
                "read_user_statistics",
                user_id=user_id,
                viewer=viewer,
                **{"from": period.start, "to": period.end, "interval": period.interval, "by": period.by},
                **included._asdict(),
            )

        return await visibility.read(read)

    async def of_service(self) -> bytes:
        """Counts and sums of all wallets."""
        return await self._database.read("read_service_stats")

    async def currencies(self) -> bytes:
        """The list of currencies."""
        return await self._database.read("list_currencies")

    async def trial_balance(self) -> tuple[int, dict[tuple[str, str], Decimal]]:
        """The number of wallets, and their sums by currency and account. They are read in parts of 500 wallets."""
        wallets = 0
        balances: dict[tuple[str, str], Decimal] = {}
        after: str | None = None
        while True:
            answer = await self._database.read("read_trial_balance", after=after, limit=_WALLETS_A_CALL)
            part: dict[str, Any] = json.loads(answer)
            for line in part["lines"]:
                key = (line["currency"], line["account"])
                balances[key] = balances.get(key, Decimal(0)) + Decimal(line["balance"])
            wallets += part["wallets"]
            if part["wallets"] < _WALLETS_A_CALL:
                return wallets, balances
            after = part["last"]
