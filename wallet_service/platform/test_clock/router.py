"""Paths of the test clock."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import NotFound
from wallet_service.platform.auth.authentication import Admin
from wallet_service.platform.test_clock.problems import TestClockMissing
from wallet_service.platform.test_clock.repository import TestClockRepository
from wallet_service.platform.test_clock.schemas import TestClock, TestClockRequest
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, WRITES, problems
from wallet_service.platform.web.responses import JsonBytes

# Not in the document: these paths exist only where a developer tries out what time does.
router = APIRouter(
    prefix="/api/v1/test-clock", tags=["test clock"], route_class=StrictRoute, include_in_schema=False
)


async def _repository(request: Request) -> TestClockRepository:
    if not request.app.state.test_clock:
        raise NotFound("The service has no test clock: WALLET_TEST_CLOCK is not set")
    return TestClockRepository(request.app.state.database)


Repository = Annotated[TestClockRepository, Depends(_repository)]


@router.get(
    "",
    response_model=TestClock,
    responses=problems(*READS, NotFound),
    operation_id="get_test_clock",
    summary="Read the test clock",
)
async def read_test_clock(_caller: Admin, repository: Repository) -> Response:
    """What the ledger's clock shows. Only with `WALLET_TEST_CLOCK=true`."""
    return JsonBytes(await repository.read())


@router.post(
    "",
    response_model=TestClock,
    responses=problems(*WRITES, NotFound, TestClockMissing),
    operation_id="set_test_clock",
    summary="Set or advance the test clock",
)
async def set_test_clock(
    _caller: Admin, body: TestClockRequest, request: Request, repository: Repository
) -> Response:
    """Set the ledger's clock to a later moment, or advance it; it goes on from there, for all callers.

    Postings, expiry (of keys, too), renewals and budgets follow it. It can't be set back, because the entries of a
    wallet are in the order of their times. Only with `WALLET_TEST_CLOCK=true`.
    """
    answer = await repository.set(body.moment, body.advance_s)
    request.app.state.auth.forget_keys()  # other instances notice within WALLET_KEY_CACHE_MS
    return JsonBytes(answer)
