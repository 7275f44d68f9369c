"""The JavaScript of the collection: the checks of every response, and those of a single one."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from contract.document import Document
from contract.postman.cases import JSON, Case, Operation
from contract.postman.written import WrittenError

_BEFORE_EVERY_REQUEST = """\
// Generated from openapi.json by scripts/openapi.
// The script of a request, which runs after this one, sets the expected response: a status, then the code of a problem,
// or "replayed" if the request before it had the same key.
pm.variables.set("expected", "");
"""

_EVERY_RESPONSE = """\
// The checks of every response, also to requests that you add.
const path = pm.request.url.getPath();
const [, pattern, promised = {}] = operations.find(([method, each]) =>
  method === pm.request.method && each.test(path)) ?? [];
const refused = pm.response.code >= 400;
const [type] = (pm.response.headers.get("Content-Type") ?? "").split(";");
const expected = pm.variables.get("expected");

if (expected) {
  const [status, more] = expected.split(" ");
  pm.test(`The response is ${expected}`, () => {
    pm.response.to.have.status(Number(status));
    if (more === "replayed") pm.response.to.have.header("Idempotency-Replayed", "true");
    else if (more) pm.expect(pm.response.json().code).to.eql(more);
  });
}
pm.test("The response has a request id", () => pm.expect(pm.response.headers.get("X-Request-Id")).to.match(/./));
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
    pm.test("Retry-After has seconds", () => pm.expect(Number(pm.response.headers.get("Retry-After"))).to.be.above(0));
  }
} else if (pm.response.code === 204) {
  pm.test("The response has no body", () => pm.expect(pm.response.text()).to.eql(""));
} else {
  const forms = promised[pm.response.code] ?? {};
  const accepted = pm.request.headers.get("Accept") ?? "";
  const form = Object.keys(forms).find((each) => accepted.includes(each)) ?? Object.keys(forms)[0];
  pm.test(`The response is ${form}`, () => {
    pm.expect(form, "a response that the document does not have").to.be.a("string");
    pm.expect(type).to.eql(form);
  });
  if (forms[form]) checkJson(forms[form]);
  if (pm.request.headers.has("Idempotency-Key")) checkReplay();
}

function checkJson(name) {
  pm.test(`The response is a ${name}, amounts are text`, () =>
    pm.response.to.have.jsonSchema({ ...schemas[name], components: { schemas } }));
  const isJson = (pm.request.headers.get("Content-Type") ?? "").startsWith("application/json");
  const body = isJson ? JSON.parse(pm.request.body.raw) : {};
  // Members of the path and the body come back in the response; an amount with all digits of its currency.
  const plain = (member, value) => !amounts.includes(member) || value === null ? value
    : `${value}`.replace(/(\\.\\d*?)0+$/, "$1").replace(/\\.$/, "");
  const ofPath = Object.entries({ ...pattern.exec(path).groups })
    .map(([member, value]) => [member, decodeURIComponent(value)]);
  const sent = [...ofPath, ...Object.entries(body)]
    .map(([member, value]) => [(renamed[pm.request.method] ?? {})[member] ?? member, value])
    .filter(([member, value]) => member in (schemas[name].properties ?? {}) && member !== "effective_at"
      && (value === null || typeof value !== "object"));
  if (sent.length && pm.response.code !== 202) {  // a job is not what the request is about
    pm.test("The response is about the request", () => {
      const answer = pm.response.json();
      const asSent = (there, value) => typeof there === "number" && typeof value === "string" ? `${there}` : there;
      sent.forEach(([member, value]) =>
        pm.expect(plain(member, asSent(answer[member], value)), member).to.eql(plain(member, value)));
    });
  }
  checks[name]?.();
}

function checkReplay() {
  const key = pm.request.headers.get("Idempotency-Key");
  const [known, first] = JSON.parse(pm.collectionVariables.get("first_response") || "[]");
  if (expected.endsWith(" replayed") || (key === known && pm.response.headers.get("Idempotency-Replayed") === "true")) {
    pm.test("The response is the first one to this key, byte for byte", () =>
      pm.expect([key, pm.response.text()]).to.eql([known, first]));
  } else {
    pm.collectionVariables.set("first_response", JSON.stringify([key, pm.response.text()]));
  }
}
"""

_AMOUNTS = ["amount", "balance", "credit_limit", "hysteresis"]
_RENAMED = {"POST": {"initial_balance": "balance", "transaction_id": "original_transaction_id"}}
"""Members of requests that have another name in the response, by method."""
_ONLY_FOR_PEOPLE = {"title", "description", "examples", "example", "default", "discriminator"}


def before_every_request() -> list[str]:
    """The collection's own script before each request."""
    return [*_BEFORE_EVERY_REQUEST.splitlines()]


