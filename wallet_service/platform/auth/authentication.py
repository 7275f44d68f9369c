"""Authenticates callers by API key, operator's key or user token, and checks their permissions."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from uuid import UUID

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from wallet_service.core.caller import RecordedCaller, set_caller
from wallet_service.core.errors import Forbidden, Unauthorized, WalletNotFound
from wallet_service.core.room import Permission, Room
from wallet_service.platform.auth.keys import PREFIX, KeyRing, id_of
from wallet_service.platform.auth.permissions import ADMIN, Bundles, names_of
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.auth.settings import AuthSettings
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.rate_limits.address_limit import AddressLimit
from wallet_service.platform.rate_limits.addresses import client_address
from wallet_service.platform.rate_limits.limiter import Limiter

if TYPE_CHECKING:
    from wallet_service.platform.auth.tokens import TokenVerifier

LONGEST_CREDENTIALS = 8192


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credentials were checked.

    Attributes:
        client_id: the owner of idempotency keys: the client's name, or ``user:<iss>|<sub>``.
        user_id: of a user, who sees only wallets of this user; None for a client.
        scopes: permissions, with those that they include; ``admin`` includes all others.
        restriction: what its key is restricted to; None: nothing.
        key_id: of its API key; None for a user, and for the operator's key of the settings.
        session_id: of the user's token, if it names one.
    """

    client_id: str
    user_id: str | None
    scopes: frozenset[str]
    restriction: Restriction | None = None
    key_id: str | None = None
    session_id: str | None = None

    @property
    def is_user(self) -> bool:
        """Whether the caller is a user, with a token, rather than a client, with a key."""
        return self.user_id is not None

    @property
    def is_operator(self) -> bool:
        """Whether the caller has the rights of the operator: it sees the data of every user."""
        return ADMIN.name in self.scopes

    @property
    def log_name(self) -> str:
        """The client's name for the log. Users are not named there."""
        return "user" if self.is_user else self.client_id

    def require(self, permission: Permission) -> None:
        """Refuse a caller without the permission.

        Raises:
            Forbidden: with the permission as a fact.
        """
        if permission.name not in self.scopes and ADMIN.name not in self.scopes:
            raise Forbidden(f"This needs the scope {permission.name}", scope=permission.name)
        if permission.spans_wallets and self.restriction is not None and self.restriction.is_of_wallets:
            raise Forbidden("This is about all wallets, and the key is restricted to some")

    def require_one_of(self, permissions: Sequence[Permission]) -> None:
        """Refuse a caller who has none of the permissions.

        Raises:
            Forbidden: with their names as a fact.
        """
        names = [permission.name for permission in permissions]
        if self.scopes.isdisjoint((*names, ADMIN.name)):
            raise Forbidden(f"This needs one of the scopes {', '.join(names)}", scopes=names)

    def require_user(self, user_id: str) -> None:
        """Refuse a user, or a key that is restricted to a user, that requests data of another user.

        Raises:
            WalletNotFound: as if that user had no wallet.
        """
        only = self.user_id if self.restriction is None else self.restriction.user_id
        if only is not None and only != user_id:
            raise WalletNotFound


