"""The routes of rules."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import VersionMismatch, WalletBusy, WalletNotFound
from wallet_service.core.identifiers import new_id
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.books.service import BookAccess, BookAccessOf, KnownBook
from wallet_service.finance.labels.problems import LabelNotFound
from wallet_service.finance.parts.service import CataloguingOf
from wallet_service.finance.rules.compiled import CompiledRules, RulesTooSlow
from wallet_service.finance.rules.problems import RuleLimit, RuleNotFound, RulesChanged
from wallet_service.finance.rules.repository import RuledEntries, RuleRepository
from wallet_service.finance.rules.room import PATH, RULES_READ, RULES_WRITE
from wallet_service.finance.rules.schemas import (
    Rule,
    RuleCreate,
    RuleOrder,
    RuleOrderSet,
    RulePage,
    RuleQuery,
    RulesApply,
    RuleTest,
    RuleTestResult,
    WrittenRule,
)
from wallet_service.finance.rules.service import shown_entry
from wallet_service.ledger.problems import AmountInvalid
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.changes.reads import read_concerns
from wallet_service.platform.jobs.responses import ACCEPTED, JOB, accepted
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.created import request_hash
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.etag import ETAG, IfMatch, etag_of, version_of, versioned_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import decode_cursor, page_response
from wallet_service.platform.web.problems import validation_problem
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix=PATH, tags=["rules"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(RULES_READ)]
Writer = Annotated[Principal, requires(RULES_WRITE)]
Repository = Annotated[RuleRepository, on_database(RuleRepository)]
Entries = Annotated[RuledEntries, on_database(RuledEntries)]
RuleInPath = Annotated[UUID, Path(description="The rule's id.")]

_PLACE = TypeAdapter(tuple[int])
_NAMED = (LabelNotFound, WalletNotFound, AmountInvalid, UpstreamUnavailable)
_MOST_SHOWN = 100
_LONGEST_TEST_S = 2.0


@router.post(
    "",
    status_code=201,
    response_model=Rule,
    responses={
        201: {"headers": ETAG | created_headers("rule")},
        **problems(*WRITES, *KEYED, BookNotFound, *_NAMED, RuleLimit, WalletBusy),
    },
    operation_id="create_rule",
    summary="Create a rule",
)
async def create_rule(
    caller: Writer, request: RuleCreate, repository: Repository, access: BookAccessOf, header_key: HeaderKey
) -> Response:
    """Create a rule, the last of its book. The same idempotency key and request create one rule.

    It is applied by itself to entries that the book reads from now on. `POST /api/v1/rules/apply` applies it to others.
    """
    book = await access.find(request.user_id, request.organization_id, place="body")
    rule = request.document() | {"book_id": book.book_id}
    created = await repository.create(new_id(), caller.client_id, header_key, request_hash(1, rule), rule)
    document: dict[str, Any] = json.loads(created.document)
    return created_response(
        created.document,
        f"{PATH}/{document['rule_id']}",
        replayed=created.replayed,
        headers=etag_of(document),
    )


@router.get(
    "",
    response_model=RulePage,
    responses=problems(*READS, BookNotFound, UpstreamUnavailable),
    operation_id="list_rules",
    summary="List rules",
)
async def list_rules(
    request: Request,
    caller: Reader,
    query: Annotated[RuleQuery, Query()],
    repository: Repository,
    access: BookAccessOf,
) -> Response:
    """The rules of a book, in the order in which they are applied. A key names it by `user_id` or `organization_id`."""
    del caller
    book = await access.find(query.user_id, query.organization_id)
    read_concerns(request, user_id=book.owner.user_id)
    selection = {"book_id": book.book_id, "active": query.active}
    after = None if query.cursor is None else decode_cursor("rules", selection, query.cursor, _PLACE)[0]
    items, following = await repository.page(book.book_id, query.active, after, query.limit)
    return page_response("rules", selection, items, None if following is None else [following])


@router.post(
    "/order",
    response_model=RuleOrder,
    responses=problems(*WRITES, BookNotFound, RulesChanged, WalletBusy, UpstreamUnavailable),
    operation_id="order_rules",
    summary="Order rules",
)
async def order_rules(
    caller: Writer, request: RuleOrderSet, repository: Repository, access: BookAccessOf
) -> Response:
    """Put the rules of a book into another order. Later rules overwrite what earlier ones set.

    The request names all rules. Where one was created or deleted meanwhile, it is refused as `rules_changed`.
    """
    del caller
    book = await access.find(request.user_id, request.organization_id, place="body")
    return JsonBytes(await repository.order(book.book_id, [str(each) for each in request.rule_ids]))


@router.post(
    "/test",
    response_model=RuleTestResult,
    responses=problems(*WRITES, BookNotFound, *_NAMED),
    operation_id="test_rule",
    summary="Try a rule",
)
async def test_rule(
    http_request: Request,
    caller: Reader,
    request: RuleTest,
    repository: Repository,
    entries: Entries,
    cataloguing: CataloguingOf,
    access: BookAccessOf,
) -> Response:
    """Show for which of the newest entries a rule holds, and what it would make of them. Nothing is changed.

    The rule is tried by itself, on the parts as they are now, also on those that a person edited: these are shown
    unchanged.
    """
    del caller
    book = await access.find(request.user_id, request.organization_id, place="body")
    read_concerns(http_request, user_id=book.owner.user_id)
    pending = await cataloguing.catch_up(book.book_id)
    rule = request.rule.document()
    links = await repository.check(book.book_id, rule, request.rule.under())
    found = await entries.newest(book.book_id, request.entries)
    try:
        outcomes = await CompiledRules([rule | {"rule_id": None}], links).apply(
            found, longest_s=_LONGEST_TEST_S
        )
    except RulesTooSlow:
        message = f"the rule takes longer than {_LONGEST_TEST_S:g} s for these entries"
        raise validation_problem(
            [{"type": "rule_too_slow", "loc": ("body", "rule"), "msg": message}]
        ) from None
    held = [each for each in outcomes if each.held]
    result = {
        "examined": len(outcomes),
        "held": len(held),
        "changed": sum(each.after is not None for each in held),
        "items": [shown_entry(each) for each in held[::-1][:_MOST_SHOWN]],
        "pending_entries": pending,
    }
    return JsonBytes(json.dumps(result, separators=(",", ":")).encode())


@router.post(
    "/apply",
    status_code=202,
    response_model=JOB,
    responses={
        **ACCEPTED,
        **problems(*WRITES, BookNotFound, RuleNotFound, WalletNotFound, WalletBusy, UpstreamUnavailable),
    },
    operation_id="apply_rules",
    summary="Apply rules",
)
async def apply_rules(
    http_request: Request,
    caller: Writer,
    request: RulesApply,
    repository: Repository,
    entries: Entries,
    access: BookAccessOf,
) -> Response:
    """Apply rules to the entries of a book that it has read by now, as a job of the type `apply_rules`.

    By default nothing is written: the `result` of the job says how many entries were `examined`, for how many a rule
    `held`, how many would be `changed`, and shows the first of these. With `"dry_run": false` they are changed in one
    run, `run_id`, which `POST /api/v1/runs/{run_id}/undo` takes back.
    """
    book = await access.find(request.user_id, request.organization_id, place="body")
    wallets = [] if request.wallet_id is None else [str(request.wallet_id)]
    await repository.check(book.book_id, {"labels": {}, "wallets": wallets}, [])
    rule_ids = None if request.rule_ids is None else [str(each) for each in request.rule_ids]
    await entries.rules(book.book_id, rule_ids)
    arguments = {
        "book_id": book.book_id,
        "rule_ids": rule_ids,
        "wallet_id": next(iter(wallets), None),
        "from": request.from_,
        "to": request.to,
        "overwrite": request.overwrite,
        "dry_run": request.dry_run,
    }
    organization_id = book.owner.organization_id if caller.is_user else None
    job = await http_request.app.state.jobs.enqueue(
        "apply_rules", arguments, caller=caller, organization_id=organization_id
    )
    return accepted(job)


@router.get(
    "/{rule_id}",
    response_model=Rule,
    responses={200: {"headers": ETAG}, **problems(*READS, RuleNotFound, UpstreamUnavailable)},
    operation_id="get_rule",
    summary="Read a rule",
)
async def get_rule(
    request: Request, caller: Reader, rule_id: RuleInPath, repository: Repository, access: BookAccessOf
) -> Response:
    """A rule. `ETag` is for `If-Match` of a change. Those of others' books are not found."""
    del caller
    found, book = await _find(str(rule_id), repository, access)
    read_concerns(request, user_id=book.owner.user_id)
    return versioned_response(found)


