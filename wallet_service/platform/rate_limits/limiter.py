"""Charges requests to the rate limits of their callers; headers of each response show what is left."""

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

from wallet_service.platform.rate_limits.costs import RequestCosts
from wallet_service.platform.rate_limits.headers import HEADERS
from wallet_service.platform.rate_limits.problems import RateLimited
from wallet_service.platform.rate_limits.token_leases import LimitKind, Quota, TokenLeases

_LEASES = "rate_limit_leases"


class Limiter:
    """The limits of one application.

    Args:
        leases: by the kind of caller; a kind without leases is not limited.
        costs: the costs of requests.
    """

    def __init__(self, leases: Mapping[LimitKind, TokenLeases], costs: RequestCosts) -> None:
        self._leases = leases
        self._costs = costs
        self._policies = {each.quota.kind: each.quota.policy for each in leases.values()}

    async def charge(self, scope: Scope, caller: str, kind: LimitKind) -> None:
        """Charge a request, once its caller is authenticated.

        Args:
            scope: of the request.
            caller: its name.
            kind: of the caller.

        Raises:
            RateLimited: the caller has too few tokens left.
        """
        leases = self._leases.get(kind)
        cost = self._costs.of(scope)
        if leases is not None and cost:
            scope["state"][_LEASES] = leases, caller
            await self._spend(scope, leases, caller, cost)

    async def charge_operations(self, scope: Scope, body: Mapping[str, Any]) -> None:
        """Charge the operations of a batch request beyond the first, which ``charge`` charged.

        Raises:
            RateLimited: the caller has too few tokens left. Those of ``charge`` are not given back.
        """
        charged = scope["state"].get(_LEASES)
        if charged is None:
            return
        leases, caller = charged
        more = min(self._costs.of_operations(scope, body), leases.quota.tokens) - self._costs.of(scope)
        if more > 0:
            await self._spend(scope, leases, caller, more)

    async def _spend(self, scope: Scope, leases: TokenLeases, caller: str, cost: int) -> None:
        try:
            remaining, reset_s = await leases.spend(caller, cost)
        except RateLimited:
            self._add_headers(scope, leases.quota, *leases.status(caller))
            raise
        self._add_headers(scope, leases.quota, remaining, reset_s)

    def _add_headers(self, scope: Scope, quota: Quota, remaining: int, reset_s: int) -> None:
        scope["state"][HEADERS] = (
            (b"ratelimit-policy", self._policies[quota.kind]),
            (b"ratelimit", quota.status(remaining, reset_s)),
        )
