"""FakeWallet answers as the service does: the programs and the oracle of ``test_stateful``, without a database."""

from typing import Any

import httpx
import pytest
import test_stateful
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.api import Api
from support.foretold import Document
from support.oracle import CLIENT, EXPONENTS
from wallet_client.testing import FakeWallet

EXAMPLES = test_stateful.EXAMPLES


class Run(test_stateful.Run):
    """A program that runs on FakeWallet."""

    def __init__(self) -> None:
        self.fake = FakeWallet(client_id=CLIENT)
        super().__init__(cluster=Any, driver="fake", batch_operations=1)

    async def start(self) -> Api:
        http = httpx.AsyncClient(transport=self.fake, base_url="http://wallet")
        return Api(app=Any, http=await self.stack.enter_async_context(http))

    def the_books_are_right(self) -> None:
        self.fake.check()


@settings(
    max_examples=EXAMPLES or 12,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
@given(
    currency=st.sampled_from(tuple(EXPONENTS)),
    program=st.lists(
        st.one_of(test_stateful.STEPS_OF_A_PROGRAM),
        min_size=test_stateful.STEPS,
        max_size=test_stateful.STEPS,
    ),
)
def test_programs(currency: str, program: list[tuple[str, Document]]) -> None:
    running = Run()
    try:
        running.begin(currency)
        for name, drawn in program:
            getattr(running, name)(**drawn)
            running.wallets_are_as_foretold()
        running.the_books_are_right()
    finally:
        running.close_all()


def test_the_check_finds_a_wrong_balance() -> None:
    running = Run()
    try:
        running.begin("USD")
        wallet = next(iter(running.fake._store.wallets.values()))
        wallet.balance += 1
        with pytest.raises(AssertionError, match="books are wrong"):
            running.the_books_are_right()
    finally:
        running.close_all()
