"""Writes the collection in Postman's format 2.1."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from contract.document import Document
from contract.postman.cases import JSON, STREAM, Case, Operation, operations
from contract.postman.generated import refusals, successful
from contract.postman.scripts import after, before, before_every_request, every_response
from contract.postman.written import FOLDER, flows, read, written

COLLECTION = FOLDER / "wallet-service.postman_collection.json"
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_IDS = uuid.UUID("6f0b5b3a-6d0f-4c39-9d5e-2f3a7f1c5b11")
_IN_ENVIRONMENT = "the environment has it as a secret, which is neither shown nor part of the collection"
_GIVEN = {
    "base_url": ("http://127.0.0.1:8208", "The address of the service, without /api/v1."),
    "api_key": ("", f"Stays empty here: {_IN_ENVIRONMENT}."),
    "read_only_key": ("", f"Stays empty here, as api_key does: {_IN_ENVIRONMENT}."),
}
_ABOUT = """\
Every operation of the wallet service, with a successful request and the refusals that a client can cause. Flows show \
how operations are used together.

1. Import one of the environments next to the collection and select it. Set the current value of `api_key`, a secret: a \
key with the scope admin, the key that `scripts/run` printed, or WALLET_ADMIN_KEY. `base_url` is `{base_url}` unless you \
change it. With `read_only_key`, a key with only the scope wallets:read, the refusals of such a key are shown too. Set \
no key in the variables of the collection: they are part of every copy of the collection.
2. Send single requests, run a folder, or run the whole collection. Each folder starts with the requests that prepare \
it. They create users of their own, so a folder can run on any database and any number of times. Before you send a \
single request, send the first requests of its folder.
3. The scripts of the collection check every response, also those to requests that you add: status, schema, request id, \
replays. The first line of a request's pre-request script sets the expected response: `pm.variables.set("expected", "404 \
wallet_not_found")`. Requests that you add may leave it out.

`postman/operations.yaml` and `postman/flows/` are written by hand. `scripts/openapi` generates the rest from \
`openapi.json`: change those files, not this one."""


@dataclass
class _Folder:
    name: str
    description: str
    before: list[Case]
    operations: list[tuple[Operation, list[Case]]] = field(default_factory=list[tuple[Operation, list[Case]]])


def collection(document: Document) -> Document:
    """The collection of this OpenAPI document. The same document always gives the same collection."""
    known = operations(document)
    hints = read(FOLDER / "operations.yaml")
    items = [_folder(each, document) for each in _folders(document, known, hints)]
    items.append(
        {
            "name": "Flows",
            "description": "Operations that belong together, in order.",
            "item": [
                {
                    "name": flow.name,
                    "description": flow.description,
                    "item": [_item(case, f"flow {flow.name}", document) for case in flow.cases],
                }
                for flow in flows(known)
            ],
        }
    )
    events = [
        _event("prerequest", before_every_request()),
        _event("test", every_response(document, known, hints["responses"])),
    ]
    return {
        "info": {
            "_postman_id": str(_IDS),
            "name": "Wallet service",
            "description": _ABOUT.format(base_url=_GIVEN["base_url"][0]),
            "version": document["info"]["version"],
            "schema": _SCHEMA,
        },
        "auth": _bearer("api_key"),
        "variable": [*_variables([*events, *items])],
        "event": events,
        "item": items,
    }


def cases_of(operation: Operation, hints: Mapping[str, Any], document: Document) -> list[Case]:
    """All requests of an operation: the successful one, the refusals, and those of operations.yaml."""
    hint = hints["operations"].get(operation.name, {})
    own = {name: value for name, value in hint.items() if name not in {"folder", "more", "last"}}
    right = written(own, {}, successful(operation, hints["values"], document))
    more = [
        written(request, {}, right.but(request["name"], status=right.status, check=""))
        for request in hint.get("more", ())
    ]
    said = {case.name for case in more}
    others = [*(case for case in refusals(right, document) if case.name not in said), *more]
    if set(operation.responses) == {STREAM}:
        return others  # the successful one would not end
    # After it is closed, the other refusals can't be shown.
    return [*others, right] if operation.method == "DELETE" else [right, *others]


def _folders(document: Document, known: Mapping[str, Operation], hints: Mapping[str, Any]) -> list[_Folder]:
    named = {
        each["name"]: _Folder(
            each["name"], each["description"], [written(one, known) for one in each.get("before", ())]
        )
        for each in hints["folders"]
    }
    of_tag = {each["tag"]: each["name"] for each in hints["folders"] if "tag" in each}
    for name in hints["operations"].keys() - known.keys():
        raise KeyError(f"postman/operations.yaml: the document has no {name}")
    ordered = sorted(
        known.values(), key=lambda each: bool(hints["operations"].get(each.name, {}).get("last"))
    )
    for operation in ordered:
        tag = operation.tag
        name = hints["operations"].get(operation.name, {}).get("folder") or of_tag.get(tag, tag.capitalize())
        folder = named.setdefault(name, _Folder(name, "", []))
        folder.operations.append((operation, cases_of(operation, hints, document)))
    return list(named.values())


def _folder(folder: _Folder, document: Document) -> Document:
    items = [_item(case, folder.name, document) for case in folder.before]
    for operation, cases in folder.operations:
        inner = [_item(case, operation.name, document) for case in cases]
        described = {
            "name": operation.described["summary"],
            "description": operation.described["description"],
        }
        items += [{**described, "item": inner}] if len(cases) > 1 else inner
    return {"name": folder.name, "description": folder.description, "item": items}


def _item(case: Case, place: str, document: Document) -> Document:
    scripts = {"prerequest": before(case), "test": after(case)}
    return {
        "id": str(uuid.uuid5(_IDS, f"{place}/{case.name}")),
        "name": case.name if case.code is None else f"{case.status} {case.name}",
        "event": [_event(name, lines) for name, lines in scripts.items() if lines],
        "request": {
            **_sent(case, documented=case.shows_operation),
            "description": _described(case),
            **_auth(case),
        },
        "response": list(_saved(case, document)),
    }


def _sent(case: Case, *, documented: bool) -> Document:
    """The request. ``documented``: with descriptions, and with the other parameters that may be sent."""
    return {
        "method": case.operation.method,
        "header": [_header(case, name, value, documented) for name, value in _headers(case).items()],
        **({} if case.body is None else {"body": _body(case)}),
        "url": _url(case, documented),
    }


def _saved(case: Case, document: Document) -> Iterator[Document]:
    """The document's example of the response, with the request that shows the operation."""
    content = case.operation.responses.get(JSON, {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name and case.shows_operation:
        examples = [each["value"] for each in content.get("examples", {}).values()]
        examples += document["components"]["schemas"][name]["examples"]
        yield {
            "name": f"Example response: {case.status} {HTTPStatus(case.status).phrase}",
            "originalRequest": _sent(case, documented=False),
            "status": HTTPStatus(case.status).phrase,
            "code": case.status,
            "_postman_previewlanguage": "json",
            "header": [{"key": "Content-Type", "value": JSON}],
            "body": json.dumps(examples[0], indent=2),
        }


def _described(case: Case) -> str:
    if case.description:
        return case.description
    response = f"`{case.code}`" if case.code else HTTPStatus(case.status).phrase
    return f"{case.operation.described['summary']}. The response is {case.status} {response}."


def _auth(case: Case) -> Document:
    if case.credentials is False or not case.operation.described.get("security"):
        return {"auth": {"type": "noauth"}}
    return {"auth": _bearer(case.credentials)} if isinstance(case.credentials, str) else {}


def _bearer(variable: str) -> Document:
    return {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{variable}}}}}", "type": "string"}]}


