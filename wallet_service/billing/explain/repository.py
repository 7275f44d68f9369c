"""Calls of the database functions that explain and sum."""

import json
from collections.abc import Mapping
from typing import Any

from wallet_service.platform.database.gateway import Database

_WALLETS_A_CALL = 200
"""Few enough that no call keeps its snapshot for long, even with 999 entries after each last checkpoint. A call takes
fewer where they have many entries."""


class ExplainRepository:
    """Reads what every room of billing has of a wallet, or of all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def explain(self, wallet_id: str, viewer: str | None, start: str | None, at: str | None) -> bytes:
        """The explanation of a balance. ``viewer``: the user of the request, or None for a client."""
        return await self._database.read(
            "read_explanation", wallet_id=wallet_id, viewer=viewer, **{"from": start, "at": at}
        )

    async def summary(self, start: str | None, end: str | None) -> tuple[int, list[Mapping[str, Any]]]:
        """The number of wallets, and the lines of the summary of a period, read in parts of up to 200 wallets."""
        wallets = 0
        lines: list[Mapping[str, Any]] = []
        after: str | None = None
        while True:
            answer = await self._database.read(
                "read_billing_summary", **{"from": start, "to": end}, after=after, limit=_WALLETS_A_CALL
            )
            part: dict[str, Any] = json.loads(answer)
            if part["wallets"] == 0:
                return wallets, lines
            lines += part["lines"]
            wallets += part["wallets"]
            after = part["last"]

    async def exponents(self) -> Mapping[str, int]:
        """The decimals of each currency."""
        found = json.loads(await self._database.read("list_currencies"))
        return {each["code"]: each["exponent"] for each in found["items"]}
