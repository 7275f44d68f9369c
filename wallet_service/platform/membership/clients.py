"""Puts the clients and the guard together, and takes them apart."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from wallet_service.core.settings import Settings
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.membership.access import AskingGuard, Guard
from wallet_service.platform.membership.policy import Policy
from wallet_service.platform.membership.verification import Verification
from wallet_service.platform.upstreams.accounts import AccountClient
from wallet_service.platform.upstreams.client import NeighbourClient
from wallet_service.platform.upstreams.discovery import ACCOUNT, ORGANIZATION, PAYMENT, Discovery
from wallet_service.platform.upstreams.metrics import NeighbourMeter
from wallet_service.platform.upstreams.organizations import OrganizationClient
from wallet_service.platform.upstreams.payments import PaymentClient
from wallet_service.platform.upstreams.tracing import CallSpans


@dataclass(frozen=True, slots=True)
class Clients:
    """Who can be asked, and the guard that asks them."""

    accounts: AccountClient
    organizations: OrganizationClient
    payments: PaymentClient
    guard: Guard


@asynccontextmanager
async def open_clients(
    settings: Settings,
    database: Database,
    discovery: Discovery,
    meter: NeighbourMeter | None = None,
    spans: CallSpans | None = None,
) -> AsyncGenerator[Clients]:
    """The clients of the settings; nobody is asked before the first question. Close the ledger first."""
    meter = meter or NeighbourMeter()

    def client(service: str) -> NeighbourClient:
        timeout_s = settings.neighbour_timeout_ms / 1000
        return NeighbourClient(service, discovery, timeout_s=timeout_s, meter=meter, spans=spans)

    async with AsyncExitStack() as stack:
        accounts = AccountClient(client(ACCOUNT))
        stack.push_async_callback(accounts.close)
        organizations = OrganizationClient(client(ORGANIZATION))
        stack.push_async_callback(organizations.close)
        payments = PaymentClient(client(PAYMENT))
        stack.push_async_callback(payments.close)
        policy = Policy(accounts, organizations, settings.on_neighbour_down)
        guard = AskingGuard(database, policy, Verification(database, policy))
        stack.push_async_callback(guard.close)
        yield Clients(accounts, organizations, payments, guard)
