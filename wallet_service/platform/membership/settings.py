"""Whether users are verified, and what happens if that is impossible."""

from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import Field

from wallet_service.core.settings import Dependency, RoomSettings, Settings
from wallet_service.platform.consul.settings import ConsulSettings
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.upstreams.settings import UpstreamSettings


class MembershipSettings(RoomSettings):
    """The policy of access checks."""

    verify_users: bool = Field(
        default=False,
        description="check that the owner of a new wallet exists, and that a user may act on an organization's "
        "wallet, with the account and organization services. Outside development it needs "
        "`WALLET_CONSUL_URL` or `WALLET_ACCOUNT_URL`",
    )
    upstream_unavailable_policy: Literal["allow", "deny"] | None = Field(
        default=None,
        description="what happens while these services are unavailable. Not set: existing wallets work, no new wallet is "
        "created (503). `allow`: new wallets are created, as unverified, and their users "
        "are checked within a minute after their next debit. `deny`: users also can't act on organizations' "
        "wallets (503). [Why](decisions/0010-user-and-membership-checks.md)",
    )

    DEPENDENCIES: ClassVar = (
        Dependency(
            (
                *("WALLET_UPSTREAM_UNAVAILABLE_POLICY", "WALLET_ACCOUNT_URL", "WALLET_ORGANIZATION_URL"),
                *("WALLET_UPSTREAM_TIMEOUT_MS", "WALLET_UPSTREAM_SET_ASIDE_MS"),
            ),
            "WALLET_VERIFY_USERS",
            lambda settings: settings[MembershipSettings].verify_users,
        ),
    )


def find_faults(settings: Settings) -> Iterable[str]:
    """Users can be verified only if an account service can be found."""
    findable = (
        settings[ConsulSettings].url is not None
        or settings[UpstreamSettings].account_url is not None
        or settings[DatabaseSettings].is_development
    )
    if settings[MembershipSettings].verify_users and not findable:
        yield "WALLET_VERIFY_USERS needs WALLET_CONSUL_URL or WALLET_ACCOUNT_URL"
