"""The service's HTTP API on a store: which request becomes what, and how it is answered."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from wallet_client.testing import forms, pages, reading
from wallet_client.testing.asking import ROOT, Answer, Asked, Handler, Route, read_request
from wallet_client.testing.callers import Caller, caller_of
from wallet_client.testing.currencies import CURRENCIES
from wallet_client.testing.ledger import COUNTER_ACCOUNTS, Operation, Outcome, Posted, create, post
from wallet_client.testing.problems import KINDS, Refusal, fault, invalid
from wallet_client.testing.store import Store, Wallet, rows_document

MOST_BODY_BYTES = 1_048_576
LONGEST_BATCH_KEY = 255 - len("/499")
DEFAULT_LIMIT = 50

_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,18})(?:\.[0-9]{1,18})?"?', re.ASCII)


def answer(
    store: Store, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Do what is asked.

    Raises:
        Refusal: and nothing was done.
    """
    if len(body) > MOST_BODY_BYTES:
        detail = f"The body is larger than {MOST_BODY_BYTES} bytes"
        raise Refusal("payload_too_large", detail, limit_bytes=MOST_BODY_BYTES)
    if method == "GET" and path in ("/health", "/health/live", "/health/ready"):
        return Answer(HTTPStatus.OK, {"status": "ok", "version": "fake"})
    if path == f"{ROOT}/wallets/import":
        raise NotImplementedError("FakeWallet has no imports")
    here = [(route, parts) for route in ROUTES if (parts := route.match(path)) is not None]
    if not here:
        raise Refusal("not_found")
    found = next(((route, parts) for route, parts in here if route.method == method), None)
    if found is None:
        raise Refusal("method_not_allowed")
    caller = caller_of(headers.get("authorization"), store.client_id, store.clock())
    route, parts = found
    if route.not_for_users is not None:
        caller.refuse_user(route.not_for_users)
    return route.handler(store, read_request(caller, route, parts, query, headers, body))


# Wallets


