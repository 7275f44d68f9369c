"""The public keys of an issuer of user tokens (JWKS), fetched when needed and cached."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import httpx
import jwt
import structlog

from wallet_service.core.errors import Unauthorized, Unavailable

TIMEOUT_S = 3.0
FRESH_S = 600.0
"""After this time the keys are fetched again, in seconds."""
USABLE_S = 3600.0
"""How long keys are used while the issuer is unavailable."""
PAUSE_S = 30.0
"""The shortest time between two fetches, so that tokens with invented key ids cause few requests."""
RETRY_S = 1.0
"""The shortest time after a fetch that failed."""
LARGEST_BYTES = 262_144

_ALGORITHM_OF: Mapping[tuple[str, str | None], str] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""The algorithm by key type and curve. A symmetric key (``oct``) in a published set is never used."""

_log = structlog.get_logger()


class JwksKeys:
    """Public keys by id."""

    ALGORITHMS: ClassVar[tuple[str, ...]] = tuple(_ALGORITHM_OF.values())

    def __init__(
        self,
        url: str,
        *,
        client: httpx.AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: Mapping[str | None, jwt.PyJWK] = {}
        self._fetched_at = self._attempted_at = -USABLE_S
        self._failed = False

    async def find(self, key_id: str | None) -> jwt.PyJWK:
        """The key with this id. None means the only key, if the set has one key.

        Raises:
            Unauthorized: the issuer has no such key.
            Unavailable: the keys can't be fetched.
        """
        if not self._is_current(key_id):
            async with self._lock:
                if not self._is_current(key_id) and self._may_fetch():
                    await self._fetch()
        usable = self._clock() - self._fetched_at < USABLE_S
        if usable and (key := self._keys.get(key_id)):
            return key
        if self._failed or not usable:
            raise Unavailable("The keys of the issuer of tokens can't be fetched")
        raise Unauthorized

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _is_current(self, key_id: str | None) -> bool:
        return key_id in self._keys and self._clock() - self._fetched_at < FRESH_S

    def _may_fetch(self) -> bool:
        return self._clock() - self._attempted_at >= (RETRY_S if self._failed else PAUSE_S)

    async def _fetch(self) -> None:
        started, self._failed = self._clock(), True  # until it has succeeded: its request may be cancelled
        try:
            # The timeout of httpx is for one read; this one is for the whole response, however slowly it arrives.
            async with asyncio.timeout(TIMEOUT_S):
                self._keys = _usable_keys(await self._download())
            self._fetched_at, self._failed = started, False
        except (httpx.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            _log.warning("jwks_unavailable", reason=f"{type(error).__name__}: {error}")
        finally:
            # At its end, or the requests that wait for this fetch would fetch one after the other.
            self._attempted_at = started if not self._failed else self._clock()

    async def _download(self) -> Any:
        body = bytearray()
        async with self._client.stream("GET", self._url, headers={"Accept": "application/json"}) as response:
            if not response.is_success:
                raise ValueError(f"the response has status {response.status_code}")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BYTES:
                    raise ValueError(f"the response is larger than {LARGEST_BYTES} bytes")
        return json.loads(bytes(body))


def _usable_keys(document: Any) -> Mapping[str | None, jwt.PyJWK]:
    entries: Any = document.get("keys") if isinstance(document, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
    if not isinstance(entries, list):
        raise ValueError("the response is not a set of keys")  # noqa: TRY004  # the same class as other defects
    keys: dict[str | None, jwt.PyJWK] = {}
    found = [key for entry in entries if (key := _usable_key(entry))]  # pyright: ignore[reportUnknownVariableType]  # any JSON
    for key in found:
        keys[key.key_id] = key
    if len(found) == 1:
        keys[None] = found[0]
    elif None in keys:
        del keys[None]
    return keys


def _usable_key(entry: Any) -> jwt.PyJWK | None:
    if not isinstance(entry, dict):
        return None
    members: dict[str, Any] = entry  # pyright: ignore[reportUnknownVariableType]  # any JSON
    curve = members.get("crv")
    algorithm = _ALGORITHM_OF.get((str(members.get("kty")), str(curve) if curve is not None else None))
    if algorithm is None or members.get("use", "sig") != "sig" or members.get("alg", algorithm) != algorithm:
        return None
    try:
        return jwt.PyJWK(members, algorithm)
    except (jwt.PyJWTError, ValueError):
        return None  # an issuer may publish unusable keys; a token with such a key is refused
