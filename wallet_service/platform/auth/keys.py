"""API keys: ``wsk_<id>_<secret>``. Only hashes are stored; a key is shown once, and revoked within seconds."""

import asyncio
import hashlib
import hmac
import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from wallet_service.core.errors import Unauthorized
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.database.gateway import Database, Json

PREFIX = "wsk_"

MOST_CACHED = 10_000

_KEY = re.compile(rb"wsk_(?P<id>[0-9a-f]{32})_(?P<secret>[A-Za-z0-9_-]{43})")
_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is stored, with the permissions that its scopes include."""

    secret_hash: bytes
    client_name: str
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked: bool
    restriction: Restriction | None


class KeyRing:
    """Checks API keys with the database, and caches each for at most ``ttl_s`` seconds.

    So a revocation takes effect within ``ttl_s``, which counts from the start of a lookup, not from its result.
    """

    def __init__(
        self,
        database: Database,
        ttl_s: float,
        *,
        most_cached: int = MOST_CACHED,
        expand: Callable[[Iterable[str]], frozenset[str]] = frozenset[str],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._ttl_s = ttl_s
        self._expand = expand
        self._clock = clock
        self._now = now
        # Unknown ids have their own cache, so that a caller that invents ids can't displace real ones.
        self._found = _Recent(most_cached)
        self._unknown = _Recent(most_cached)
        self._lookups: dict[str, tuple[float, asyncio.Task[Key | None]]] = {}

    async def verify(self, credentials: bytes, *, known_only: bool = False) -> Key:
        """The key with this id and secret.

        Args:
            credentials: the text of the key.
            known_only: refuse a key that is not in the cache, even if it is older than ``ttl_s``, without asking the
                database.

        Raises:
            Unauthorized: the key does not exist, or it has expired or was revoked.
            Unavailable: the database is unavailable.
        """
        parts = _KEY.fullmatch(credentials)
        if parts is None:
            raise Unauthorized
        key_id, digest = parts["id"].decode(), hashlib.sha256(parts["secret"]).digest()
        if known_only:
            entry = self._found.get(key_id)
            _matching(entry[1] if entry else None, digest)
        return self._valid(_matching(await self._find(key_id), digest))

    async def read(self, key_id: str) -> Key:
        """The key as it is in the database now, for what its client asked for earlier.

        Raises:
            Unauthorized: the key does not exist, or it has expired or was revoked.
            Unavailable: the database is unavailable.
        """
        key = await self._fetch(key_id)
        if key is None:
            raise Unauthorized("The key does not exist")
        return self._valid(key)

    def _valid(self, key: Key) -> Key:
        if key.revoked:
            raise Unauthorized("The key was revoked")
        if key.expires_at is not None and key.expires_at <= self._now():
            raise Unauthorized("The key has expired")
        return key

    async def _find(self, key_id: str) -> Key | None:
        oldest = self._clock() - self._ttl_s
        for cache in (self._found, self._unknown):
            if (entry := cache.get(key_id)) and entry[0] > oldest:
                return entry[1]
        lookup = self._lookups.get(key_id)
        if lookup is None or lookup[0] <= oldest:
            lookup = self._lookups[key_id] = self._clock(), asyncio.create_task(self._fetch(key_id))
            lookup[1].add_done_callback(lambda task: self._lookup_ended(key_id, task))
        # Shielded, because other requests may wait for the same lookup.
        return await asyncio.shield(lookup[1])

    async def _fetch(self, key_id: str) -> Key | None:
        started = self._clock()
        row: Any = json.loads(await self._database.read("find_key", key_id=key_id, restricted=True))
        key = self._key_of(row) if row is not None else None
        if key is None:
            self._found.drop(key_id)
            self._unknown.put(key_id, (started, key))
        else:
            self._unknown.drop(key_id)
            self._found.put(key_id, (started, key))
        return key

    def _key_of(self, row: dict[str, Any]) -> Key:
        return Key(
            secret_hash=bytes.fromhex(row["secret_hash"]),
            client_name=row["client_name"],
            scopes=self._expand(row["scopes"]),
            expires_at=datetime.fromisoformat(row["expires_at"]) if row["expires_at"] else None,
            revoked=row["revoked"],
            restriction=Restriction.of_row(row),
        )

    def _lookup_ended(self, key_id: str, task: asyncio.Task[Key | None]) -> None:
        if (lookup := self._lookups.get(key_id)) and lookup[1] is task:
            del self._lookups[key_id]
        if not task.cancelled():
            task.exception()  # or asyncio would log it, if no request waits any more


def id_of(credentials: bytes) -> str:
    """The id in the text of a key that was verified."""
    return credentials[len(PREFIX) : len(PREFIX) + 32].decode()


def _matching(key: Key | None, digest: bytes) -> Key:
    # An unknown id costs the same comparison as a wrong secret.
    matches = hmac.compare_digest(digest, key.secret_hash if key else _NO_HASH)
    if key is None or not matches:
        raise Unauthorized
    return key


class _Recent:
    """A cache of the ``size`` entries that were used last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[str, tuple[float, Key | None]] = OrderedDict()

    def get(self, key_id: str) -> tuple[float, Key | None] | None:
        entry = self._entries.get(key_id)
        if entry is not None:
            self._entries.move_to_end(key_id)
        return entry

    def put(self, key_id: str, entry: tuple[float, Key | None]) -> None:
        self._entries[key_id] = entry
        self._entries.move_to_end(key_id)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, key_id: str) -> None:
        self._entries.pop(key_id, None)

    def __len__(self) -> int:
        return len(self._entries)


