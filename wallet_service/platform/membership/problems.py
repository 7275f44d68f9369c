"""The room's problems."""

from wallet_service.core.errors import WalletError


class UserUnknown(WalletError):
    """The account service does not know the user, so no wallet is created."""

    code, status, title = "user_unknown", 422, "Unknown user"


class OrganizationUnknown(WalletError):
    """The organization service does not know the organization, so no wallet is created."""

    code, status, title = "organization_unknown", 422, "Unknown organization"
