"""What a request costs, in tokens: roughly how much more work it is than reading one wallet."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import Scope

from wallet_service.core.room import RequestCost, Room

USUAL = RequestCost()
"""A read of a wallet or of a page, a movement, a change."""


class RequestCosts:
    """The costs that rooms declare, by the name of the route; every other route costs one token.

    A request without a caller (health, docs) is not counted.

    Args:
        rooms: all of them.
    """

    def __init__(self, rooms: Iterable[Room]) -> None:
        self.by_route: Mapping[str, RequestCost] = {
            name: cost for room in rooms for name, cost in room.request_costs.items()
        }

    def of(self, scope: Scope) -> int:
        """The tokens of this request before its body is read; 0 is not limited."""
        cost = self.by_route.get(scope["route"].name, USUAL)
        if cost.csv_tokens is not None and any(
            header == b"accept" and b"text/csv" in value.lower() for header, value in scope["headers"]
        ):
            return cost.csv_tokens
        return cost.tokens

    def of_operations(self, scope: Scope, body: Mapping[str, Any]) -> int:
        """The tokens of a request by its body, as it was sent: other faults of the body are found later."""
        cost = self.by_route.get(scope["route"].name, USUAL)
        operations = body.get("operations")
        if not cost.is_per_operation or not isinstance(operations, list):
            return cost.tokens
        return max(cost.tokens, len(operations))  # pyright: ignore[reportUnknownArgumentType]  # any JSON
