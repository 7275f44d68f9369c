"""Each rule of budgets holds."""

import pytest
from conftest import FreshDatabase

from .budget_checks import CHECKS
from .home import Home


@pytest.mark.parametrize("name", CHECKS)
async def test_a_rule_holds(fresh_database: FreshDatabase, name: str) -> None:
    async with Home.on(await fresh_database()) as home:
        await CHECKS[name](home)
