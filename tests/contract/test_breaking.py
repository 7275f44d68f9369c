"""What breaks a client is named, and what does not is not."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from contract.breaking import breaking_changes
from contract.document import current

Document = dict[str, Any]

AMOUNT = {"anyOf": [{"type": "string", "pattern": "^[0-9]+$"}, {"type": "number", "minimum": 0}]}
ASKED = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount"],
    "properties": {
        "amount": AMOUNT,
        "note": {"type": "string", "maxLength": 100},
        "kind": {"type": "string", "enum": ["main", "travel"]},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "atomic": {"type": "boolean", "default": False},
        "metadata": {"type": "object", "maxProperties": 20, "propertyNames": {"maxLength": 40}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "step": {"type": "integer", "multipleOf": 5},
        "operation": {
            "oneOf": [{"type": "object", "properties": {"type": {"const": "fee"}}}],
            "discriminator": {"propertyName": "type", "mapping": {"fee": "#/components/schemas/Wallet"}},
        },
    },
}
ANSWERED = {
    "type": "object",
    "required": ["id", "status"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "status": {"type": "string", "enum": ["active", "closed"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "within": {"type": "array", "items": {"$ref": "#/components/schemas/Wallet"}},
    },
}
REFUSED = {"$ref": "#/components/schemas/Problem", "properties": {"code": {"enum": ["insufficient_funds"]}}}
CODES = {"enum": ["insufficient_funds", "wallet_closed"]}
DOCUMENT: Document = {
    "paths": {
        "/wallets": {
            "get": {
                "operationId": "list_wallets",
                "parameters": [
                    {
                        "in": "query",
                        "name": "limit",
                        "schema": {"type": "integer", "maximum": 100, "default": 50},
                    }
                ],
                "responses": {"200": {"content": {"application/json": {}, "text/csv": {}}}},
            },
            "post": {
                "security": [{"bearer": []}],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/WalletCreate"}},
                        "text/csv": {"schema": {"type": "string"}},
                    }
                },
                "responses": {
                    "201": {
                        "headers": {"Location": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wallet"}}},
                    },
                    "402": {"content": {"application/problem+json": {"schema": REFUSED}}},
                    "409": {"content": {"application/json": {"schema": {"enum": ["closed", "frozen"]}}}},
                },
            },
        }
    },
    "components": {
        "schemas": {
            "WalletCreate": ASKED,
            "Wallet": ANSWERED,
            "Problem": {"type": "object", "properties": {"code": CODES}},
        },
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    },
}


def get(document: Document) -> Document:
    return document["paths"]["/wallets"]["get"]


def post(document: Document) -> Document:
    return document["paths"]["/wallets"]["post"]


def asked(document: Document) -> Document:
    return document["components"]["schemas"]["WalletCreate"]


def answered(document: Document) -> Document:
    return document["components"]["schemas"]["Wallet"]


def changed(change: Callable[[Document], Any]) -> list[str]:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    assert document != DOCUMENT
    return breaking_changes(DOCUMENT, document)


def other_scheme(document: Document) -> None:
    document["components"]["securitySchemes"]["bearer"] = {"type": "apiKey", "in": "query", "name": "key"}


def renamed(document: Document) -> None:
    """Of a schema, with all that refers to it."""
    text = json.dumps(document).replace('"Wallet"', '"Purse"').replace('schemas/Wallet"', 'schemas/Purse"')
    document.clear()
    document.update(json.loads(text))


NEEDED = {"in": "header", "name": "X-Tenant", "required": True, "schema": {"type": "string"}}

BREAKING: list[tuple[Callable[[Document], Any], list[str]]] = [
    (lambda d: d["paths"].pop("/wallets"), ["GET /wallets: is gone", "POST /wallets: is gone"]),
    (lambda d: d["paths"]["/wallets"].pop("get"), ["GET /wallets: is gone"]),
    (lambda d: get(d).update(security=[{"bearer": []}]), ["GET /wallets: now needs credentials"]),
    (lambda d: get(d).update(parameters=[]), ["GET /wallets: query parameter limit is gone"]),
    (
        lambda d: get(d)["parameters"].append(NEEDED),
        ["GET /wallets: header parameter X-Tenant is now required"],
    ),
    (
        lambda d: get(d)["parameters"][0].update(required=True),
        ["GET /wallets: query parameter limit is now required"],
    ),
    (
        lambda d: get(d)["parameters"][0]["schema"].update(maximum=50),
        ["GET /wallets: query parameter limit: maximum was 100, is 50"],
    ),
    (
        lambda d: get(d)["parameters"][0]["schema"].update(default=10),
        ["GET /wallets: query parameter limit: default was 50, is 10"],
    ),
    (
        lambda d: get(d)["parameters"][0].update(explode=False),
        [
            "GET /wallets: query parameter limit: is written in another way: form, one by one, now form, in one"
        ],
    ),
    (
        lambda d: get(d)["parameters"][0].update(allowReserved=True),
        ["GET /wallets: query parameter limit: can't decide: allowReserved changed"],
    ),
    (
        lambda d: get(d).update(operationId="all_wallets"),
        ["GET /wallets: operationId was list_wallets, is all_wallets"],
    ),
    (lambda d: get(d).update(callbacks={"paid": {}}), ["GET /wallets: can't decide: callbacks changed"]),
    (lambda d: d["paths"]["/wallets"].update(parameters=[]), ["/wallets: can't decide: parameters changed"]),
    (
        lambda d: post(d).update(security=[{"mtls": []}]),
        ["POST /wallets: now needs credentials: mtls, not bearer"],
    ),
    (
        lambda d: post(d).update(security=[{"bearer": ["wallets"]}]),
        ["POST /wallets: now needs credentials: bearer, not bearer"],
    ),
    (other_scheme, ["POST /wallets: the credentials bearer have changed"]),
    (lambda d: d.update(security=[{"bearer": []}]), ["GET /wallets: now needs credentials"]),
    (lambda d: d.update(servers=[{"url": "/wallet"}]), ["server /: is gone"]),
    (renamed, ["schema Wallet: is gone, or has another name"]),
    (
        lambda d: get(d)["parameters"][0]["schema"].update(minimum=1),
        ["GET /wallets: query parameter limit: minimum was none, is 1"],
    ),
    (
        lambda d: get(d)["responses"]["200"]["content"].pop("text/csv"),
        ["GET /wallets: 200 is no longer sent as text/csv"],
    ),
    (lambda d: post(d).pop("requestBody"), ["POST /wallets: takes no body any more"]),
    (lambda d: post(d)["requestBody"].update(required=True), ["POST /wallets: now requires a body"]),
    (
        lambda d: post(d)["requestBody"]["content"].pop("text/csv"),
        ["POST /wallets: no longer reads text/csv"],
    ),
    (lambda d: post(d)["responses"].pop("201"), ["POST /wallets: no longer responds with 201"]),
    (
        lambda d: post(d)["responses"]["201"].pop("headers"),
        ["POST /wallets: 201 has no header Location any more"],
    ),
    (
        lambda d: post(d)["responses"]["409"]["content"]["application/json"]["schema"]["enum"].remove(
            "frozen"
        ),
        ["POST /wallets: 409 response: 'frozen' is gone"],
    ),
    (
        lambda d: post(d)["responses"]["201"]["headers"]["Location"].update(schema={"type": "integer"}),
        ["POST /wallets: 201 header Location: type was string, is integer"],
    ),
    (
        lambda d: post(d)["responses"]["402"]["content"]["application/problem+json"]["schema"].update(
            properties={"code": {"enum": ["wallet_closed"]}}
        ),
        ["POST /wallets: 402 response/code: 'insufficient_funds' is gone"],
    ),
    # What is asked with
    (
        lambda d: asked(d)["properties"]["atomic"].update(default=True),
        ["POST /wallets: body/atomic: default was false, is true"],
    ),
    (
        lambda d: asked(d)["properties"]["metadata"].update(maxProperties=3),
        ["POST /wallets: body/metadata: maxProperties was 20, is 3"],
    ),
    (
        lambda d: asked(d)["properties"]["metadata"].update(propertyNames={"maxLength": 20}),
        ["POST /wallets: body/metadata, its members' names: maxLength was 40, is 20"],
    ),
    (
        lambda d: asked(d)["properties"]["tags"].update(uniqueItems=True),
        ["POST /wallets: body/tags: uniqueItems was none, is True"],
    ),
    (
        lambda d: asked(d)["properties"]["step"].update(multipleOf=2),
        ["POST /wallets: body/step: multipleOf was 5, is 2"],
    ),
    (
        lambda d: asked(d).update(allOf=[{"required": ["note"]}, {"$ref": "#/components/schemas/Problem"}]),
        ["POST /wallets: body/note: is now required"],
    ),
    (
        lambda d: asked(d)["properties"]["note"].update(contentEncoding="base64"),
        ["POST /wallets: body/note: can't decide: contentEncoding changed"],
    ),
    (
        lambda d: asked(d)["properties"]["operation"]["discriminator"]["mapping"].clear(),
        ["POST /wallets: body/operation: can't decide: discriminator changed"],
    ),
    (lambda d: asked(d)["required"].append("note"), ["POST /wallets: body/note: is now required"]),
    (lambda d: asked(d)["properties"].pop("note"), ["POST /wallets: body/note: is no longer accepted"]),
    (
        lambda d: asked(d)["properties"]["note"].update(maxLength=50),
        ["POST /wallets: body/note: maxLength was 100, is 50"],
    ),
    (
        lambda d: asked(d)["properties"]["note"].update(type="integer"),
        ["POST /wallets: body/note: type was string, is integer"],
    ),
    (
        lambda d: asked(d)["properties"]["kind"]["enum"].remove("main"),
        ["POST /wallets: body/kind: 'main' is gone"],
    ),
    (
        lambda d: asked(d)["properties"]["limit"]["anyOf"].pop(),
        ["POST /wallets: body/limit: type was null, is integer"],
    ),
    (
        lambda d: asked(d)["properties"]["amount"]["anyOf"].pop(),
        ["POST /wallets: body/amount: type was number, is string"],
    ),
    (
        lambda d: asked(d)["properties"]["amount"]["anyOf"][0].update(pattern="^[1-9]+$"),
        ["POST /wallets: body/amount: pattern was ^[0-9]+$, is ^[1-9]+$"],
    ),
    # What is answered
    (lambda d: answered(d)["properties"].pop("note"), ["POST /wallets: 201 response/note: is gone"]),
    (
        lambda d: answered(d)["required"].remove("status"),
        ["POST /wallets: 201 response/status: is no longer always there"],
    ),
    (
        lambda d: answered(d)["properties"]["status"]["enum"].remove("closed"),
        ["POST /wallets: 201 response/status: 'closed' is gone"],
    ),
    (
        lambda d: answered(d)["properties"]["status"].pop("enum"),
        ["POST /wallets: 201 response/status: was one of ['active', 'closed']"],
    ),
    (
        lambda d: answered(d)["properties"]["id"].update(anyOf=[{"type": "string"}, {"type": "null"}]),
        ["POST /wallets: 201 response/id: type was string, is null"],
    ),
    (
        lambda d: answered(d)["properties"]["id"].pop("format"),
        ["POST /wallets: 201 response/id: format was uuid, is none"],
    ),
    (
        lambda d: answered(d)["properties"]["within"].update(items={"type": "string"}),
        ["POST /wallets: 201 response/within/*: type was object, is string"],
    ),
]

HARMLESS: list[Callable[[Document], Any]] = [
    lambda d: d["paths"].update({"/holds": {"get": get(d)}}),
    lambda d: get(d)["parameters"].append({**NEEDED, "required": False}),
    lambda d: get(d)["parameters"][0]["schema"].update(maximum=200),
    lambda d: get(d)["parameters"][0].update(style="form", explode=True),
    lambda d: get(d)["parameters"][0].update({"x-shown": True, "description": "How many."}),
    lambda d: get(d).update(security=[]),
    lambda d: post(d)["security"].append({"mtls": []}),
    lambda d: d["components"]["securitySchemes"]["bearer"].update(description="A key."),
    lambda d: d.update(servers=[{"url": "/"}, {"url": "https://wallet"}]),
    lambda d: post(d)["responses"]["201"]["headers"].update({"ETag": {"schema": {"type": "string"}}}),
    lambda d: asked(d)["properties"]["limit"].update(default=None),
    lambda d: asked(d)["properties"]["metadata"].update(maxProperties=30),
    lambda d: asked(d)["properties"]["metadata"].pop("propertyNames"),
    lambda d: asked(d)["properties"]["tags"].update(uniqueItems=False),
    lambda d: asked(d)["properties"]["step"].update(multipleOf=1),
    lambda d: asked(d).update(allOf=[{"required": ["amount"]}]),
    lambda d: answered(d)["properties"]["status"].update(default="active"),
    lambda d: get(d)["parameters"][0]["schema"].update(type="number"),
    lambda d: post(d)["responses"].update({"403": {"content": {}}}),
    lambda d: post(d)["responses"]["409"]["content"]["application/json"]["schema"]["enum"].append("busy"),
    lambda d: asked(d)["properties"].update(colour={"type": "string"}),
    lambda d: asked(d)["required"].remove("amount"),
    lambda d: asked(d)["properties"]["kind"]["enum"].append("savings"),
    lambda d: asked(d)["properties"]["note"].update(anyOf=[{"type": "string"}, {"type": "null"}]),
    lambda d: asked(d)["properties"]["note"].update(description="For people."),
    lambda d: answered(d)["properties"].update(colour={"type": "string"}),
    lambda d: answered(d)["required"].append("note"),
    lambda d: answered(d)["properties"]["status"]["enum"].append("frozen"),
    lambda d: answered(d)["properties"]["note"]["anyOf"].pop(),
]


def test_nothing_breaks_when_nothing_changes() -> None:
    assert breaking_changes(DOCUMENT, copy.deepcopy(DOCUMENT)) == []
    document = current()
    assert breaking_changes(document, document) == []


@pytest.mark.parametrize(("change", "named"), BREAKING)
def test_what_breaks_a_client_is_named(change: Callable[[Document], Any], named: list[str]) -> None:
    assert changed(change) == named


@pytest.mark.parametrize("change", HARMLESS)
def test_what_breaks_no_client_is_not(change: Callable[[Document], Any]) -> None:
    assert changed(change) == []


def shared(document: Document) -> None:
    """The same document, with components by reference in place of the parts themselves."""
    components, limit, created = (
        document["components"],
        get(document)["parameters"],
        post(document)["responses"],
    )
    components["parameters"] = {"limit": limit[0]}
    limit[0] = {"$ref": "#/components/parameters/limit", "description": "How many."}
    components["headers"] = {"Location": created["201"]["headers"]["Location"]}
    created["201"]["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
    components["responses"] = {"created": created["201"]}
    created["201"] = {"$ref": "#/components/responses/created"}
    components["requestBodies"] = {"wallet": post(document)["requestBody"]}
    post(document)["requestBody"] = {"$ref": "#/components/requestBodies/wallet"}


def test_sharing_a_part_by_reference_breaks_no_client() -> None:
    document = copy.deepcopy(DOCUMENT)
    shared(document)
    assert breaking_changes(DOCUMENT, document) == []
    assert breaking_changes(document, DOCUMENT) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda d: d["components"]["parameters"]["limit"]["schema"].update(maximum=50),
            "GET /wallets: query parameter limit: maximum was 100, is 50",
        ),
        (
            lambda d: d["components"]["headers"]["Location"].update(schema={"type": "integer"}),
            "POST /wallets: 201 header Location: type was string, is integer",
        ),
        (
            lambda d: d["components"]["responses"]["created"]["content"].clear(),
            "POST /wallets: 201 is no longer sent as application/json",
        ),
        (
            lambda d: d["components"]["requestBodies"]["wallet"].update(required=True),
            "POST /wallets: now requires a body",
        ),
    ],
)
@pytest.mark.parametrize("before", ["in its place", "shared"])
def test_a_change_of_a_shared_part_is_named(
    change: Callable[[Document], Any], named: str, before: str
) -> None:
    old, new = copy.deepcopy(DOCUMENT), copy.deepcopy(DOCUMENT)
    shared(new)
    if before == "shared":
        shared(old)
    change(new)
    assert breaking_changes(old, new) == [named]


def test_a_reference_to_nothing_is_refused() -> None:
    document = copy.deepcopy(DOCUMENT)
    shared(document)
    del document["components"]["headers"]
    with pytest.raises(KeyError, match="the document has no #/components/headers/Location"):
        breaking_changes(DOCUMENT, document)


def test_it_finds_its_way_in_the_service_s_own_document() -> None:
    before, after = current(), copy.deepcopy(current())
    schemas = after["components"]["schemas"]
    schemas["BatchTransfer"]["required"].append("reference")
    schemas["Wallet"]["properties"].pop("version")
    schemas["Problem"]["properties"]["code"]["enum"].remove("wallet_frozen")
    changes = breaking_changes(before, after)
    assert "POST /api/v1/transactions/batch: body/operations/*/reference: is now required" in changes
    assert "GET /api/v1/wallets/{wallet_id}: 200 response/version: is gone" in changes
    assert "GET /api/v1/wallets: 200 response/items/*/version: is gone" in changes
    assert len(changes) < 20, changes
