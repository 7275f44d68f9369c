"""The cost of a request in rate-limit tokens: roughly its work compared with reading one wallet."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import Scope

from wallet_service.core.room import RequestCost, Room

USUAL = RequestCost()
"""The cost of a read of a wallet or a page, of a movement or a change."""


class RequestCosts:
    """The costs that rooms declare, by the name of the route. Every other route costs one token.

    A request without a caller (health, docs) costs nothing.

    Args:
        rooms: all rooms.
    """

    def __init__(self, rooms: Iterable[Room]) -> None:
        self.by_route: Mapping[str, RequestCost] = {
            name: cost for room in rooms for name, cost in room.request_costs.items()
        }

    def of(self, scope: Scope) -> int:
        """The tokens of a request before its body is read; 0 if it is not limited."""
        cost = self.by_route.get(scope["route"].name, USUAL)
        if cost.csv_tokens is not None and any(
            header == b"accept" and b"text/csv" in value.lower() for header, value in scope["headers"]
        ):
            return cost.csv_tokens
        return cost.tokens

    def of_operations(self, scope: Scope, body: Mapping[str, Any]) -> int:
        """The tokens of a request with this body, which is not validated yet."""
        cost = self.by_route.get(scope["route"].name, USUAL)
        operations = body.get(cost.operations)
        if not cost.is_per_operation or not isinstance(operations, list):
            return cost.tokens
        return max(cost.tokens, len(operations))  # pyright: ignore[reportUnknownArgumentType]  # any JSON
