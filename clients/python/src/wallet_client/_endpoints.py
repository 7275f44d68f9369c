"""The address of the service: one fixed base URL, or an object that finds it (such as Consul)."""

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import httpx

from wallet_client._call import ROOT

if TYPE_CHECKING:
    from concurrent.futures import Future


class Endpoints(Protocol):
    """The base URLs of the service."""

    def choose(self) -> str:
        """The base URL for the next attempt, without a slash at its end.

        Raises:
            NoEndpoint: no base URL is known.
        """
        ...

    def failed(self, url: str) -> None:
        """Note that the service did not respond at this base URL."""
        ...

    def close(self) -> None:
        """Release connections. The client makes no further calls."""
        ...


class Discovery(Endpoints, Protocol):
    """Base URLs that have to be found first."""

    def must_load(self) -> bool:
        """Whether no base URL is known, so that ``load`` has to run before ``choose``."""
        ...

    def load(self) -> "Future[None]":
        """Start to find the base URLs, unless that is running. The future is done when that ends, also if it failed."""
        ...


class NoEndpoint(Exception):
    """No base URL is known. The message says why, without secrets; ``__cause__`` is the error behind it, if any."""


class FixedEndpoint:
    """One base URL."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable() or " " in url:
            raise ValueError("base_url (or WALLET_URL) starts with http:// or https:// and names a host")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("base_url has no user, query or fragment; the key goes into api_key")
        if parts.path.rstrip("/").endswith(ROOT):
            raise ValueError(f"base_url ends before {ROOT}, which the client adds")
        try:
            httpx.URL(url)
            _ = parts.port
        except (ValueError, httpx.InvalidURL) as error:
            raise ValueError(f"base_url can't be used: {error}") from None
        self._url = url.rstrip("/")

    def choose(self) -> str:
        """The base URL."""
        return self._url

    def failed(self, url: str) -> None:
        """There is no other base URL to prefer."""

    def close(self) -> None:
        """There is nothing to release."""