def _headers(case: Case) -> dict[str, str]:
    is_json = isinstance(case.body, dict) or (case.body is not None and JSON in case.operation.reads)
    return ({"Content-Type": JSON} if is_json else {}) | dict(case.headers)


def _header(case: Case, name: str, value: str, documented: bool) -> Document:
    parameter = case.operation.parameter(name) if documented else None
    return {"key": name, "value": value, **_description(parameter or {})}


def _description(parameter: Document) -> Document:
    return {"description": parameter["description"]} if parameter.get("description") else {}


def _body(case: Case) -> Document:
    if isinstance(case.body, str):
        return {"mode": "raw", "raw": case.body}
    raw = json.dumps(case.body, indent=2, ensure_ascii=False)
    return {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}


def _url(case: Case, documented: bool) -> Document:
    parts = [
        f":{part[1:-1]}" if part.startswith("{") else part
        for part in case.operation.path.strip("/").split("/")
    ]
    query = [
        {"key": parameter["name"], "value": case.query.get(parameter["name"], "")}
        | (_description(parameter) if documented else {})
        | ({} if parameter["name"] in case.query else {"disabled": True})
        for parameter in case.operation.parameters
        if parameter["in"] == "query" and (documented or parameter["name"] in case.query)
    ]
    sent = "&".join(f"{name}={value}" for name, value in case.query.items())
    variables = [
        {"key": part[1:], "value": case.path.get(part[1:], f"{{{{{part[1:]}}}}}")}
        for part in parts
        if part.startswith(":")
    ]
    return {
        "raw": "{{base_url}}/" + "/".join(parts) + (f"?{sent}" if sent else ""),
        "host": ["{{base_url}}"],
        "path": parts,
        **({"query": query} if query else {}),
        **({"variable": variables} if variables else {}),
    }


def _event(name: str, lines: list[str]) -> Document:
    return {"listen": name, "script": {"type": "text/javascript", "exec": lines}}


def _variables(parts: list[Document]) -> Iterator[Document]:
    """The variables that people set, and those that requests set for each other."""
    for name, (value, description) in _GIVEN.items():
        yield {"key": name, "value": value, "type": "string", "description": description}
    kept = re.findall(r'collectionVariables\.set\(\\"(\w+)\\"', json.dumps(parts))
    for name in sorted(set(kept) - _GIVEN.keys()):
        yield {"key": name, "value": "", "type": "string", "description": "Set by the requests."}
