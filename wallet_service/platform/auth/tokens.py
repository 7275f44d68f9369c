"""User tokens: JWTs, signed with a shared secret or with a published key of their issuer."""

from dataclasses import dataclass
from typing import Any

import jwt

from wallet_service.core.errors import Unauthorized
from wallet_service.platform.auth.jwks import JwksKeys
from wallet_service.platform.auth.settings import AuthSettings

LEEWAY_S = 30
"""How much the issuer's clock and ours may differ, in seconds."""

LONGEST_NAME = 255

NO_USERS = ("anon", "service_role", "supabase_admin")
"""Values of Supabase's claim ``role`` of tokens that belong to no user."""


@dataclass(frozen=True, slots=True)
class User:
    """The user of a token, and the session in which the issuer signed it, if it names one."""

    user_id: str
    issuer: str
    session_id: str | None = None

    @property
    def client_id(self) -> str:
        """The owner of the user's idempotency keys. Issuers have no ``|``, so it is unique to a user."""
        return f"user:{self.issuer}|{self.user_id}"


_SESSION_CLAIMS = ("sid", "session_id", "jti")


class TokenVerifier:
    """Checks tokens: HS256 against the secret only, RS256, ES256 and EdDSA against published keys only."""

    def __init__(
        self,
        *,
        secret: str | None = None,
        keys: JwksKeys | None = None,
        issuer: str | None = None,
        audience: str | None = None,
    ) -> None:
        self._secret = secret
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    @classmethod
    def from_settings(cls, settings: AuthSettings) -> "TokenVerifier":
        """The verifier of the settings, which must have a secret or a URL of keys."""
        return cls(
            secret=settings.jwt_secret.get_secret_value() if settings.jwt_secret else None,
            keys=JwksKeys(str(settings.jwt_jwks_url)) if settings.jwt_jwks_url else None,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )

    async def verify(self, credentials: bytes) -> User:
        """The user of a token.

        Raises:
            Unauthorized: it is not a valid token, has expired, or belongs to no user.
            Unavailable: the issuer's keys can't be fetched.
        """
        try:
            header = jwt.get_unverified_header(credentials)
            claims = self._claims(credentials, await self._key(header))
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("The token has expired") from error
        except jwt.PyJWTError as error:
            raise Unauthorized from error
        return _user(claims)

    async def close(self) -> None:
        """Close the connections to the issuer."""
        if self._keys is not None:
            await self._keys.close()

    async def _key(self, header: dict[str, Any]) -> jwt.PyJWK | str:
        """The key for a token. The key determines the algorithm; the header only selects the kind of key."""
        if header.get("alg") == "HS256" and self._secret is not None:
            return self._secret
        if header.get("alg") in JwksKeys.ALGORITHMS and self._keys is not None:
            return await self._keys.find(header.get("kid"))
        raise Unauthorized

    def _claims(self, token: bytes, key: jwt.PyJWK | str) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=["HS256"] if isinstance(key, str) else [key.algorithm_name],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
        )


def _user(claims: dict[str, Any]) -> User:
    subject, issuer = claims["sub"], claims.get("iss", "")
    if claims.get("role") in NO_USERS:
        raise Unauthorized("The token names no user")
    if not _is_name(subject) or (issuer != "" and (not _is_name(issuer) or "|" in issuer)):
        raise Unauthorized("The token names no user")
    return User(subject, issuer, _session(claims))


def _session(claims: dict[str, Any]) -> str | None:
    """The session of a token: OpenID Connect's ``sid``, Supabase's ``session_id``, else the token's own ``jti``."""
    return next((claims[name] for name in _SESSION_CLAIMS if _is_name(claims.get(name))), None)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME and value.isprintable()
