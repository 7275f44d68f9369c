"""Owners that do not exist."""

from wallet_service.core.errors import WalletError


class UserUnknown(WalletError):
    """The account service knows no such user, so the user gets no wallet."""

    code, status, title = "user_unknown", 422, "Unknown user"


class OrganizationUnknown(WalletError):
    """The organization service knows no such organization."""

    code, status, title = "organization_unknown", 422, "Unknown organization"