def _wallet(
    document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    etag = f'"{document["version"]}.{document["last_entry"]}"'
    return Answer(status, document, {"ETag": etag, **(headers or {})})


def _create_wallet(store: Store, asked: Asked) -> Answer:
    if asked.caller.user_id not in (None, asked.body["user_id"]):
        raise Refusal("forbidden", "A user makes wallets for themselves only")
    _refuse_members(asked, "initial_balance", "credit_limit", "organization_id")
    wanted = {"wallet_type": "fiat", "currency": "CREDIT", "name": "main", **asked.body}
    key = asked.key()
    wanted.pop("idempotency_key", None)
    initial = wanted.pop("initial_balance", None)
    if initial is not None and initial.strip("0.") == "":
        initial = None
    document, replayed = create(store, asked.caller, wanted, initial, key)
    headers = {"Location": f"{ROOT}/wallets/{document['wallet_id']}"}
    return _wallet(document, 201, headers | _replay(replayed))


def _refuse_members(asked: Asked, *members: str) -> None:
    for member in members:
        if member in asked.body:
            asked.caller.refuse_user(f"A user's token can't set {member}")


def _wallet_of(store: Store, asked: Asked) -> Wallet:
    return store.wallet(asked.path["wallet_id"], asked.caller.user_id)


def _get_wallet(store: Store, asked: Asked) -> Answer:
    return _wallet(_wallet_of(store, asked).document())


def _update_wallet(store: Store, asked: Asked) -> Answer:
    version = _version(asked)
    _refuse_members(asked, "status", "credit_limit")
    return _wallet(
        store.update(asked.path["wallet_id"], asked.caller.user_id, version, asked.body).document()
    )


def _close_wallet(store: Store, asked: Asked) -> Answer:
    version = _version(asked)
    return _wallet(store.close(asked.path["wallet_id"], asked.caller.user_id, version).document())


def _version(asked: Asked) -> int | None:
    if_match = asked.headers.get("if-match")
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise invalid("header", "/If-Match", "etag_invalid", "If-Match is not a wallet's ETag")
    return int(found[1])


def _list_wallets(store: Store, asked: Asked) -> Answer:
    asked.caller.refuse_user("A user's token lists its own wallets only")
    verified = asked.query.get("verified")
    wallets = [] if verified is False else list(store.wallets.values())
    return _wallet_page("all_wallets", {"verified": verified}, wallets, asked)


def _list_user_wallets(store: Store, asked: Asked) -> Answer:
    asked.caller.require_user(asked.path["user_id"])
    filters = {name: asked.query.get(name) for name in ("wallet_type", "currency", "status")}
    wallets = [
        wallet
        for wallet in store.of_user(asked.path["user_id"])
        if filters["wallet_type"] in (None, wallet.wallet_type)
        and filters["currency"] in (None, wallet.currency.code)
        and filters["status"] in (None, wallet.status)
    ]
    return _wallet_page("wallets", {**asked.path, **filters}, wallets, asked)


def _wallet_page(kind: str, scope: Mapping[str, Any], wallets: Sequence[Wallet], asked: Asked) -> Answer:
    if "cursor" in asked.query:
        (after,) = pages.decode(kind, scope, asked.query["cursor"], (str,))
        wallets = [wallet for wallet in wallets if wallet.wallet_id > after]
    limit = asked.query.get("limit", DEFAULT_LIMIT)
    shown = wallets[:limit]
    following = pages.encode(kind, scope, [shown[-1].wallet_id]) if len(wallets) > limit else None
    return Answer(200, {"items": [wallet.document() for wallet in shown], "next_cursor": following})


# Money


MINTING = ("deposit", "reward", "refund")


def _posted(outcome: Outcome, caller: Caller) -> Answer:
    if isinstance(outcome, Refusal):
        raise outcome
    document = rows_document(outcome.rows, caller.user_id, dry_run=outcome.dry_run)
    if outcome.dry_run:
        return Answer(200, document)
    location = {"Location": f"{ROOT}/transactions/{document['transaction_id']}"}
    return Answer(201, document, location | _replay(outcome.replayed))


def _replay(replayed: bool) -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if replayed else {}


def _operation(
    caller: Caller, kind: str, key: str | None, members: Mapping[str, Any], **place: str
) -> Operation:
    if kind in MINTING:
        caller.refuse_user(f"A user's token can't {kind}")
    if "counter_account" in members:
        caller.refuse_user("A user's token can't choose the counter account")
    beside = ("dry_run", "idempotency_key", "type")
    plain = {name: value for name, value in members.items() if name not in beside}
    return Operation(caller, kind, key, {**plain, **place})


def _move(kind: str, store: Store, asked: Asked) -> Answer:
    return _post_one(store, asked, kind, wallet_id=asked.path["wallet_id"])


def _refund(store: Store, asked: Asked) -> Answer:
    return _post_one(store, asked, "refund", original_transaction_id=asked.path["transaction_id"])


def _post_one(store: Store, asked: Asked, kind: str, **place: str) -> Answer:
    operation = _operation(asked.caller, kind, asked.key(), asked.body, **place)
    (outcome,) = post(store, [operation], dry_run=asked.body.get("dry_run", False))
    return _posted(outcome, asked.caller)


def _batch(store: Store, asked: Asked) -> Answer:
    key, body = asked.header_key, asked.body
    if key is not None and len(key) > LONGEST_BATCH_KEY:
        detail = f"A batch's key has at most {LONGEST_BATCH_KEY} characters"
        raise invalid("header", "/Idempotency-Key", "string_too_long", detail)
    atomic = body.get("atomic", False)
    outcomes = _decided(store, asked, atomic, body.get("dry_run", False))
    refusals = [each for each in outcomes if isinstance(each, Refusal)]
    if atomic and refusals:
        first = next(each for each in refusals if each.code != "batch_aborted")
        results = [_refused(each) for each in refusals]
        raise Refusal(
            first.code, first.detail, **{**first.facts, "index": outcomes.index(first), "results": results}
        )
    all_replayed = all(isinstance(each, Posted) and each.replayed for each in outcomes)
    results = [
        _refused(each) if isinstance(each, Refusal) else _kept(each, asked.caller) for each in outcomes
    ]
    return Answer(200, {"results": results}, _replay(all_replayed))


def _decided(store: Store, asked: Asked, atomic: bool, dry_run: bool) -> list[Outcome]:
    key = asked.header_key
    read = [
        _read_operation(asked.caller, document, f"{key}/{index}" if key is not None else None)
        for index, document in enumerate(asked.body["operations"])
    ]
    misfit = next((place for place, each in enumerate(read) if isinstance(each, Refusal)), None)
    if atomic and misfit is not None:
        aborted = Refusal("batch_aborted", index=misfit)
        fault_itself = read[misfit]
        assert isinstance(fault_itself, Refusal)  # noqa: S101 - the one that was found
        return [fault_itself if place == misfit else aborted for place in range(len(read))]
    operations = [each for each in read if isinstance(each, Operation)]
    outcomes = iter(post(store, operations, atomic=atomic, dry_run=dry_run))
    return [each if isinstance(each, Refusal) else next(outcomes) for each in read]


def _read_operation(caller: Caller, document: Any, batch_key: str | None) -> Operation | Refusal:
    if not isinstance(document, dict):
        detail = "Input should be a valid dictionary or object to extract fields from"
        return forms.refusal_of([fault("body", "", "model_attributes_type", detail)])
    given = cast("dict[str, Any]", document)
    if "type" not in given:
        detail = "Unable to extract tag using discriminator 'type'"
        return forms.refusal_of([fault("body", "", "union_tag_not_found", detail)])
    kind = given["type"]
    form = forms.OF_A_BATCH.get(kind) if isinstance(kind, str) else None
    if form is None:
        tags = ", ".join(f"'{each}'" for each in forms.OF_A_BATCH)
        detail = f"Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
        return forms.refusal_of([fault("body", "", "union_tag_invalid", detail)])
    members, errors = forms.read(form, given, "body")
    if errors:
        return forms.refusal_of(errors)
    try:
        return _operation(caller, kind, members.get("idempotency_key", batch_key), members)
    except Refusal as refusal:
        return refusal


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {"status": "refused", "problem": refusal.document()}


def _kept(posted: Posted, caller: Caller) -> dict[str, Any]:
    transaction = rows_document(posted.rows, caller.user_id, dry_run=posted.dry_run)
    return {"status": "posted", "transaction": transaction}


def _credits_balance(store: Store, asked: Asked) -> Answer:
    asked.caller.require_user(asked.path["user_id"])
    wallet = store.credits_wallet(asked.path["user_id"]).document()
    names = ("user_id", "wallet_id", "currency", "balance", "available_balance")
    return Answer(200, {name: wallet[name] for name in names})


def _consume_credits(store: Store, asked: Asked) -> Answer:
    asked.caller.require_user(asked.path["user_id"])
    spent = store.spent_on(asked.caller.client_id, asked.key())
    wallet = store.credits_wallet(asked.path["user_id"], spent)
    return _post_one(store, asked, "consume", wallet_id=wallet.wallet_id)


# Reading


def _get_transaction(store: Store, asked: Asked) -> Answer:
    name, viewer = asked.path["transaction_id"], asked.caller.user_id
    rows = store.postings.get(name, ())
    if not any(viewer in (None, row.user_id) for row in rows):
        raise Refusal("transaction_not_found", transaction_id=name)
    return Answer(200, rows_document(rows, viewer))


def _get_balance(store: Store, asked: Asked) -> Answer:
    return Answer(200, reading.balance(store, _wallet_of(store, asked), asked.query.get("at")))


def _wallet_history(store: Store, asked: Asked) -> Answer:
    return _history("wallet_transactions", [_wallet_of(store, asked)], asked)


def _user_history(store: Store, asked: Asked) -> Answer:
    asked.caller.require_user(asked.path["user_id"])
    return _history("user_transactions", store.of_user(asked.path["user_id"]), asked)


def _history(kind: str, wallets: Sequence[Wallet], asked: Asked) -> Answer:
    if "text/csv" in asked.headers.get("accept", ""):
        raise NotImplementedError("FakeWallet has no histories as CSV")
    filters = {name: value for name, value in asked.query.items() if name not in ("cursor", "limit")}
    scope = {**asked.path, **filters}
    rows = reading.history(wallets, filters)
    if "cursor" in asked.query:
        before = pages.decode(kind, scope, asked.query["cursor"], (str, str, int))
        rows = [row for row in rows if reading.place_of(row) < tuple(before)]
    limit = asked.query.get("limit", DEFAULT_LIMIT)
    shown = rows[:limit]
    following = pages.encode(kind, scope, reading.place_of(shown[-1])) if len(rows) > limit else None
    document = {"items": [row.document(asked.caller.user_id) for row in shown], "next_cursor": following}
    return Answer(200, document, {"Vary": "Accept"})


def _wallet_statistics(store: Store, asked: Asked) -> Answer:
    wallet = _wallet_of(store, asked)
    return Answer(200, {**asked.path, **reading.statistics(store, [wallet], asked.query)})


def _user_statistics(store: Store, asked: Asked) -> Answer:
    asked.caller.require_user(asked.path["user_id"])
    wallets = store.of_user(asked.path["user_id"])
    return Answer(200, {**asked.path, **reading.statistics(store, wallets, asked.query)})


def _service_statistics(store: Store, asked: Asked) -> Answer:
    del asked
    return Answer(200, reading.service_statistics(store))


def _trial_balance(store: Store, asked: Asked) -> Answer:
    del asked
    return Answer(200, reading.trial_balance(store))


def _currencies(store: Store, asked: Asked) -> Answer:
    del store, asked
    items = [
        {"code": each.code, "exponent": each.exponent, "kind": each.kind, "name": each.name}
        for _, each in sorted(CURRENCIES.items())
    ]
    return Answer(200, {"items": items, "next_cursor": None})


def _post(template: str, handler: Handler, body: forms.Form) -> Route:
    return Route("POST", template, handler, body=body, keyed=True)


def _get(
    template: str, handler: Handler, query: forms.Form | None = None, not_for_users: str | None = None
) -> Route:
    return Route("GET", template, handler, query=query, not_for_users=not_for_users)


SUMS = "A user's token reads sums of its own wallets only"


ROUTES = (
    _post("/wallets", _create_wallet, forms.WALLET),
    _get("/wallets", _list_wallets, forms.ALL_WALLETS),
    _get("/wallets/{wallet_id}", _get_wallet),
    Route("PATCH", "/wallets/{wallet_id}", _update_wallet, body=forms.PATCH),
    Route("DELETE", "/wallets/{wallet_id}", _close_wallet),
    _get("/wallets/{wallet_id}/balance", _get_balance, forms.BALANCE),
    _get("/wallets/{wallet_id}/transactions", _wallet_history, forms.HISTORY),
    _get("/wallets/{wallet_id}/statistics", _wallet_statistics, forms.PERIOD),
    *(
        _post(f"/wallets/{{wallet_id}}/{kind}", partial(_move, kind), forms.MONEY)
        for kind in COUNTER_ACCOUNTS
    ),
    _post("/wallets/{wallet_id}/transfer", partial(_move, "transfer"), forms.TRANSFER),
    _post("/transactions/batch", _batch, forms.BATCH),
    _get("/transactions/{transaction_id}", _get_transaction),
    _post("/transactions/{transaction_id}/refund", _refund, forms.REFUND),
    _get("/users/{user_id}/wallets", _list_user_wallets, forms.USER_WALLETS),
    _get("/users/{user_id}/transactions", _user_history, forms.HISTORY),
    _get("/users/{user_id}/statistics", _user_statistics, forms.PERIOD),
    _get("/users/{user_id}/credits/balance", _credits_balance),
    _post("/users/{user_id}/credits/consume", _consume_credits, forms.MONEY),
    _get("/wallet/stats", _service_statistics, forms.NO_QUERY, SUMS),
    _get("/ledger/trial-balance", _trial_balance, forms.NO_QUERY, SUMS),
    _get("/currencies", _currencies, forms.NO_QUERY),
)


def code_of_status(status: int) -> str:
    """The code that stands for a status when a test asks for a failure."""
    for code in ("unavailable", "rate_limited", "internal_error", *KINDS):
        if KINDS[code].status == status:
            return code
    raise ValueError(f"no problem of the service has the status {status}")
