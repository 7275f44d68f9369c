"""The Supabase driver: calls functions through the project's REST API, which PostgREST serves."""

import asyncio
import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self, cast

import httpx
import supabase
from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from httpx_aiohttp import AiohttpTransport
from postgrest import AsyncPostgrestClient

from wallet_service.core.errors import Overloaded, Unavailable, WalletError
from wallet_service.core.retries import RetryPolicy
from wallet_service.platform.database.concurrency_limit import ConcurrencyLimit
from wallet_service.platform.database.gateway import Database, Json, Param, check_names, deadline
from wallet_service.platform.database.translate import (
    NOT_IN_CACHE,
    NoResultError,
    RestError,
    loggable,
    translate,
)

SCHEMA = "wallet_api"

RELOAD_S = 1.5
"""How long a call waits for PostgREST to reload the schema."""
RELOAD_EVERY_S = 1.0
"""PostgREST is asked to reload the schema at most once in this time, because a reload loads the database."""
_UNTIL_KNOWN = RetryPolicy(
    is_temporary=lambda error: isinstance(error, RestError) and error.code == NOT_IN_CACHE,
    pause_s=0.05,
    longest_pause_s=0.05,
    shortest_pause_s=0.05,
    duration_s=RELOAD_S,
)

_IDLE_S = 30.0
"""A connection unused for longer is closed, before a gateway closes it."""
_LONGEST_ERROR_BYTES = 65_536
_NOT_FOUND = 404
_BODY: ContextVar[bytes] = ContextVar("body")


class SupabaseDatabase(Database):
    """Calls functions by POST /rest/v1/rpc; each call is a database transaction of its own."""

    def __init__(
        self, http: httpx.AsyncClient, api: AsyncPostgrestClient, *, pool_size: int, timeout_ms: int
    ) -> None:
        self._http = http
        self._api = api
        self._timeout_s = timeout_ms / 1000
        self._pool_size = pool_size
        self.limit = self._limit = ConcurrencyLimit(pool_size)
        self._closed = False
        self._closing = asyncio.Lock()
        self._reloading = asyncio.Lock()
        self._reload_asked_s = -RELOAD_EVERY_S
        self._known_s: dict[str, float] = {}
        self._unknown_s: dict[str, float] = {}

    @classmethod
    async def connect(cls, url: str, key: str, *, pool_size: int = 10, timeout_ms: int = 5000) -> Self:
        """Create the client. Connections are opened when calls need them, as in ``PostgresDatabase.connect``.

        Args:
            url: the project's address, without /rest/v1.
            key: the project's service_role key (a JWT) or one of its secret keys (sb_secret_…).
            pool_size: the maximum number of calls under way, each on a connection of its own.
            timeout_ms: milliseconds for a call, including its waits for a connection and for a reload of the schema.
        """
        http = _ExactClient(
            timeout=timeout_ms / 1000,
            transport=_transport(pool_size),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
            # No compression: a response that can't be decompressed would be lost.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            event_hooks={"request": [_only_apikey] if _is_opaque(key) else [], "response": [_check]},
        )
        client = await supabase.acreate_client(
            url,
            key,
            supabase.AsyncClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False),
        )
        return cls(http, client.schema(SCHEMA), pool_size=pool_size, timeout_ms=timeout_ms)

    async def call(self, function: str, /, **params: Param) -> bytes:
        """Call the function in one request; see the base class. Overloaded if no connection is free."""
        check_names(function, *params)
        until = deadline(asyncio.get_running_loop().time() + self._timeout_s)
        with _translated():
            body = _body(params)
            # httpx limits each step of a request; this limits all of them together, and a wait for a reload.
            async with asyncio.timeout_at(until):
                try:
                    return await self._exchange(function, body, until)
                except RestError as error:
                    if error.code != NOT_IN_CACHE:
                        raise
                return await self._after_reload(function, body, until)

    async def close(self) -> None:
        """Wait for calls under way, then close every connection; later calls are Unavailable."""
        self._closed = True
        async with self._closing:
            taken = 0
            try:
                while taken < self._pool_size:
                    await self._limit.acquire()
                    taken += 1
            finally:
                for _ in range(taken):
                    self._limit.release()
                await self._http.aclose()

    async def _exchange(self, function: str, body: bytes, until: float) -> bytes:
        try:
            await self._limit.acquire_by(until)
        except TimeoutError as error:
            raise Overloaded("Every connection to the database is in use") from error
        try:
            if self._closed:
                raise Unavailable
            answer = await self._send(function, body)
        finally:
            self._limit.release()
        return b"null" if answer is None else str(answer).encode()

    async def _send(self, function: str, body: bytes) -> Any:
        """The function's result, decoded.

        Raises:
            RestError: the API refused the call.
            NoResultError: any other failure; the call may have taken effect.
        """
        _BODY.set(body)
        try:
            return (await self._api.rpc(function, {}).execute()).data
        except (RestError, NoResultError):
            raise
        except Exception as error:  # noqa: BLE001 - the libraries raise many kinds, some undocumented
            # Only the class: the messages of some quote headers and bytes.
            raise NoResultError(type(error).__name__) from None

    async def _after_reload(self, function: str, body: bytes, until: float) -> bytes:
        """Retry the call, which had no effect: the function may be newer than the schema that PostgREST has loaded.

        One call asks for a reload; the others wait for its result.
        """
        began = time.monotonic()
        async with self._reloading:
            if self._known_s.get(function, 0.0) < began:
                return await self._until_known(function, body, began, until)
        return await self._exchange(function, body, until)

    async def _until_known(self, function: str, body: bytes, began: float, until: float) -> bytes:
        if self._unknown_s.get(function, 0.0) > began - RELOAD_EVERY_S:
            raise RestError(_NOT_FOUND, NOT_IN_CACHE, "", None)

        async def attempt() -> bytes:
            await self._ask_for_reload(until)
            answer = await self._exchange(function, body, until)
            self._known_s[function] = time.monotonic()
            return answer

        try:
            return await _UNTIL_KNOWN.run(attempt)
        except RestError as error:
            if error.code == NOT_IN_CACHE:
                self._unknown_s[function] = time.monotonic()
            raise

    async def _ask_for_reload(self, until: float) -> None:
        now = time.monotonic()
        if now - self._reload_asked_s < RELOAD_EVERY_S:
            return
        self._reload_asked_s = now
        try:
            await self._exchange("reload_rest", b"{}", until)
        except RestError as error:
            if (
                error.code != NOT_IN_CACHE
            ):  # it does not know this function either, and may be about to reload
                raise


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except WalletError:
        raise
    except Exception as error:  # noqa: BLE001 - every error becomes a WalletError
        raise translate(error) from loggable(error)


