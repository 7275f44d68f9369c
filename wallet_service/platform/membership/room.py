"""Declares the room."""

from wallet_service.core.room import Room
from wallet_service.platform.membership.problems import OrganizationUnknown, UserUnknown
from wallet_service.platform.membership.settings import MembershipSettings, find_faults

ROOM = Room(
    name="membership",
    module=__name__,
    summary="access checks: whether a user may act on a wallet; visibility; verification of owners",
    settings=MembershipSettings,
    settings_checks=(find_faults,),
    lifespan="lifespan:open_membership",
    after_posting=("lifespan:verify_owners",),
    problems=(UserUnknown, OrganizationUnknown),
)
