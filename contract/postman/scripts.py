"""The JavaScript of the collection: what is asked of each answer."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from contract.document import Document
from contract.postman.cases import JSON, Case, Operation

_EVERY_ANSWER = """\
// What holds for every answer, also to requests that you add: the form that the OpenAPI document promises.
const [, ...promised] = operations.find(([method, path]) =>
  method === pm.request.method && path.test(pm.request.url.getPath())) ?? [];
const refused = pm.response.code >= 400;
const type = pm.response.headers.get("Content-Type") ?? "";

pm.test("The answer has a request id", () => pm.expect(pm.response.headers.get("X-Request-Id")).to.match(/./));
pm.test("It came within 5 seconds", () => pm.expect(pm.response.responseTime).to.be.below(5000));
if (refused) {
  pm.test("The refusal is a problem document", () => {
    pm.expect(type).to.match(/^application\\/problem\\+json/);
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
} else if (type.startsWith("application/json")) {
  const name = promised[1]?.[pm.response.code];
  pm.test(`The answer is a ${name}, amounts are text`, () => {
    pm.expect(name, "an answer that the document does not know").to.be.a("string");
    pm.response.to.have.jsonSchema({ ...schemas[name], components: { schemas } });
  });
}
"""

_ONLY_FOR_PEOPLE = {"title", "description", "examples", "example", "default", "discriminator"}


def every_answer(document: Document, operations: Mapping[str, Operation]) -> list[str]:
    """The collection's own test, which runs after each request."""
    known = document["components"]["schemas"]
    used: dict[str, Any] = {}
    answers = {operation.name: _answered(operation) for operation in operations.values()}
    waiting = [name for each in answers.values() for name in each.values()]
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


def _answered(operation: Operation) -> dict[str, str]:
    """The name of the schema of each JSON answer, by status."""
    return {
        status: response["content"][JSON]["schema"]["$ref"].rpartition("/")[2]
        for status, response in operation.described["responses"].items()
        if JSON in response["content"]
    }


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


def after(case: Case) -> list[str]:
    """The request's own assertions, and what it keeps for those after it."""
    phrase = HTTPStatus(case.status).phrase
    lines = [
        f'pm.test("{case.status} {case.code or phrase}", () => {{',
        f"  pm.response.to.have.status({case.status});",
    ]
    if case.code:
        lines.append(f'  pm.expect(pm.response.json().code).to.eql("{case.code}");')
    lines.append("});")
    rest = case.check.splitlines() + [
        f'pm.collectionVariables.set("{variable}", answer.{member});'
        for variable, member in case.saves.items()
    ]
    if any("answer." in line or "answer)" in line for line in rest):
        rest.insert(0, "const answer = pm.response.json();")
    return lines + rest