def every_response(
    document: Document, operations: Mapping[str, Operation], checks: Mapping[str, str]
) -> list[str]:
    """The collection's own script after each request.

    Args:
        document: the whole document.
        operations: all of its operations.
        checks: JavaScript for the responses of a schema, by the schema's name; the response is ``answer``.

    Raises:
        WrittenError: no operation responds with a schema that has checks.
    """
    known = document["components"]["schemas"]
    used: dict[str, Any] = {}
    answers = {operation.name: _answered(operation) for operation in operations.values()}
    waiting = [
        name for each in answers.values() for forms in each.values() for name in forms.values() if name
    ]
    for name in checks.keys() - {*waiting}:
        raise WrittenError(f"postman/operations.yaml: no operation responds with {name}")
    while waiting:
        name = waiting.pop(0)
        if name not in used:
            used[name] = _plain(known[name])
            waiting += _named(used[name])
    lines = ["// Generated from openapi.json by scripts/openapi.", "const schemas = {"]
    lines += [f"  {name}: {json.dumps(schema)}," for name, schema in sorted(used.items())]
    lines += ["};", "const operations = ["]
    for operation in operations.values():
        parts = operation.path.split("/")
        pattern = r"\/".join(re.sub(r"\{(\w+)\}", r"(?<\1>[^/]+)", part) for part in parts)
        lines.append(f'  ["{operation.method}", /{pattern}$/, {json.dumps(answers[operation.name])}],')
    lines += ["];", "// From postman/operations.yaml.", "const checks = {"]
    for name, check in sorted(checks.items()):
        inner = [f"    {line}" for line in ("const answer = pm.response.json();", *check.splitlines())]
        lines += [f"  {name}: () => {{", *inner, "  },"]
    lines += ["};", f"const amounts = {json.dumps(_AMOUNTS)};", f"const renamed = {json.dumps(_RENAMED)};"]
    return [*lines, *_EVERY_RESPONSE.splitlines()]


def _answered(operation: Operation) -> dict[str, dict[str, str]]:
    """The media types of each response that is not a refusal, by status, with the name of the schema of JSON."""
    return {
        status: {
            media_type: answer_schema(operation, status) if media_type == JSON else ""
            for media_type in response.get("content", {})
        }
        for status, response in operation.described["responses"].items()
        if int(status) < HTTPStatus.BAD_REQUEST
    }


def answer_schema(operation: Operation, status: int | str) -> str:
    """The name of the schema of a JSON response; empty when it is not JSON."""
    content = operation.described["responses"].get(str(status), {}).get("content", {})
    return content.get(JSON, {}).get("schema", {}).get("$ref", "").rpartition("/")[2]


def _plain(schema: Any, within: str = "") -> Any:
    """The schema without texts for people. A member of an object may be called ``title`` or ``description``."""
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
    """The request's own script before it is sent: the expected response, and the variables that it needs."""
    expected = f"{case.status} {case.code or ('replayed' if case.replayed else '')}".strip()
    lines = [f'pm.variables.set("expected", "{expected}");']
    if case.needs:
        lines.append(f'if (!pm.variables.get("{case.needs}")) pm.execution.skipRequest();')
    lines += [
        f'pm.collectionVariables.set("{name}", pm.variables.replaceIn({json.dumps(value)}));'
        for name, value in case.sets.items()
    ]
    return lines + case.before.splitlines()


def after(case: Case) -> list[str]:
    """The request's own assertions, and the variables that it sets for later requests."""
    lines = case.check.splitlines() + [
        f'pm.collectionVariables.set("{variable}", answer.{member});'
        for variable, member in case.saves.items()
    ]
    if any("answer." in line or "answer)" in line for line in lines):
        lines.insert(0, "const answer = pm.response.json();")
    return lines
