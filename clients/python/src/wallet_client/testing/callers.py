"""Who calls FakeWallet: a service with a key, or a user with a token."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from wallet_client.testing.problems import Refusal

LEEWAY_S = 30
LONGEST_NAME = 255
NEVER = 253402300799
"""The last second that there is."""

_NO_USERS = ("anon", "service_role", "supabase_admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller.

    Attributes:
        client_id: owns idempotency keys, and what is posted says it.
        user_id: the user, whose own wallets are all that is there; None for a service, which may do everything.
    """

    client_id: str
    user_id: str | None = None

    def require_user(self, user_id: str) -> None:
        """Refuse a user who asks for another user's things."""
        if self.user_id not in (None, user_id):
            raise Refusal("wallet_not_found")

    def refuse_user(self, detail: str) -> None:
        """Refuse any user."""
        if self.user_id is not None:
            raise Refusal("forbidden", detail)


def caller_of(authorization: str | None, client_id: str, now: datetime) -> Caller:
    """The caller behind the header; ``client_id`` where it is a key, and any text is one that is no token.

    Raises:
        Refusal: ``unauthorized``.
    """
    if authorization is None:
        raise Refusal("unauthorized", "Send one header Authorization: Bearer <key or token>")
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise Refusal("unauthorized", "Send the header Authorization: Bearer <key or token>")
    claims = _claims(credentials.strip())
    return Caller(client_id) if claims is None else _user(claims, now)


def token_of(user_id: str) -> str:
    """A user's token, which nobody signed."""
    claims = {"sub": user_id, "exp": NEVER}
    return ".".join((_encoded({"alg": "none"}), _encoded(claims), "fake"))


def _encoded(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _claims(credentials: str) -> Mapping[str, Any] | None:
    """What a JWT says, whoever signed it; None: it is none."""
    match credentials.split("."):
        case [_, payload, _]:
            try:
                found: Any = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            except (binascii.Error, ValueError):
                return None
            return cast("dict[str, Any]", found) if isinstance(found, dict) else None
        case _:
            return None


def _user(claims: Mapping[str, Any], now: datetime) -> Caller:
    subject, expires, issuer = claims.get("sub"), claims.get("exp"), claims.get("iss", "")
    if not isinstance(expires, int | float) or not isinstance(subject, str):
        raise Refusal("unauthorized")
    if expires <= now.timestamp() - LEEWAY_S:
        raise Refusal("unauthorized", "The token has expired")
    if claims.get("role") in _NO_USERS or not _is_name(subject):
        raise Refusal("unauthorized", "The token names no user")
    if issuer != "" and (not _is_name(issuer) or "|" in issuer):
        raise Refusal("unauthorized", "The token names no user")
    return Caller(f"user:{issuer}|{subject}", subject)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME and value.isprintable()
