"""What is the same of both clients: how they are found, counted and varied."""

import copy
from typing import Self, Unpack

from wallet_client._consul import instances
from wallet_client._context import Core, Places
from wallet_client._options import CallOptions, Options
from wallet_client.metrics import Metrics


class Configured:
    """A client before it sends anything."""

    _core: Core

    def __init__(self, base_url: str | Places, *, api_key: str, **options: Unpack[Options]) -> None:
        raise NotImplementedError  # each client has its own, and a transport of its kind

    def _make_resources(self) -> None:
        raise NotImplementedError  # each client has its own kinds of them

    @classmethod
    def from_consul(
        cls,
        consul_url: str = "http://127.0.0.1:8500",
        *,
        api_key: str,
        service: str = "wallet_service",
        scheme: str = "http",
        token: str | None = None,
        refresh_s: float = 10.0,
        **options: Unpack[Options],
    ) -> Self:
        """A client that finds the service through Consul. Nothing is sent yet. Needs the extra ``consul``.

        Its calls go to the healthy instances in turn; one that fails is left out for a while, at once.

        Args:
            consul_url: where the Consul agent is.
            api_key: a key ``wsk_…``, or a user's token.
            service: the name under which the service is registered.
            scheme: ``http`` or ``https``, as the instances speak.
            token: Consul's; default: CONSUL_HTTP_TOKEN.
            refresh_s: how old the list of instances may be.
            options: see ``Options``.

        Raises:
            ImportError: the extra is not installed.
            ValueError: an address or the key can't be used.
        """
        places = instances(consul_url, service, scheme, token, refresh_s)
        return cls(places, api_key=api_key, **options)

    @property
    def metrics(self) -> Metrics:
        """What is counted of its calls."""
        return self._core.metrics

    def with_options(self, **options: Unpack[CallOptions]) -> Self:
        """This client with other options for its calls: the same connections, counters and hooks; closed with it.

        Raises:
            TypeError, ValueError: an option that is none.
        """
        made = copy.copy(self)
        made._core = self._core.with_options(options)  # noqa: SLF001 - of its own class
        made._make_resources()  # noqa: SLF001
        return made
