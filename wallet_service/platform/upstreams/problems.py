"""The problem of upstream services."""

from wallet_service.core.errors import WalletError


class UpstreamUnavailable(WalletError):
    """An upstream service that has to be asked first does not answer. Nothing was done."""

    code, status, title = "upstream_unavailable", 503, "Upstream service unavailable"
    retryable = True
    retry_after_s = 5
    is_logged = False  # the client logs each, without ids of users
