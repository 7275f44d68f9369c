"""The table of costs names routes that are there, and each route costs what it says."""

from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.types import Scope
from support.settings import make_settings

from wallet_service.platform.auth.authentication import BearerPrincipal
from wallet_service.platform.rate_limits.costs import RequestCosts
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app

ROUTES = {
    route.name: route for route in create_app(make_settings()).router.routes if isinstance(route, APIRoute)
}


COSTS = RequestCosts(ROOMS)


def asked(name: str, *headers: tuple[bytes, bytes]) -> Scope:
    return {"type": "http", "route": ROUTES[name], "headers": list(headers)}


def test_every_name_in_the_table_is_a_route() -> None:
    assert COSTS.by_route.keys() <= ROUTES.keys()


def test_names_of_routes_are_unique() -> None:
    routes = [route for route in create_app(make_settings()).router.routes if isinstance(route, APIRoute)]
    # With and without a slash at its end, a path is one route.
    assert len({(*(route.methods or ()), route.path.rstrip("/")) for route in routes}) == len(ROUTES)


def test_only_health_has_no_caller() -> None:
    def has_caller(dependant: Any) -> bool:
        return isinstance(dependant.call, BearerPrincipal) or any(map(has_caller, dependant.dependencies))

    # A notice of the payment service has a signature in place of a caller.
    assert {name for name, route in ROUTES.items() if not has_caller(route.dependant)} == {
        "receive_payment_event",
        *(f"{name}{method}" for name in ("live", "ready", "health") for method in ("", "_head", "_options")),
    }


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("get_wallet", 1),
        ("get_balance", 1),
        ("consume", 1),
        ("transfer", 1),
        ("consume_credits", 1),
        ("batch", 1),
        ("list_wallet_transactions", 1),
        ("wallet_statistics", 5),
        ("user_statistics", 5),
        ("service_stats", 20),
        ("read_trial_balance", 20),
        ("import_wallets", 100),
        ("metrics", 0),
    ],
)
def test_a_route_costs(name: str, cost: int) -> None:
    assert COSTS.of(asked(name)) == cost


@pytest.mark.parametrize("accept", [b"text/csv", b"Text/CSV; q=1", b"application/json;q=0.5, text/csv"])
def test_a_history_as_csv_costs_more(accept: bytes) -> None:
    csv = (b"accept", accept)
    assert COSTS.of(asked("list_wallet_transactions", csv)) == 20
    assert COSTS.of(asked("list_user_transactions", csv)) == 20
    assert COSTS.of(asked("get_wallet", csv)) == 1


@pytest.mark.parametrize(
    ("body", "cost"),
    [
        ({"operations": [{}] * 7}, 7),
        ({"operations": []}, 1),
        ({"operations": "seven"}, 1),
        ({"operations": None}, 1),
        ({}, 1),
    ],
)
def test_a_batch_costs_its_operations(body: dict[str, Any], cost: int) -> None:
    assert COSTS.of_operations(asked("batch"), body) == cost
    assert COSTS.of_operations(asked("consume"), body) == 1