async def create_key(
    database: Database,
    client_name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    restriction: Restriction | None = None,
) -> str:
    """Create a key and return its text, which is stored nowhere.

    Args:
        database: stores the hash.
        client_name: 1 to 64 letters, digits, ``.``, ``_``, ``-``; a client may have several keys.
        scopes: at least one; whether each is a permission is not checked here.
        expires_at: with a time zone; None if the key does not expire.
        restriction: what it is restricted to; None: nothing.

    Raises:
        ValidationFailed: the name, a scope, ``expires_at`` or the restriction is not acceptable.
    """
    key, _ = await _create(
        database, client_name, scopes, expires_at=expires_at, only_first=False, restriction=restriction
    )
    return key


async def create_first_admin_key(database: Database) -> str | None:
    """Create a key of the client ``admin`` if there is no key at all; of several concurrent calls, one creates it."""
    key, created = await _create(database, "admin", ["admin"], expires_at=None, only_first=True)
    return key if created else None


async def list_keys(database: Database) -> list[dict[str, Any]]:
    """All keys in the order of creation.

    Each has key_id, client_name, scopes, created_at, expires_at, revoked_at, and the members of ``Restriction``.
    """
    items: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page: Any = json.loads(await database.read("list_keys", after=after))
        items += page["items"]
        after = page["next"]
        if after is None:
            return items


async def revoke_key(database: Database, key_id: str) -> str | None:
    """Revoke a key and return the time of its first revocation (RFC 3339); None if the key does not exist."""
    row: Any = json.loads(await database.repeat("revoke_key", key_id=key_id))
    return None if row is None else row["revoked_at"]


async def _create(
    database: Database,
    client_name: str,
    scopes: Iterable[str],
    *,
    expires_at: datetime | None,
    only_first: bool,
    restriction: Restriction | None = None,
) -> tuple[str, bool]:
    key_id = new_id().replace("-", "")
    secret = secrets.token_urlsafe(32)
    result = await database.repeat(
        "create_key",
        key_id=key_id,
        secret_hash=hashlib.sha256(secret.encode()).hexdigest(),
        client_name=client_name,
        scopes=Json(json.dumps(sorted(scopes))),
        expires_at=expires_at.astimezone(UTC).isoformat() if expires_at else None,
        only_first=only_first,
        restriction=Json.of(restriction.document()) if restriction else None,
    )
    return f"{PREFIX}{key_id}_{secret}", json.loads(result)["created"]
