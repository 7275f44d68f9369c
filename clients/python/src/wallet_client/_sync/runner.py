# Generated from wallet_client/_async/runner.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Carries calls out: sends attempts until one succeeds, or until the call's time and retries are used up."""

from typing import TYPE_CHECKING, TypeVar

import httpx

from wallet_client._attempts import Attempts
from wallet_client._call import Call
from wallet_client._context import Context
from wallet_client._endpoints import NoEndpoint
from wallet_client._options import CallOptions
from wallet_client.errors import TransportNotUsable, UnexpectedAnswer

if TYPE_CHECKING:
    from wallet_client._sync_io import Sender

T = TypeVar("T")


class Runner:
    """Carries out the calls of a client and of its resources."""

    def __init__(self, context: Context, sender: "Sender") -> None:
        self.context = context
        self._sender = sender

    def with_options(self, options: CallOptions) -> "Runner":
        """A runner with other options for its calls, over the same connections.

        Raises:
            TypeError, ValueError: an option does not exist, or its value can't be used.
        """
        return Runner(self.context.with_options(options), self._sender)

    def run(self, call: Call[T]) -> T:
        """Carry out a call, with as many attempts as it needs and is allowed.

        Raises:
            WalletError: the call failed, or its outcome is unknown.
        """
        discovery = self.context.discovery
        with Attempts(self.context, call) as attempts:
            while True:
                if discovery is not None and discovery.must_load():
                    self._sender.wait_for(discovery.load(), attempts.connect_s)
                wait_s = self._attempt(attempts)
                if wait_s is None:
                    return attempts.result
                self._sender.sleep(wait_s)

    def sleep(self, wait_s: float) -> None:
        """Wait between two calls."""
        self._sender.sleep(wait_s)

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()
        self.context.endpoints.close()

    def _attempt(self, attempts: Attempts[T]) -> float | None:
        """Send one attempt. None: it succeeded; otherwise seconds to wait before the next one."""
        if self._sender.is_closed:
            raise attempts.closed()
        try:
            response, body = self._sender.send(attempts)
        except NoEndpoint as reason:
            return attempts.no_endpoint(reason)
        except TransportNotUsable as error:
            raise attempts.misplaced(error) from None
        except (httpx.RequestError, UnexpectedAnswer) as error:
            return attempts.failed(error)
        except RuntimeError:
            if self._sender.is_closed:  # while the attempt waited for a connection
                raise attempts.closed() from None
            raise
        return attempts.responded(response.status_code, response.headers, body)
