"""Where another service is: what a client of it needs to know, and nothing of Consul."""

from typing import Protocol

ACCOUNT = "account"
ORGANIZATION = "organization"
PAYMENT = "payment"
AUTH = "auth"


class NoInstance(Exception):
    """Nobody knows where the service is: it is not in Consul, no URL of it is set, and this is no development."""

    def __init__(self, service: str) -> None:
        super().__init__(f"no instance of the {service} service is known")
        self.service = service


class Discovery(Protocol):
    """Finds the services that this one calls; answers from memory and never waits."""

    def instance(self, service: str) -> str:
        """A base URL without a slash at its end, for one attempt; the next call may give another instance.

        Args:
            service: ``ACCOUNT``, ``ORGANIZATION``, ``PAYMENT`` or ``AUTH``.

        Raises:
            NoInstance: there is none to try.
        """
        ...

    def failed(self, service: str, url: str) -> None:
        """Tell that the instance with this URL was not reached, or could not answer: others go first for a while."""
        ...