class Authenticator:
    """Finds the principal of a header ``Authorization``."""

    def __init__(
        self,
        keys: KeyRing,
        tokens: "TokenVerifier | None",
        admin_key: str | None,
        users_scopes: frozenset[str],
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._users_scopes = users_scopes
        self._admin_digest = _digest(admin_key.encode()) if admin_key is not None else None

    @classmethod
    def from_settings(
        cls, settings: AuthSettings, database: Database, rooms: Sequence[Room]
    ) -> "Authenticator":
        """The authenticator that the settings describe.

        Args:
            settings: the operator's key, and how user tokens are checked.
            database: has the API keys.
            rooms: declare the permissions: which a user token has, and which include others.
        """
        admin_key = settings.admin_key.get_secret_value() if settings.admin_key else None
        tokens = None
        if settings.checks_tokens:
            # Its imports, cryptography among them, are needed only for user tokens.
            from wallet_service.platform.auth.tokens import TokenVerifier  # noqa: PLC0415

            tokens = TokenVerifier.from_settings(settings)
        keys = KeyRing(database, ttl_s=settings.key_cache_ms / 1000, expand=Bundles(rooms).expand)
        return cls(keys, tokens, admin_key, names_of(rooms, users_only=True))

    async def principal(self, authorization: Sequence[bytes], *, known_only: bool = False) -> Principal:
        """The principal with these values of the header.

        Args:
            authorization: the values.
            known_only: refuse what could be checked only with the database: keys that are not known yet.

        Raises:
            Unauthorized: the credentials are missing, wrong, expired or revoked.
            Unavailable: they can't be checked now.
        """
        credentials = _bearer(authorization)
        # Digests have one length, so the time of the comparison does not depend on that of the key.
        if self._admin_digest and hmac.compare_digest(_digest(credentials), self._admin_digest):
            return Principal("admin", None, frozenset({ADMIN.name}))
        if credentials.startswith(PREFIX.encode()):
            key = await self._keys.verify(credentials, known_only=known_only)
            return Principal(key.client_name, None, key.scopes, key.restriction, id_of(credentials))
        if self._tokens is None:
            raise Unauthorized
        user = await self._tokens.verify(credentials)
        return Principal(user.client_id, user.user_id, self._users_scopes, session_id=user.session_id)

    async def present(self, client_id: str, key_id: str | None, user_id: str | None) -> Principal:
        """A caller of an earlier request, with the rights that it has now.

        Args:
            client_id: of the principal.
            key_id: the same.
            user_id: the same. A token is not stored: the user keeps the rights of users while tokens are accepted.

        Raises:
            Unauthorized: its key was revoked or has expired, or such callers are no longer accepted.
            Unavailable: the key can't be read now.
        """
        if key_id is not None:
            key = await self._keys.read(key_id)
            if key.client_name != client_id:
                raise Unauthorized("The key belongs to another client")
            return Principal(client_id, None, key.scopes, key.restriction, key_id)
        if user_id is not None and self._tokens is not None:
            return Principal(client_id, user_id, self._users_scopes)
        if user_id is None and self._admin_digest is not None:
            return Principal("admin", None, frozenset({ADMIN.name}))
        raise Unauthorized("Such callers are no longer accepted")

    def forget_keys(self) -> None:
        """Look up every key again at its next use: the ledger's clock, by which keys expire, was set."""
        self._keys.forget()

    async def close(self) -> None:
        """Close the connections to the issuer of tokens."""
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
    """The access checks of one request. The membership room implements them."""

    async def check(self, wallet_id: str) -> None:
        """Refuse, or return."""
        ...


class BearerPrincipal(SecurityBase):
    """Dependency and OpenAPI security scheme in one, so that a request has one dependency instead of three.

    Args:
        permissions: the caller must have one of them; none for any caller.
    """

    def __init__(self, *permissions: Permission) -> None:
        self.scheme_name = "bearer"
        self.model = HTTPBearerModel(description="A key of a service (`wsk_…`), or a user's JWT.")
        self.permissions = permissions
        self._permission = permissions[0] if len(permissions) == 1 else None

    async def __call__(self, request: Request) -> Principal:
        """The caller, who is authenticated once per request.

        Raises:
            Unauthorized, Unavailable: as ``Authenticator.principal``.
            Forbidden: the caller lacks the permission, or may not act on the wallet of the path.
            RateLimited: the caller has used up its rate limit, or has no valid credentials, and its address has used up
                the limit of such requests.
        """
        state: dict[str, Any] = request.scope.setdefault("state", {})
        known: Principal | None = state.get("principal")
        if known is None:
            known = state["principal"] = await _authenticated(request)
            set_caller(partial(_recorded, request, known))
            limiter: Limiter | None = request.app.state.limiter
            if limiter is not None:
                await limiter.charge(request.scope, known.client_id, "user" if known.is_user else "client")
            for check in request.app.state.caller_checks:
                await check(request.app.state, known)
        self.check_permission(request, known)
        if (
            known.user_id is not None or known.restriction is not None
        ) and "wallet_id" in request.path_params:
            await _check_access(request)
        return known

    def check_permission(self, request: Request, known: Principal) -> None:
        """Refuse a caller who lacks the permission.

        Raises:
            Forbidden: with the permission as a fact.
        """
        del request  # permissions of other endpoints may depend on the application
        if self._permission is not None:
            known.require(self._permission)
        elif self.permissions:
            known.require_one_of(self.permissions)


def _recorded(request: Request, known: Principal) -> RecordedCaller:
    """The caller of a request, for the records of what it changes."""
    user_agent = request.headers.get("user-agent")
    only_user = known.restriction.user_id if known.restriction is not None else None
    return RecordedCaller(
        actor=f"user:{known.user_id}" if known.is_user else f"client:{known.client_id}",
        on_behalf_of=f"user:{only_user}" if only_user is not None else None,
        client_id=known.client_id,
        address=str(client_address(request.scope, request.app.state.trusted_proxies)) or None,
        session_id=known.session_id,
        user_agent=_printable(user_agent),
        request_id=request.scope["state"].get("request_id"),
    )


def _printable(header: str | None) -> str | None:
    """The begin of a header's value. PostgreSQL stores no U+0000, and a reader's terminal runs no control character."""
    return None if header is None else "".join(each if each.isprintable() else "?" for each in header[:200])


async def _authenticated(request: Request) -> Principal:
    values = [value for name, value in request.scope["headers"] if name == b"authorization"]
    authenticator: Authenticator = request.app.state.auth
    limit: AddressLimit | None = request.app.state.address_limit
    if limit is None:
        return await authenticator.principal(values)
    is_used_up = limit.is_used_up(request.scope)
    try:
        return await authenticator.principal(values, known_only=is_used_up)
    except Unauthorized:
        await limit.charge(request.scope, is_used_up=is_used_up)
        raise


async def _check_access(request: Request) -> None:
    try:
        wallet_id = UUID(request.path_params["wallet_id"])
    except ValueError:
        return  # the route refuses it
    access: Access = access_of(request)
    await access.check(str(wallet_id))


def access_of(request: Request) -> Any:
    """The access checks of this request, whose caller is authenticated. One object, which caches its decisions.

    ``app.state.membership`` creates it at the first use.
    """
    state = request.scope["state"]
    if "access" not in state:
        caller: Principal = state["principal"]
        state["access"] = request.app.state.membership.of_caller(caller.user_id, caller.restriction)
    return state["access"]


principal = BearerPrincipal()
"""The dependency ``async (request) -> Principal``. Needs ``app.state.auth``, and ``access`` for wallets."""

Caller = Annotated[Principal, Depends(principal)]
"""Parameter type of an endpoint that every authenticated caller may call."""


def requires(*permissions: Permission) -> Any:
    """Require a caller with one of these permissions. A room defines its parameter types with it."""
    return Depends(BearerPrincipal(*permissions))


Admin = Annotated[Principal, requires(ADMIN)]
