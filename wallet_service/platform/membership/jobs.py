"""The job that verifies the owners of wallets."""

from wallet_service.platform.jobs.context import JobContext
from wallet_service.platform.membership.access import Membership


async def verify_owners(context: JobContext) -> None:
    """Verify the owners of unverified wallets that were debited."""
    membership: Membership = context.state.membership
    await membership.verify_owners(lambda done: context.progress(done, note="wallets checked"))
