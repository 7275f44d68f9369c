"""Opens the clients of upstream services, and the membership that uses them."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from wallet_service.core.settings import Settings
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.membership.access import CheckedMembership, Membership
from wallet_service.platform.membership.policy import Policy
from wallet_service.platform.membership.settings import MembershipSettings
from wallet_service.platform.membership.verification import Verification
from wallet_service.platform.upstreams.accounts import AccountClient
from wallet_service.platform.upstreams.client import UpstreamClient
from wallet_service.platform.upstreams.discovery import ACCOUNT, ORGANIZATION, Discovery
from wallet_service.platform.upstreams.metrics import UpstreamMetrics
from wallet_service.platform.upstreams.organizations import OrganizationClient
from wallet_service.platform.upstreams.settings import UpstreamSettings
from wallet_service.platform.upstreams.tracing import CallSpans


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of upstream services that are called, and the membership that uses them."""

    accounts: AccountClient
    organizations: OrganizationClient
    membership: Membership


@asynccontextmanager
async def open_clients(
    settings: Settings,
    database: Database,
    discovery: Discovery,
    metrics: UpstreamMetrics | None = None,
    spans: CallSpans | None = None,
) -> AsyncGenerator[Clients]:
    """The clients of the settings. Nothing is sent before the first request. Close the ledger first."""
    metrics = metrics or UpstreamMetrics()

    def client(service: str) -> UpstreamClient:
        timeout_s = settings[UpstreamSettings].upstream_timeout_ms / 1000
        return UpstreamClient(service, discovery, timeout_s=timeout_s, metrics=metrics, spans=spans)

    async with AsyncExitStack() as stack:
        accounts = AccountClient(client(ACCOUNT))
        stack.push_async_callback(accounts.close)
        organizations = OrganizationClient(client(ORGANIZATION))
        stack.push_async_callback(organizations.close)
        policy = Policy(accounts, organizations, settings[MembershipSettings].upstream_unavailable_policy)
        membership = CheckedMembership(database, policy, Verification(database, policy))
        stack.push_async_callback(membership.close)
        yield Clients(accounts, organizations, membership)
