"""FakeWallet answers as the service does: the programs and the oracle of ``test_stateful``, without a database."""

from typing import Any

import httpx
import pytest
import test_stateful
from hypothesis import given
from hypothesis import strategies as st
from support.api import Api
from support.call_sequences import Call
from support.expectations import Document
from support.oracle import CLIENT, EXPONENTS
from support.soak import search
from wallet_client.testing import FakeWallet

NOT_IN_FAKE_WALLET = ("consume_credits", "read_past_balances", "read_statistics", "read_trial_balance")


class Run(test_stateful.Run):
    """A program that runs on FakeWallet, with requests as the client writes them."""

    def __init__(self) -> None:
        self.fake = FakeWallet(client_id=CLIENT)
        super().__init__(cluster=Any, driver="fake", batch_operations=1)

    async def start(self) -> Api:
        http = httpx.AsyncClient(transport=self.fake, base_url="http://wallet")
        return Api(app=Any, http=await self.stack.enter_async_context(http))

    def operation(self, drawn: Document, key: str | None) -> Document:
        """Amounts are text."""
        operation = super().operation(drawn, key)
        return operation | ({"amount": str(operation["amount"])} if "amount" in operation else {})

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
        """Histories have no filters."""
        del filters
        super().read_histories(limit, place, {})


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
