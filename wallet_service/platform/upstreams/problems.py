"""The room's problem."""

from wallet_service.core.errors import WalletError


class UpstreamUnavailable(WalletError):
    """An upstream service that the request needs does not respond. Nothing was done."""

    code, status, title = "upstream_unavailable", 503, "Upstream service unavailable"
    retryable = True
    retry_after_s = 5
    is_logged = False  # UpstreamClient logs it, without ids of users
