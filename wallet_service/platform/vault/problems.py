"""Problems of the vault."""

from wallet_service.core.errors import WalletError


class VaultUnavailable(WalletError):
    """The vault has no key, or not the key with which the value was sealed. The operator sets it."""

    code, status, title = "vault_unavailable", 503, "Vault unavailable"
    retryable = True
    retry_after_s = 60
