"""The requests that follow from the document alone: a successful one of each operation, and its documented refusals."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast

from contract.document import Document
from contract.postman.cases import JSON, NEVER, Case, Operation

KEY = "idempotency_key"


def successful(operation: Operation, values: Mapping[str, str], document: Document) -> Case:
    """The operation with the document's example of its body.

    Args:
        operation: the operation of the request.
        values: replacements of the ids in examples: ``{"wallet_id": "{{wallet_id}}"}``.
        document: the whole document.
    """
    keyed = operation.parameter("Idempotency-Key") is not None
    return Case(
        name=operation.described["summary"],
        operation=operation,
        status=operation.status,
        description=operation.described["description"],
        headers={"Idempotency-Key": f"{{{{{KEY}}}}}"} if keyed else {},
        sets={KEY: "{{$guid}}"} if keyed else {},
        body=_placed(_example(operation, document), values),
    )


def refusals(right: Case, document: Document) -> Iterator[Case]:
    """The same request with a fault, or with another form of the response.

    What is refused as it stands, because the collection can't sign it, has none.
    """
    if right.code is not None:
        return
    yield from _keys(right, document)
    yield from _of_a_body(right, document)
    yield from _of_a_path(right)
    yield from _of_parameters(right)
    if right.operation.described.get("security"):
        yield right.but("Without a key", "unauthorized", credentials=False)
        yield from _other_scope(right)


def _other_scope(right: Case) -> Iterator[Case]:
    if right.operation.method != "GET":
        yield right.but(
            "With a key that can only read", "forbidden", credentials="read_only_key", needs="read_only_key"
        )


def body_schema(operation: Operation, document: Document) -> Document:
    """The schema of its JSON body; empty when it reads none."""
    schema: Document = operation.reads.get(JSON, {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def _example(operation: Operation, document: Document) -> Any:
    if JSON in operation.reads:
        return body_schema(operation, document)["examples"][0]
    return next((content["example"] for content in operation.reads.values()), None)


def _placed(example: Any, values: Mapping[str, str], name: str = "") -> Any:
    if isinstance(example, dict):
        members = cast("Document", example)
        return {member: _placed(value, values, member) for member, value in members.items()}
    if isinstance(example, list):
        return [_placed(each, values) for each in cast("list[Any]", example)]
    return values.get(name, example)


def _keys(right: Case, document: Document) -> Iterator[Case]:
    schema = body_schema(right.operation, document)
    if "dry_run" in schema.get("properties", {}) and "200" in right.operation.described["responses"]:
        each = "pm.expect(each.transaction.dry_run).to.be.true"
        batch = f'pm.test("Each is a dry run", () => answer.results.forEach((each) => {each}));'
        # The response to a single operation has the member dry_run, which the checks of every response compare.
        dry = batch if right.status == HTTPStatus.OK else ""
        body = {**right.body, "dry_run": True}
        yield right.but("As a dry run", body=body, status=HTTPStatus.OK, headers={}, check=dry)
    if "Idempotency-Key" not in right.headers:
        return
    yield right.but("Again with the same key", replayed=True)
    properties = schema.get("properties", {})
    if "reference" in properties:
        body = {**right.body, "reference": "another request"}
        yield right.but("The same key for another request", "idempotency_key_reused", body=body)
    if KEY in properties:
        body = {**right.body, KEY: "another-key"}
        yield right.but("With different keys in header and body", "idempotency_key_conflict", body=body)


def _of_a_body(right: Case, document: Document) -> Iterator[Case]:
    schema = body_schema(right.operation, document)
    fresh = {name: value for name, value in right.headers.items() if name != "Idempotency-Key"}
    if not schema:
        return
    properties = schema["properties"]
    if schema.get("required"):
        yield right.but("Without required members", "validation_failed", body={}, headers=fresh)
    if schema.get("additionalProperties") is False:
        body = {**right.body, "colour": "blue"}
        yield right.but("With an unknown member", "validation_failed", body=body, headers=fresh)
    if "amount" in properties:
        too_fine, negative = {**right.body, "amount": "0.0000001"}, {**right.body, "amount": "-1"}
        yield right.but(
            "With more decimals than the currency has", "amount_precision", body=too_fine, headers=fresh
        )
        yield right.but("With a negative amount", "amount_invalid", body=negative, headers=fresh)
    yield right.but(
        "JSON that ends too early", "malformed_request", body=json.dumps(right.body)[:-1], headers=fresh
    )
    other_type = {**fresh, "Content-Type": "text/plain"}
    yield right.but(
        "As plain text", "unsupported_media_type", body=json.dumps(right.body), headers=other_type
    )


def _of_a_path(right: Case) -> Iterator[Case]:
    fresh = {name: value for name, value in right.headers.items() if name != "Idempotency-Key"}
    for parameter in right.operation.parameters:
        code = f"{parameter['name'].removesuffix('_id')}_not_found"
        if parameter["in"] != "path" or parameter["schema"].get("format") != "uuid":
            continue
        named = f"{'an' if parameter['name'][0] in 'aeio' else 'a'} {parameter['name']}"
        if code in right.operation.codes:
            path = {**right.path, parameter["name"]: NEVER}
            yield right.but(f"Of {named} that does not exist", code, path=path, headers=fresh)
        path = {**right.path, parameter["name"]: "not-a-uuid"}
        yield right.but(f"Of {named} that is not a UUID", "validation_failed", path=path, headers=fresh)


def _of_parameters(right: Case) -> Iterator[Case]:
    if right.operation.parameter("limit"):
        query = {**right.query, "limit": "101"}
        yield right.but("With too high a limit", "validation_failed", query=query)
    if right.operation.parameter("cursor"):
        query = {**right.query, "cursor": "made-up"}
        yield right.but("With an invalid cursor", "validation_failed", query=query)
    if right.operation.parameter("If-Match"):
        yield right.but(
            "Of an older version", "version_mismatch", headers={**right.headers, "If-Match": '"999"'}
        )
    if JSON in right.operation.responses and "text/csv" in right.operation.responses:
        csv = "/^\\w+(,\\w+)+\\r?\\n.+,.+/"
        check = f'pm.test("It has a header line and other lines", () => pm.expect(pm.response.text()).to.match({csv}));'
        yield right.but("As CSV", headers={**right.headers, "Accept": "text/csv"}, check=check)
