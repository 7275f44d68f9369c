"""The routes of the room."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from wallet_service.billing.explain.repository import ExplainRepository
from wallet_service.billing.explain.schemas import BillingSummary, ExplainQuery, Explanation, SummaryQuery
from wallet_service.billing.explain.service import billing_summary
from wallet_service.billing.explain.text import explanation_text
from wallet_service.core.errors import WalletBusy, WalletNotFound
from wallet_service.money.callers import StatsReader, WalletReader
from wallet_service.money.parameters import WalletInPath
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.accept import accepts
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, problems
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["billing"], route_class=StrictRoute)

Repository = Annotated[ExplainRepository, on_database(ExplainRepository)]

_VARY = {"Vary": "Accept"}
_EXPLAINED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/plain": {"schema": {"type": "string"}}},
        "headers": {"Vary": {"description": "`Accept`", "schema": {"type": "string"}}},
    },
    **problems(*READS, WalletNotFound, WalletBusy, UpstreamUnavailable),
}


@router.get(
    "/wallets/{wallet_id}/explain",
    response_model=Explanation,
    responses=_EXPLAINED,
    operation_id="explain_wallet",
    summary="Explain a balance",
)
async def explain_wallet(
    request: Request,
    caller: WalletReader,
    wallet_id: WalletInPath,
    query: Annotated[ExplainQuery, Query()],
    repository: Repository,
) -> Response:
    """Why the balance is what it is: opening balance, movements, grants, and the last changes, from one snapshot.

    With `at` as it was at a past moment. Everything adds up to the last digit. With `Accept: text/plain` the response is
    a text for people.
    """
    found = await repository.explain(str(wallet_id), caller.user_id, query.from_, query.at)
    if accepts(request.headers.get("accept", ""), "text/plain"):
        return PlainTextResponse(explanation_text(json.loads(found)), headers=_VARY)
    return JsonBytes(found, headers=_VARY)


@router.get(
    "/billing/summary",
    responses=problems(*READS),
    operation_id="get_billing_summary",
    summary="Read the billing summary",
)
async def billing_summary_of_period(
    caller: StatsReader, query: Annotated[SummaryQuery, Query()], repository: Repository
) -> BillingSummary:
    """What was granted, purchased, consumed, refunded and expired in a period, and what is owed at its end.

    `from` is included, `to` is not. Wallets are read in parts, each from one snapshot. What was posted before the end of
    a past period never changes; postings that are under way at its end may be missing for 2 seconds.
    """
    del caller
    wallets, lines = await repository.summary(query.from_, query.to)
    return billing_summary(query.from_, query.to, wallets, lines, await repository.exponents())
