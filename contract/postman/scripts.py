"""The JavaScript of the collection: what is asked of each answer."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, cast

from contract.document import Document
from contract.postman.cases import JSON, Case, Operation

_EVERY_ANSWER = """\
// What holds for every answer, also to requests that you add: the form that the OpenAPI document promises.
const [, ...promised] = operations.find(([method, path]) =>
  method === pm.request.method && path.test(pm.request.url.getPath())) ?? [];
const refused = pm.response.code >= 400;
const [type] = (pm.response.headers.get("Content-Type") ?? "").split(";");

pm.test("The answer has a request id", () => pm.expect(pm.response.headers.get("X-Request-Id")).to.match(/./));
if (refused) {
  pm.test("The refusal is a problem document", () => {
    pm.expect(type).to.eql("application/problem+json");
    const problem = pm.response.json();
    pm.expect(problem).to.include.all.keys("type", "title", "status", "detail", "code", "retryable", "request_id");
    pm.expect(problem.retryable).to.be.a("boolean");
    pm.expect(problem.status).to.eql(pm.response.code);
    pm.expect(problem.type).to.eql(`urn:wallet:problem:${problem.code}`);
    pm.expect(problem.request_id).to.eql(pm.response.headers.get("X-Request-Id"));
  });
  if ([429, 503].includes(pm.response.code)) {
    pm.test("It says when to try again", () => pm.expect(Number(pm.response.headers.get("Retry-After"))).to.be.above(0));
  }
} else {
  const forms = promised[1]?.[pm.response.code] ?? {};
  const accepted = pm.request.headers.get("Accept") ?? "";
  const form = Object.keys(forms).find((each) => accepted.includes(each)) ?? Object.keys(forms)[0];
  pm.test(`The answer is ${form}`, () => {
    pm.expect(form, "an answer that the document does not know").to.be.a("string");
    pm.expect(type).to.eql(form);
  });
  if (forms[form]) {
    pm.test(`The answer is a ${forms[form]}, amounts are text`, () =>
      pm.response.to.have.jsonSchema({ ...schemas[forms[form]], components: { schemas } }));
  }
}
"""

_ANSWER = "  const answer = pm.response.json();"
_AMOUNTS = {"amount", "balance", "credit_limit"}
_ANSWERED_AS: Mapping[tuple[str, str], str] = {
    ("POST", "initial_balance"): "balance",
    ("POST", "transaction_id"): "original_transaction_id",
}
_ONLY_FOR_PEOPLE = {"title", "description", "examples", "example", "default", "discriminator"}


def every_answer(document: Document, operations: Mapping[str, Operation]) -> list[str]:
    """The collection's own test, which runs after each request."""
    known = document["components"]["schemas"]
    used: dict[str, Any] = {}
    answers = {operation.name: _answered(operation) for operation in operations.values()}
    waiting = [
        name for each in answers.values() for forms in each.values() for name in forms.values() if name
    ]
    while waiting:
        name = waiting.pop(0)
        if name not in used:
            used[name] = _plain(known[name])
            waiting += _named(used[name])
    lines = ["// Made of openapi.json by scripts/openapi.", "const schemas = {"]
    lines += [f"  {name}: {json.dumps(schema)}," for name, schema in sorted(used.items())]
    lines += ["};", "const operations = ["]
    for operation in operations.values():
        pattern = "/".join("[^/]+" if part.startswith("{") else part for part in operation.path.split("/"))
        expression = pattern.replace("/", "\\/").replace("[^\\/]", "[^/]")
        lines.append(f'  ["{operation.method}", /{expression}$/, {json.dumps(answers[operation.name])}],')
    return [*lines, "];", *_EVERY_ANSWER.splitlines()]


def _answered(operation: Operation) -> dict[str, dict[str, str]]:
    """The media types of each answer that is no refusal, by status, and the name of the schema where it is JSON."""
    return {
        status: {
            media_type: answer_schema(operation, status) if media_type == JSON else ""
            for media_type in response["content"]
        }
        for status, response in operation.described["responses"].items()
        if int(status) < HTTPStatus.BAD_REQUEST
    }


def answer_schema(operation: Operation, status: int | str) -> str:
    """The name of the schema of a JSON answer; empty when it is not JSON."""
    content = operation.described["responses"].get(str(status), {}).get("content", {})
    return content.get(JSON, {}).get("schema", {}).get("$ref", "").rpartition("/")[2]


def _plain(schema: Any, within: str = "") -> Any:
    """Without what only people read; a member of an object may be called ``title`` or ``description``."""
    if isinstance(schema, list):
        return [_plain(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    words = cast("Document", schema)
    if within == "properties":
        return {name: _plain(value) for name, value in words.items()}
    return {name: _plain(value, name) for name, value in words.items() if name not in _ONLY_FOR_PEOPLE}


def _named(schema: Any) -> list[str]:
    """The schemas that this one refers to."""
    return re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema))


def before(case: Case) -> list[str]:
    """The request's own script before it is sent."""
    lines: list[str] = []
    if case.needs:
        lines += [f'if (!pm.variables.get("{case.needs}")) {{', "  pm.execution.skipRequest();", "}"]
    lines += [
        f'pm.collectionVariables.set("{name}", pm.variables.replaceIn({json.dumps(value)}));'
        for name, value in case.sets.items()
    ]
    return lines + case.before.splitlines()


def after(case: Case, document: Document) -> list[str]:
    """The request's own assertions, and what it keeps for those after it."""
    phrase = HTTPStatus(case.status).phrase
    lines = [
        f'pm.test("{case.status} {case.code or phrase}", () => {{',
        f"  pm.response.to.have.status({case.status});",
    ]
    if case.code:
        lines.append(f'  pm.expect(pm.response.json().code).to.eql("{case.code}");')
    lines.append("});")
    lines += _told_again(case, document)
    rest = case.check.splitlines() + [
        f'pm.collectionVariables.set("{variable}", answer.{member});'
        for variable, member in case.saves.items()
    ]
    if any("answer." in line or "answer)" in line for line in rest):
        rest.insert(0, "const answer = pm.response.json();")
    return lines + rest


def _told_again(case: Case, document: Document) -> list[str]:
    """That an answer is about what was asked: it repeats what the path and the body name."""
    name = "" if case.code else answer_schema(case.operation, case.status)
    members: Document = document["components"]["schemas"][name]["properties"] if name else {}
    said: Document = {
        member: case.path.get(member, f"{{{{{member}}}}}")
        for member in re.findall(r"\{(\w+)\}", case.operation.path)
    }
    body = case.body
    if isinstance(body, dict):
        said |= cast("Document", body)
    expected = {_ANSWERED_AS.get((case.operation.method, name), name): said[name] for name in said}
    lines = [
        f"  pm.expect(answer.{member}).to.{_equal(member, value)};"
        for member, value in expected.items()
        if member in members and not isinstance(value, dict | list) and member != "effective_at"
    ]
    return ['pm.test("It is about what was asked", () => {', _ANSWER, *lines, "});"] if lines else []


def _equal(member: str, value: Any) -> str:
    """Amounts have the currency's digits in an answer, however they were sent."""
    if member in _AMOUNTS:
        sent = f"{Decimal(str(value)).normalize():f}"
        return f"match(/^{re.escape(sent)}{'0*' if '.' in sent else '([.]0+)?'}$/)"
    text = json.dumps(value)
    return (
        f"eql(pm.variables.replaceIn({text}))" if isinstance(value, str) and "{{" in value else f"eql({text})"
    )
