"""Sends one attempt of a webhook: a POST that is signed, bounded in time and size, and follows no redirect."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Literal

import aiohttp
from standardwebhooks import Webhook
from yarl import URL

from wallet_service.delivery.webhooks.destinations import (
    CheckedResolver,
    DestinationRefused,
    Destinations,
    is_address,
    parse,
)

LARGEST_RESPONSE_BYTES: Final = 16_384
"""What is read of a response. The rest is not: the connection is closed."""
KEPT_BODY_CHARACTERS: Final = 500
LARGEST_HEAD_BYTES: Final = 8_190
CONNECT_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended.

    Attributes:
        status: of the response; None if there was none.
        error: what went wrong, if there was no response: ``timeout``, ``refused``, ``connection``,
            ``tls`` or ``protocol``.
        detail: of the error, for the owner of the endpoint; without addresses of the operator's network.
        body: the beginning of the response.
        duration_ms: of the whole attempt.
        retry_after_s: that the response asks to wait; None if it does not.
    """

    status: int | None
    error: str | None
    detail: str | None
    body: str
    duration_ms: int
    retry_after_s: int | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took it: any status from 200 to 299."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - the class of HTTP

    @property
    def outcome(self) -> Literal["delivered", "failed", "gone"]:
        """``gone``: the receiver wants nothing any more."""
        if self.succeeded:
            return "delivered"
        return "gone" if self.status == HTTPStatus.GONE else "failed"


class Sender:
    """Opens connections to checked addresses only, and keeps those that a receiver keeps.

    Args:
        destinations: the addresses that may be reached.
        timeout_s: of an attempt as a whole, from the look-up of the name to the end of the response.
    """

    def __init__(self, destinations: Destinations, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._destinations = {"https": destinations, "http": destinations.without_internet()}
        self._sessions = {scheme: _session(rule) for scheme, rule in self._destinations.items()}

    async def close(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            await session.close()

    async def send(
        self,
        url: str,
        message_id: str,
        body: str,
        secrets: Sequence[str],
        *,
        longest_s: float | None = None,
    ) -> Attempt:
        """Send a message once.

        Args:
            url: of the endpoint.
            message_id: the same in all attempts, so that the receiver can find what it took before.
            body: the event as JSON.
            secrets: each ``whsec_…``; the message has a signature by each.
            longest_s: a shorter limit than that of all attempts.
        """
        limit_s = self._timeout_s if longest_s is None else min(longest_s, self._timeout_s)
        began = time.monotonic()
        status, error, detail, text, retry_after_s = None, None, None, "", None
        try:
            async with asyncio.timeout(limit_s):
                status, text, retry_after_s = await self._post(url, message_id, body, secrets)
        except TimeoutError:
            error, detail = "timeout", f"no response within {limit_s:g} s"
        except DestinationRefused as refusal:
            error, detail = "refused", str(refusal)
        except aiohttp.ClientConnectorCertificateError:
            error, detail = "tls", "the certificate is not valid for the host"
        except aiohttp.ClientSSLError:
            error, detail = "tls", "no TLS connection could be made"
        except aiohttp.ClientConnectorError as failure:
            refused = isinstance(failure.os_error, DestinationRefused)
            error = "refused" if refused else "connection"
            detail = str(failure.os_error) if refused else "no connection could be made"
        except (aiohttp.ClientError, ValueError):
            error, detail = "protocol", "the connection ended, or the response is not HTTP"
        duration_ms = round((time.monotonic() - began) * 1000)
        return Attempt(status, error, detail, text, duration_ms, retry_after_s)

    async def _post(
        self, url: str, message_id: str, body: str, secrets: Sequence[str]
    ) -> tuple[int, str, int | None]:
        target = parse(url)
        # The session's resolver checks the addresses of a name as the connection is opened, so a name is looked up once.
        # aiohttp does not ask it for a host that is an address.
        if is_address(target.host or ""):
            await self._destinations[target.scheme].resolve(target.host or "")
        async with self._sessions[target.scheme].post(
            URL(str(target), encoded=True),
            data=body.encode(),
            headers=signed_headers(message_id, datetime.now(UTC), body, secrets),
            allow_redirects=False,
        ) as response:
            read = bytearray()
            while len(read) < LARGEST_RESPONSE_BYTES and (chunk := await response.content.read(4096)):
                read += chunk
            if not response.content.at_eof():
                response.close()
            text = read.decode("utf-8", "replace").replace("\0", "")[:KEPT_BODY_CHARACTERS]
            return response.status, text, _seconds(response.headers.get("Retry-After"))


def _session(destinations: Destinations) -> aiohttp.ClientSession:
    """Connections to the addresses that this rule allows.

    As many as there are attempts, which callers bound: an attempt that waited for a connection of another endpoint on
    the same host would use up its time.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=CheckedResolver(destinations),
            socket_factory=destinations.socket,
            use_dns_cache=False,
            limit=0,
        ),
        # The total is kept by asyncio.timeout, which also covers the look-up of the name.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        max_line_size=LARGEST_HEAD_BYTES,
        max_field_size=LARGEST_HEAD_BYTES,
    )


def signed_headers(message_id: str, at: datetime, body: str, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of a message: its id, the time of the attempt, and a signature by each secret.

    Raises:
        ValueError: there is no secret; nothing is sent without a signature.
    """
    if not secrets:
        raise ValueError("there is no secret to sign with")
    return {
        "Content-Type": "application/json",
        "User-Agent": "wallet-service-webhooks",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, body) for secret in secrets),
    }


def _seconds(retry_after: str | None) -> int | None:
    """The seconds of a header Retry-After. A date is not read: receivers' clocks differ."""
    if retry_after is None or not retry_after.isascii() or not retry_after.isdigit():
        return None
    return min(int(retry_after[:9]), 86_400)
