"""The permission of the audit trail."""

from wallet_service.core.room import Permission

AUDIT_READ = Permission(
    "audit:read", "Read the audit trail: who changed and read what, of all users", spans_wallets=True
)
