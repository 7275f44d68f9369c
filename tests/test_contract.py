"""The OpenAPI document says what the service does, and nothing less."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis.python.asgi import shutdown_lifespans

from wallet_service.app import create_app
from wallet_service.settings import Settings

ADMIN_KEY = "an-admin-key-of-forty-characters-1234567"
JWT_SECRET = "a-shared-secret-of-more-than-32-bytes-for-tests"

config = schemathesis.Config.from_dict(
    {
        "headers": {"Authorization": f"Bearer {ADMIN_KEY}"},
        "generation": {"max-examples": 15, "deterministic": True},
    }
)
schema = schemathesis.openapi.from_dict(
    create_app(Settings(), "postgresql://nowhere/").openapi(), config=config
)
schema.app = object()

@pytest.fixture(scope="module")
def app(service_dsn: str) -> Iterator[Any]:
    yield create_app(Settings(admin_key=ADMIN_KEY, jwt_secret=JWT_SECRET), service_dsn)
    shutdown_lifespans()


@schema.parametrize()
def test_contract(case: schemathesis.Case, app) -> None:
    case.call_and_validate(app=app)
