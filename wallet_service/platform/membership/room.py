"""Declares the room."""

from wallet_service.core.room import JobType, Room
from wallet_service.platform.membership.problems import OrganizationUnknown, UserUnknown
from wallet_service.platform.membership.settings import MembershipSettings, find_faults

ROOM = Room(
    name="membership",
    module=__name__,
    summary="access checks: whether a user may act on a wallet; visibility; verification of owners",
    settings=MembershipSettings,
    settings_checks=(find_faults,),
    lifespan="lifespan:open_membership",
    jobs=(
        JobType(
            name="verify_owners",
            summary="verifies the owners of unverified wallets that were debited, with `WALLET_VERIFY_USERS`",
            handler="jobs:verify_owners",
            schedule="* * * * *",
            max_attempts=1,  # the next tick is a minute later
            is_on=lambda settings: settings[MembershipSettings].verify_users,
        ),
    ),
    problems=(UserUnknown, OrganizationUnknown),
)
