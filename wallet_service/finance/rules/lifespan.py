"""Opens the room when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.finance.rules.metrics import RulesMetrics
from wallet_service.finance.rules.repository import RuledEntries
from wallet_service.finance.rules.service import AutomaticRules


@asynccontextmanager
async def open_rules(context: RoomContext) -> AsyncGenerator[None]:
    """Apply rules to what is catalogued, as ``state.automatic_rules``."""
    automatic = AutomaticRules(RuledEntries(context.state.database), RulesMetrics(context.metrics))
    context.state.automatic_rules = automatic
    context.state.cataloguing.followers.append(automatic.follow)
    yield
