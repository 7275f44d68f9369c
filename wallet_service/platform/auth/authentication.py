"""Who is calling: a service's key, the operator's key, or a user's token; and what each may do."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from uuid import UUID

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from wallet_service.core.errors import Forbidden, Unauthorized, WalletNotFound
from wallet_service.core.settings import Settings
from wallet_service.platform.auth.keys import PREFIX, KeyRing
from wallet_service.platform.auth.scopes import USER_SCOPES, Scope
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.rate_limits.limiter import Limiter

if TYPE_CHECKING:
    from wallet_service.platform.auth.tokens import TokenVerifier

LONGEST_CREDENTIALS = 8192


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credentials were checked.

    Attributes:
        client_id: owns idempotency keys: a client's name, which survives a new key, or ``user:<iss>|<sub>``.
        user_id: the user, whose own wallets are all that is seen; None for a service.
        scopes: what the caller may do; ``admin`` includes the others.
    """

    client_id: str
    user_id: str | None
    scopes: frozenset[str]

    @property
    def is_user(self) -> bool:
        """Whether this is a user's token rather than a service's key."""
        return self.user_id is not None

    @property
    def log_name(self) -> str:
        """The client's name for the log; users are not named there."""
        return "user" if self.is_user else self.client_id

    def require(self, scope: Scope) -> None:
        """Refuse when the scope is not among the caller's.

        Raises:
            Forbidden: names the scope.
        """
        if scope not in self.scopes and "admin" not in self.scopes:
            raise Forbidden(f"This needs the scope {scope}", scope=scope)

    def require_user(self, user_id: str) -> None:
        """Refuse a user who asks for another user's things: for them these are not there.

        Raises:
            WalletNotFound: as for a user who has no wallet.
        """
        if self.user_id is not None and self.user_id != user_id:
            raise WalletNotFound


class Authenticator:
    """ConcurrencyLimit the header ``Authorization`` into a Principal."""

    def __init__(self, keys: KeyRing, tokens: "TokenVerifier | None", admin_key: str | None) -> None:
        self._keys = keys
        self._tokens = tokens
        self._admin_digest = _digest(admin_key.encode()) if admin_key is not None else None

    @classmethod
    def from_settings(cls, settings: Settings, database: Database) -> "Authenticator":
        """The authenticator that the settings describe."""
        admin_key = settings.admin_key.get_secret_value() if settings.admin_key else None
        tokens = None
        if settings.jwt_secret is not None or settings.jwt_jwks_url is not None:
            # Its imports, cryptography among them, are for those only whose users call.
            from wallet_service.platform.auth.tokens import TokenVerifier  # noqa: PLC0415

            tokens = TokenVerifier.from_settings(settings)
        return cls(KeyRing(database, ttl_s=settings.key_cache_ms / 1000), tokens, admin_key)

    async def principal(self, authorization: Sequence[bytes]) -> Principal:
        """The caller behind the values of the header.

        Raises:
            Unauthorized: no credentials, or wrong, expired or revoked ones.
            Unavailable: they can't be checked now.
        """
        credentials = _bearer(authorization)
        # Digests have one length, so the comparison tells nothing of the key's.
        if self._admin_digest and hmac.compare_digest(_digest(credentials), self._admin_digest):
            return Principal("admin", None, frozenset({"admin"}))
        if credentials.startswith(PREFIX.encode()):
            key = await self._keys.verify(credentials)
            return Principal(key.client_name, None, key.scopes)
        if self._tokens is None:
            raise Unauthorized
        user = await self._tokens.verify(credentials)
        return Principal(user.client_id, user.user_id, USER_SCOPES)

    async def close(self) -> None:
        """Release the connections to the issuer of tokens."""
        if self._tokens is not None:
            await self._tokens.close()


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _bearer(authorization: Sequence[bytes]) -> bytes:
    if len(authorization) != 1:
        raise Unauthorized("Send one header Authorization: Bearer <key or token>")
    scheme, _, credentials = authorization[0].partition(b" ")
    credentials = credentials.strip()
    if scheme.lower() != b"bearer" or not credentials or len(credentials) > LONGEST_CREDENTIALS:
        raise Unauthorized("Send the header Authorization: Bearer <key or token>")
    return credentials


class Access(Protocol):
    """What else decides whether a user may act on a wallet of their own: ``app.state.access``."""

    async def check_access(self, user_id: str, wallet_id: str) -> None:
        """Refuse, or return."""
        ...


class BearerPrincipal(SecurityBase):
    """Dependency and OpenAPI security scheme in one, which spares each request a second and a third dependency.

    Args:
        scope: what the caller must have.
    """

    def __init__(self, scope: Scope | None = None) -> None:
        self.scheme_name = "bearer"
        self.model = HTTPBearerModel(description="A key of a service (`wsk_…`), or a user's JWT.")
        self._scope: Scope | None = scope

    async def __call__(self, request: Request) -> Principal:
        """The caller; found out once per request.

        Raises:
            Unauthorized, Unavailable: as ``Authenticator.principal``.
            Forbidden: they lack the scope, or may not act on the wallet of the path.
            RateLimited: they asked too much of late.
        """
        state: dict[str, Any] = request.scope.setdefault("state", {})
        known: Principal | None = state.get("principal")
        if known is None:
            values = [value for name, value in request.scope["headers"] if name == b"authorization"]
            authenticator: Authenticator = request.app.state.auth
            known = state["principal"] = await authenticator.principal(values)
            limiter: Limiter | None = request.app.state.limiter
            if limiter is not None:
                await limiter.charge(request.scope, known.client_id, "user" if known.is_user else "client")
        if self._scope is not None:
            known.require(self._scope)
        if known.user_id is not None and "wallet_id" in request.path_params:
            await _check_access(request, known.user_id)
        return known


async def _check_access(request: Request, user_id: str) -> None:
    try:
        wallet_id = UUID(request.path_params["wallet_id"])
    except ValueError:
        return  # the route refuses it
    access: Access = request.app.state.access
    await access.check_access(user_id, str(wallet_id))


principal = BearerPrincipal()
"""The dependency ``async (request) -> Principal``. Needs ``app.state.auth``, and ``access`` for wallets."""

Caller = Annotated[Principal, Depends(principal)]
"""Parameter type of an endpoint that anybody with valid credentials may call."""


def requires(scope: Scope) -> Any:
    """Depend on a caller with this scope; the named types below say it for each."""
    return Depends(BearerPrincipal(scope))


WalletReader = Annotated[Principal, requires("wallets:read")]
WalletWriter = Annotated[Principal, requires("wallets:write")]
Spender = Annotated[Principal, requires("transactions:write")]
StatsReader = Annotated[Principal, requires("stats:read")]
Admin = Annotated[Principal, requires("admin")]
