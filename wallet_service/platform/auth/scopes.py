"""What callers may do."""

from typing import Literal, TypeAlias, get_args

Scope: TypeAlias = Literal["wallets:read", "wallets:write", "transactions:write", "stats:read", "admin"]

SCOPES: frozenset[str] = frozenset(get_args(Scope))
USER_SCOPES = SCOPES - {"admin"}
"""What a user may do, with their own wallets only: the domain rooms pass ``user_id`` on to SQL."""
