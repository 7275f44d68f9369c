"""The interface by which clients find instances of upstream services."""

from typing import Protocol

ACCOUNT = "account"
ORGANIZATION = "organization"
PAYMENT = "payment"
AUTH = "auth"


class NoInstance(Exception):
    """No instance is known: the service is not in Consul, its URL is not set, and this is not development."""

    def __init__(self, service: str) -> None:
        super().__init__(f"no instance of the {service} service is known")
        self.service = service


class Discovery(Protocol):
    """Finds instances of upstream services, from memory, without waiting."""

    def instance(self, service: str) -> str:
        """The base URL of an instance, without a slash at its end, for one attempt. The next call may return another one.

        Args:
            service: ``ACCOUNT``, ``ORGANIZATION``, ``PAYMENT`` or ``AUTH``.

        Raises:
            NoInstance: no instance is known.
        """
        ...

    def failed(self, service: str, url: str) -> None:
        """Report that the instance with this URL failed: it is set aside."""
        ...