@router.put(
    "/{rule_id}",
    response_model=Rule,
    responses={
        200: {"headers": ETAG},
        **problems(*WRITES, RuleNotFound, *_NAMED, VersionMismatch, WalletBusy),
    },
    operation_id="replace_rule",
    summary="Replace a rule",
)
async def replace_rule(
    caller: Writer,
    rule_id: RuleInPath,
    request: WrittenRule,
    repository: Repository,
    access: BookAccessOf,
    if_match: IfMatch = None,
) -> Response:
    """Replace a rule as a whole; its place in the order stays. What it has set before stays.

    With `If-Match`, a rule that has changed since is refused as `version_mismatch`.
    """
    del caller
    _, book = await _find(str(rule_id), repository, access)
    version = version_of(if_match, "a rule")
    return versioned_response(
        await repository.replace(str(rule_id), book.book_id, version, request.document())
    )


@router.delete(
    "/{rule_id}",
    status_code=204,
    response_class=Response,
    responses=problems(*READS, RuleNotFound, VersionMismatch, WalletBusy, UpstreamUnavailable),
    operation_id="delete_rule",
    summary="Delete a rule",
)
async def delete_rule(
    caller: Writer,
    rule_id: RuleInPath,
    repository: Repository,
    access: BookAccessOf,
    if_match: IfMatch = None,
) -> Response:
    """Delete a rule. What it has set stays; the run that set it can be taken back."""
    del caller
    _, book = await _find(str(rule_id), repository, access)
    await repository.delete(str(rule_id), book.book_id, version_of(if_match, "a rule"))
    return Response(status_code=204)


async def _find(rule_id: str, repository: RuleRepository, access: BookAccess) -> tuple[bytes, KnownBook]:
    """A rule that the caller may see, and its book.

    Raises:
        RuleNotFound: there is none, or the caller may not see its book.
    """
    found = await repository.get(rule_id)
    try:
        return found, await access.require(json.loads(found)["book_id"])
    except BookNotFound:
        raise RuleNotFound(rule_id=rule_id) from None
