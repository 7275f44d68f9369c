"""FakeWallet answers as the service does: the programs and the oracle of ``test_stateful``, without a database."""

from typing import Any

import httpx
import pytest
import test_stateful
from hypothesis import given
from hypothesis import strategies as st
from support import expected_reads as reads
from support.api import Api
from support.call_sequences import USERS, Call
from support.expectations import Document
from support.oracle import CLIENT, EXPONENTS
from support.soak import search
from wallet_client.testing import FakeWallet
from wallet_client.testing.operations import OPERATION_TYPES

NOT_IN_FAKE_WALLET = (
    "consume_credits",
    "deposit_in_a_job",
    "read_past_balances",
    "read_statistics",
    "read_trial_balance",
)


class Run(test_stateful.Run):
    """A program that runs on FakeWallet, with requests as the client writes them."""

    def __init__(self) -> None:
        self.fake = FakeWallet(client_id=CLIENT)
        super().__init__(cluster=Any, driver="fake", batch_operations=1)

    async def start(self) -> Api:
        http = httpx.AsyncClient(transport=self.fake, base_url="http://wallet")
        return Api(app=Any, http=await self.stack.enter_async_context(http))

    def operation(self, drawn: Document, key: str | None) -> Document:
        """Amounts are text, and its types of operations are fewer."""
        if drawn["type"] not in OPERATION_TYPES:
            drawn = {"type": "deposit", "amount": "1", "wallet": drawn.get("wallet", 0)}
        operation = super().operation(drawn, key)
        return operation | ({"amount": str(operation["amount"])} if "amount" in operation else {})

    def make(
        self,
        user: str,
        currency: str,
        name: str,
        credit_limit: str | None,
        initial_balance: str | None,
        key: str | None,
        keeping: str | None,
    ) -> None:
        """It has no mirrored wallets."""
        kept = None if keeping == "mirrored" else keeping
        super().make(user, currency, name, credit_limit, initial_balance, key, kept)

    def moving(self, operation: Document, *, in_header: bool = True, dry_run: bool = False) -> Call:
        """The key of a single operation is in the header."""
        del in_header
        return super().moving(operation, in_header=True, dry_run=dry_run)

    def pages(self, path: str, limit: int, **query: Any) -> list[Document]:
        """A list comes in one page."""
        page = self.get(path, limit=limit, **query)
        assert page["next_cursor"] is None
        return page["items"]

    def read_histories(self, limit: int, place: int, filters: Document) -> None:
        """Histories have no filters, and one order."""
        del filters
        wallets = list(self.oracle.wallets)
        wallet_id, user = wallets[place % len(wallets)], USERS[place % len(USERS)]
        of_wallet = reads.entries(self.oracle, wallet_id=wallet_id)
        assert self.pages(f"/wallets/{wallet_id}/transactions", limit) == of_wallet
        of_user = reads.entries(self.oracle, user_id=user)
        assert self.pages(f"/users/{user}/transactions", limit) == of_user
        document = list(self.oracle.documents.values())[place % len(self.oracle.documents)]
        assert self.get(f"/transactions/{document['transaction_id']}") == document


@pytest.mark.soak
@search(20)
@given(
    currency=st.sampled_from(tuple(EXPONENTS)),
    program=test_stateful.sequences(*NOT_IN_FAKE_WALLET),
)
def test_programs(currency: str, program: list[tuple[str, Document]]) -> None:
    running = Run()
    try:
        running.begin(currency)
        for name, drawn in program:
            getattr(running, name)(**drawn)
            running.wallets_are_as_expected()
    finally:
        running.close_all()
