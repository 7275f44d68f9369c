"""The endpoints: the functions that respond to requests."""

import json
import re
from decimal import Decimal
from urllib.parse import unquote

import httpx

from wallet_client.testing.fields import invalid, read
from wallet_client.testing.ledger import Document, Ledger, Wallet
from wallet_client.testing.operations import OPERATION_TYPES, Operation, post, transaction
from wallet_client.testing.problems import NotInFakeWallet, Refusal
from wallet_client.testing.values import EXPONENTS, dumps, units_of

ROOT = "/api/v1/"
MAX_BODY_BYTES = 1_048_576
MAX_BATCH_KEY = 255 - len("/499")
NEW_WALLET = (
    "wallet_type currency name keeping organization_id network address initial_balance credit_limit metadata"
)

_ESCAPED_NUL = re.compile(rb"(?<!\\)(\\\\)*\\u0000")


def answer(ledger: Ledger, request: httpx.Request) -> httpx.Response:  # noqa: C901, PLR0911, PLR0912 - an arm each
    """Answer a request, or raise Refusal or NotInFakeWallet; then nothing was changed."""
    if request.url.path.startswith(f"{ROOT}files"):
        raise NotInFakeWallet("files")
    if request.url.path.startswith(f"{ROOT}events"):
        raise NotInFakeWallet("events")
    if request.url.path.startswith(f"{ROOT}test-clock"):
        raise NotInFakeWallet("the test clock")
    if request.url.path.startswith(f"{ROOT}audit"):
        raise NotInFakeWallet("the audit trail")
    body = _body(request)
    key = request.headers.get("Idempotency-Key")
    path = request.url.raw_path.decode().partition("?")[0].removeprefix(ROOT)
    if request.headers.get("Authorization", "").count(".") == 2:  # noqa: PLR2004 - as in every JWT
        raise NotInFakeWallet("tokens of users")
    if request.url.params.keys() - {"limit"}:
        raise NotInFakeWallet(f"filters in {request.url}")
    if body.get("keeping") == "mirrored":
        raise NotInFakeWallet("mirrored wallets")
    match [request.method, *map(unquote, path.split("/"))]:
        case ["POST", "wallets"]:
            return _create_wallet(ledger, read(body, "body", "user_id", NEW_WALLET), key)
        case ["GET", "users", user_id, "wallets"]:
            return _list([wallet.document() for wallet in ledger.wallets_of(user_id)])
        case ["GET", "users", user_id, "transactions"]:
            return _history(ledger.wallets_of(user_id))
        case ["GET", "wallets", wallet_id, "transactions"]:
            return _history([ledger.wallet(_id(wallet_id))])
        case ["GET", "wallets", wallet_id, "balance"]:
            return _balance(ledger.wallet(_id(wallet_id)))
        case ["GET", "wallets", wallet_id]:
            return _json(ledger.wallet(_id(wallet_id)).document())
        case ["PATCH", "wallets", wallet_id]:
            changes = read(body, "body", optional="name metadata credit_limit status is_primary")
            if "metadata" in body:
                changes.setdefault("metadata", None)  # null removes all of it
            return _json(ledger.update(_id(wallet_id), _version(request), changes).document())
        case ["DELETE", "wallets", wallet_id]:
            return _json(ledger.close(_id(wallet_id), _version(request)).document())
        case ["POST", "wallets", wallet_id, type_] if type_ in OPERATION_TYPES.keys() - {"refund"}:
            return _post_one(ledger, type_, _id(wallet_id), body, request)
        case ["POST", "transactions", "batch"]:
            return _post_batch(ledger, body, request)
        case ["POST", "transactions", transaction_id, "refund"]:
            return _post_one(ledger, "refund", _id(transaction_id, "transaction_id"), body, request)
        case ["GET", "transactions", transaction_id]:
            return _json(transaction(ledger.posting(_id(transaction_id, "transaction_id"))))
        case _:
            raise NotInFakeWallet(f"{request.method} {request.url.path}")


def _body(request: httpx.Request) -> Document:
    if len(request.content) > MAX_BODY_BYTES:
        raise Refusal("payload_too_large", limit_bytes=MAX_BODY_BYTES)
    if _ESCAPED_NUL.search(request.content):
        raise invalid("body", {"": "text_not_storable"})
    return json.loads(request.content, parse_float=Decimal) if request.content else {}


def _id(value: str, name: str = "wallet_id") -> str:
    return read({name: value}, "path", name)[name]


