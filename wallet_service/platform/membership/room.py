"""What the membership room declares."""

from wallet_service.core.room import Room
from wallet_service.platform.membership.problems import OrganizationUnknown, UserUnknown
from wallet_service.platform.membership.settings import MembershipSettings, find_faults

ROOM = Room(
    name="membership",
    module=__name__,
    summary="whether a user may act on a wallet, which wallets a user sees, verification of new owners",
    settings=MembershipSettings,
    settings_checks=(find_faults,),
    lifespan="lifespan:open_access",
    after_posting=("lifespan:note_debits",),
    problems=(UserUnknown, OrganizationUnknown),
)
