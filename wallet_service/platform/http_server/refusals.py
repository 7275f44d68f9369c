"""Responds to what never becomes a request of the application, with its log line, its metrics and its headers."""

from starlette.types import Receive, Scope, Send

from wallet_service.core.errors import WalletError
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.middleware import RequestContext
from wallet_service.platform.web.problems import problem_response

REFUSAL = "wallet_service.refusal"
"""The member of the scope with the problem."""


def refusals(metrics: RequestMetrics) -> RequestContext:
    """The application that responds with the problem of the scope.

    Args:
        metrics: count it like other requests.
    """
    return RequestContext(_respond, metrics)


async def _respond(scope: Scope, receive: Receive, send: Send) -> None:
    problem: WalletError = scope[REFUSAL]
    await problem_response(problem, scope["state"]["request_id"])(scope, receive, send)
