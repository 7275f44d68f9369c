"""The HTTP transport to upstream services: httpx over aiohttp, which sends requests unchanged."""

import ssl

import httpx
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from httpx_aiohttp.transport import AiohttpResponseStream, map_aiohttp_exceptions
from yarl import URL

_IDLE_S = 15.0
"""A connection unused for longer is closed, before a gateway closes it."""


class ExactTransport(httpx.AsyncBaseTransport):
    """Sends paths unchanged, keeps no cookies, decompresses nothing, and has no time limits; the client has them.

    Not httpx's own transport: its pool loses a connection for good if a request is cancelled while it waits in the pool
    or connects (httpcore #1093). Not ``AiohttpTransport``: it decodes characters that need not be encoded, such as
    ``%3B``, which mean something else to some servers when they are decoded.
    """

    def __init__(self, connections: int, authorities: ssl.SSLContext) -> None:
        self._connections = connections
        self._authorities = authorities
        self._session: ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. The body of the response is read later, through the response."""
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(
                    limit=self._connections, keepalive_timeout=_IDLE_S, ssl=self._authorities
                ),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=None),
                auto_decompress=False,
            )
        with map_aiohttp_exceptions():
            response = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
            )
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=AiohttpResponseStream(response),
            request=request,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