class _ExactClient(httpx.AsyncClient):
    """Sends the body that the driver wrote.

    supabase-py would encode it with json.dumps, which can't encode a Decimal; and a float loses digits.
    """

    async def request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        options["content"] = _BODY.get()
        return await super().request(method, url, **options)


def _transport(connections: int) -> AiohttpTransport:
    """A transport that costs a third of httpx's own, which searches its whole pool at each request."""

    def session() -> ClientSession:
        return ClientSession(
            connector=TCPConnector(limit=connections, keepalive_timeout=_IDLE_S, ssl=transport.ssl_context),
            cookie_jar=DummyCookieJar(),  # httpx has its own
        )

    transport = AiohttpTransport(client=session)
    return transport


def _body(params: dict[str, Param]) -> bytes:
    members = (
        f'"p_{name}":{value.text if isinstance(value, Json) else json.dumps(value, ensure_ascii=False)}'
        for name, value in params.items()
    )
    return f"{{{','.join(members)}}}".encode()


def _is_opaque(key: str) -> bool:
    """Whether it is one of the newer keys, which are not JWTs."""
    return key.startswith("sb_")


async def _only_apikey(request: httpx.Request) -> None:
    """Send a key that is not a JWT in ``apikey`` alone; the gateway then adds a JWT as Authorization."""
    request.headers.pop("Authorization", None)


async def _check(response: httpx.Response) -> None:
    """Accept only a response that holds a function's result: supabase-py accepts any body, and drops the status.

    Raises:
        RestError: the API, or a gateway before it, refused the call.
        NoResultError: the status is a success, but the body is not a function's result, or is incomplete.
    """
    is_json = response.headers.get("Content-Type", "").partition(";")[0].strip() == "application/json"
    if response.is_success:
        if not is_json or not isinstance(_decoded(await response.aread()), str | None):
            raise NoResultError(f"HTTP {response.status_code} without the result of a function")
        return
    error: Any = _decoded(await _limited_body(response)) if is_json else {}
    if not isinstance(error, dict):
        raise NoResultError(f"HTTP {response.status_code} with an incomplete error")
    members = cast("dict[str, Any]", error)
    code, message, details = (members.get(name) for name in ("code", "message", "details"))
    raise RestError(
        response.status_code,
        code if isinstance(code, str) else None,
        message if isinstance(message, str) else "",
        details if isinstance(details, str) else None,
    )


def _decoded(body: bytes) -> Any:
    """The JSON value; ``...`` if it is not JSON or incomplete."""
    try:
        return json.loads(body)
    except ValueError:
        return ...


async def _limited_body(response: httpx.Response) -> bytes:
    """The body of an error, up to a limit."""
    read = bytearray()
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > _LONGEST_ERROR_BYTES:
            break
    return bytes(read)