def _version(request: httpx.Request) -> int | None:
    found = re.search(r"\d+", request.headers.get("If-Match", ""))  # of "7", or of the ETag "7.12"
    return None if found is None else int(found[0])


def _json(
    document: Document, status: int = 200, location: str | None = None, *, replayed: bool = False
) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    if "last_entry" in document:
        headers["ETag"] = f'"{document["version"]}.{document["last_entry"]}"'
    if location is not None:
        headers["Location"] = ROOT + location
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return httpx.Response(status, headers=headers, content=dumps(document).encode())


def _list(items: list[Document]) -> httpx.Response:
    return _json({"items": items, "next_cursor": None})


def _history(wallets: list[Wallet]) -> httpx.Response:
    rows = [row for wallet in wallets for row in wallet.rows]
    rows.sort(key=lambda row: (row["created_at"], row["wallet_id"], row["wallet_version"]), reverse=True)
    return _list(rows)


def _balance(wallet: Wallet) -> httpx.Response:
    names = ("wallet_id", "currency", "balance", "locked_balance", "available_balance", "credit_limit")
    document = wallet.document()
    present = {name: document[name] for name in names}
    return _json({**present, "wallet_version": len(wallet.rows), "at": None})


def _create_wallet(ledger: Ledger, members: Document, key: str | None) -> httpx.Response:
    members = {"wallet_type": "fiat", "currency": "CREDIT", "name": "main"} | members
    currency, deposit = members["currency"], members.pop("initial_balance", "0")
    if currency in EXPONENTS:
        units_of(members.get("credit_limit", "0"), currency)
    given = {
        name: value
        for name, value in members.items()
        if value != {} and (name, value) != ("credit_limit", "0")
    }
    asked = dumps({**given, "initial_balance": deposit})
    known: Document | None = ledger.result_of(key, asked)
    document = known
    if document is None:
        wallet = ledger.create(members, deposit)
        if deposit != "0":
            post(ledger, [Operation("deposit", {"wallet_id": wallet.wallet_id, "amount": deposit})])
        document = wallet.document()
    if key is not None:
        ledger.keys[key] = (asked, document)
    return _json(document, 201, f"wallets/{document['wallet_id']}", replayed=known is not None)


def _post_one(
    ledger: Ledger, type_: str, subject: str, body: Document, request: httpx.Request
) -> httpx.Response:
    rule = OPERATION_TYPES[type_]
    members = read(body, "body", rule.required, f"{rule.optional} dry_run")
    dry_run = members.pop("dry_run", False)
    members[rule.subject] = subject
    operation = Operation(type_, members, request.headers.get("Idempotency-Key"))
    (outcome,) = post(ledger, [operation], dry_run=dry_run, attempt=_attempt(request))
    if isinstance(outcome, Refusal):
        raise outcome
    document, replayed = outcome
    location = None if dry_run else f"transactions/{document['transaction_id']}"
    return _json(document, 200 if dry_run else 201, location, replayed=replayed)


def _post_batch(ledger: Ledger, body: Document, request: httpx.Request) -> httpx.Response:
    key = request.headers.get("Idempotency-Key")
    members = read(body, "body", "operations", "atomic dry_run")
    if key is not None and len(key) > MAX_BATCH_KEY:
        raise invalid("header", {"Idempotency-Key": "string_too_long"})
    operations = [
        _operation(document, None if key is None else f"{key}/{index}")
        for index, document in enumerate(members.pop("operations"))
    ]
    outcomes = post(ledger, operations, **members, attempt=_attempt(request))
    results = [
        outcome.result() if isinstance(outcome, Refusal) else {"status": "posted", "transaction": outcome[0]}
        for outcome in outcomes
    ]
    replayed = all(not isinstance(outcome, Refusal) and outcome[1] for outcome in outcomes)
    return _json({"results": results}, replayed=replayed)


def _attempt(request: httpx.Request) -> int:
    return int(request.headers.get("Idempotency-Attempt", "1"))


def _operation(document: Document, key: str | None) -> Operation | Refusal:
    type_ = document.get("type", "")
    if type_ not in OPERATION_TYPES:
        raise NotInFakeWallet(f"operation of the type {type_!r}")
    rule = OPERATION_TYPES[type_]
    given = {name: value for name, value in document.items() if name != "type"}
    try:
        members = read(given, "body", f"{rule.subject} {rule.required}", f"{rule.optional} idempotency_key")
    except Refusal as refusal:
        return refusal
    return Operation(type_, key=members.pop("idempotency_key", key), members=members)
