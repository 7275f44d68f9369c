"""Many concurrent requests while a part of the system fails: their responses and their effects."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from support.api import Api, Client
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import verify

REQUESTS = 200
SENDERS = 32
WALLETS = 4
OPENING = 1000

READY_S = 60


async def assert_verified(api: Api) -> None:
    lines: list[str] = []
    assert await verify(api.app.state.database, lines.append), lines


@dataclass
class Load:
    """Requests with keys, sent by concurrent senders, and the responses to each."""

    requests: Sequence[tuple[str, str, dict[str, Any]]]
    wallets: Sequence[str]
    answers: dict[str, list[httpx.Response]] = field(default_factory=dict)

    @classmethod
    def on(cls, wallets: Sequence[str]) -> "Load":
        """Debits and transfers of 1, each with a key."""
        requests = [
            (new_id(), f"/wallets/{wallets[place % WALLETS]}/consume", {"amount": "1"})
            if place % 3
            else (
                new_id(),
                f"/wallets/{wallets[place % WALLETS]}/transfer",
                {"amount": "1", "to_wallet_id": wallets[(place + 1) % WALLETS]},
            )
            for place in range(REQUESTS)
        ]
        return cls(requests, wallets)

    async def send(self, post: Callable[..., Any], at: int | None = None, act: Any = None) -> None:
        """Send each once. ``act`` is called after ``at`` responses. A request without a response is left out."""
        waiting = iter(self.requests)

        async def sender() -> None:
            for key, path, body in waiting:
                try:
                    answer = await post(path, body, key=key)
                except httpx.TransportError:
                    continue
                self.answers.setdefault(key, []).append(answer)
                if at is not None and len(self.answers) == at:
                    act()

        await asyncio.gather(*(sender() for _ in range(SENDERS)))

    @property
    def statuses(self) -> Counter[int]:
        """How many responses have each status."""
        return Counter(answer.status_code for answers in self.answers.values() for answer in answers)

    def assert_posted_or_unavailable(self) -> None:
        """Each response is 201, or ``unavailable`` with Retry-After."""
        for answers in self.answers.values():
            for answer in answers:
                assert answer.status_code == 201 or answer.json()["code"] == "unavailable", answer.text
                assert answer.status_code == 201 or answer.headers["Retry-After"]

    @property
    def posted_ids(self) -> set[str]:
        """The transaction_ids of the responses with 201."""
        return {
            answer.json()["transaction_id"]
            for answers in self.answers.values()
            for answer in answers
            if answer.is_success
        }

    @property
    def expected_total(self) -> Decimal:
        """The sum of the wallets' balances after each request was posted once."""
        return Decimal(WALLETS * OPENING - sum("consume" in path for _, path, _ in self.requests))

    def assert_each_posted_once(self) -> set[str]:
        """Each request got 201 in the end, always with the same bytes. Returns their transaction_ids."""
        names: set[str] = set()
        for key, _, _ in self.requests:
            bytes_of = {answer.content for answer in self.answers[key] if answer.status_code == 201}
            assert len(bytes_of) == 1, self.answers[key]
            names.add(
                next(answer for answer in self.answers[key] if answer.is_success).json()["transaction_id"]
            )
        assert len(names) == len(self.requests)
        return names


async def funded_wallets(admin: Client) -> list[str]:
    return [(await admin.wallet(str(OPENING)))["wallet_id"] for _ in range(WALLETS)]


async def postings_of(admin: Client, wallets: Sequence[str]) -> tuple[set[str], Decimal]:
    """The postings of these wallets without the opening balances, and the sum of the balances."""
    names: set[str] = set()
    for wallet in wallets:
        cursor: dict[str, str] = {}
        while True:
            page = (await admin.get(f"/wallets/{wallet}/transactions", limit=100, **cursor)).json()
            names |= {row["transaction_id"] for row in page["items"] if row["transaction_type"] != "deposit"}
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
    return names, sum([Decimal(await admin.balance(wallet)) for wallet in wallets], Decimal(0))


async def until_ready(api: Api) -> None:
    async with asyncio.timeout(READY_S):
        while not (
            await api.http.get("/health/ready")
        ).is_success:  # the request itself takes time, so this is no busy loop
            pass
