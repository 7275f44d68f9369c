"""Finds the changes between two OpenAPI documents that break a client of the old one.

This is own code, because no maintained program does it where the tests run: oasdiff and openapi-changes are written in
Go, and the npm package of the latter downloads a binary at installation; openapi-diff of npm reads OpenAPI 3.0, and this
is 3.1; PyPI has none that is maintained.

A valid request must stay valid: every value of the old schema is a value of the new one. A response must stay readable:
every value of the new schema is a value of the old one, and no member is missing. Both are one comparison in two
directions (``contract/fit.py``). Two changes of responses are allowed, because clients must accept them: new values of
an enumeration, and new members of objects. A change that can't be decided, such as another pattern or an unknown
keyword, is reported.

Names of schemas and operations are compared too, because the types of generated clients have these names. Whether a
response, header or parameter is written in place or shared by reference has no effect: references are resolved before
the comparison.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from contract.fit import Fit, Schema, undecided, written
from contract.references import inlined

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_OPERATION = {"operationId", "parameters", "requestBody", "responses", "security", "tags"}
_PARAMETER = {"name", "in", "required", "schema", "style", "explode"}


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """The changes that break a client of ``old``, one line each; empty when there are none.

    Args:
        old: an OpenAPI 3.1 document.
        new: the document after it.

    Raises:
        KeyError: a reference is to a part that its document does not have.
    """
    return [*dict.fromkeys(_paths(inlined(old), inlined(new)))]


def _paths(old: Schema, new: Schema) -> Iterator[str]:
    requests, responses = Fit(old, new, responses=False), Fit(new, old, responses=True)
    for path, methods in old["paths"].items():
        now = new["paths"].get(path, {})
        for method, before in methods.items():
            if method not in _METHODS:
                continue
            name = f"{method.upper()} {path}"
            if method not in now:
                yield f"{name}: is gone"
                continue
            changes = _operation(before, now[method], requests, responses)
            yield from (f"{name}: {change}" for change in changes)
            yield from _credentials(old, new, before, now[method], name)
            yield from undecided(before, now[method], _OPERATION, name)
        if now:
            yield from undecided(methods, now, {*_METHODS}, path)
    yield from _whole(old, new)


def _whole(old: Schema, new: Schema) -> Iterator[str]:
    """Changes outside of operations."""
    before, after = (
        {str(each["url"]) for each in one.get("servers") or [{"url": "/"}]} for one in (old, new)
    )
    yield from (f"server {url}: is gone" for url in sorted(before - after))
    there = _part(new, "schemas")
    yield from (
        f"schema {name}: is gone, or has another name" for name in _part(old, "schemas") if name not in there
    )


def _credentials(old: Schema, new: Schema, before: Schema, after: Schema, name: str) -> Iterator[str]:
    """Changes of credentials: each old set of security schemes must still be sufficient and mean the same."""
    had, wants = _alternatives(before, old), _alternatives(after, new)
    for known in had:
        if not any(_suffices(known, wanted) for wanted in wants):
            asked = " or ".join(" and ".join(wanted) for wanted in wants)
            yield f"{name}: now needs credentials" + (
                f": {asked}, not {' and '.join(known)}" if known else ""
            )
        for scheme in known:
            kinds = [
                {**_part(one, "securitySchemes").get(scheme, {}), "description": ""} for one in (old, new)
            ]
            if written(kinds[0]) != written(kinds[1]):
                yield f"{name}: the credentials {scheme} have changed"


def _alternatives(operation: Schema, document: Schema) -> list[dict[str, list[str]]]:
    """Sets of security schemes with their scopes. One of them is enough."""
    return operation.get("security", document.get("security")) or [{}]


def _suffices(known: Mapping[str, list[str]], wanted: Mapping[str, list[str]]) -> bool:
    return all(scheme in known and {*scopes} <= {*known[scheme]} for scheme, scopes in wanted.items())


def _part(document: Schema, name: str) -> Schema:
    """A part of the document's ``components``."""
    return document.get("components", {}).get(name, {})


def _operation(old: Schema, new: Schema, requests: Fit, responses: Fit) -> Iterator[str]:
    if old.get("operationId") != new.get("operationId"):
        yield f"operationId was {old.get('operationId')}, is {new.get('operationId')}"
    yield from _parameters(old.get("parameters", ()), new.get("parameters", ()), requests)
    yield from _body(old.get("requestBody"), new.get("requestBody"), requests)
    for status, before in old["responses"].items():
        after = new["responses"].get(status)
        if after is None:
            yield f"no longer responds with {status}"
            continue
        yield from _headers(status, before.get("headers", {}), after.get("headers", {}), responses)
        yield from _contents(status, before.get("content", {}), after.get("content", {}), responses)
        yield from undecided(before, after, {"headers", "content"}, status)


def _headers(status: str, old: Schema, new: Schema, responses: Fit) -> Iterator[str]:
    for name, before in sorted(old.items()):
        after = new.get(name)
        if after is None:
            yield f"{status} has no header {name} any more"
            continue
        place = f"{status} header {name}"
        if before.get("required") and not after.get("required"):
            yield f"{place}: is no longer always there"
        yield from responses.misfits(after.get("schema", {}), before.get("schema", {}), place)
        yield from undecided(before, after, {"required", "schema"}, place)


def _parameters(old: Any, new: Any, requests: Fit) -> Iterator[str]:
    before = {(each["in"], each["name"]): each for each in old}
    after = {(each["in"], each["name"]): each for each in new}
    for place, name in sorted(before.keys() - after.keys()):
        yield f"{place} parameter {name} is gone"
    for key, parameter in after.items():
        name = f"{key[0]} parameter {key[1]}"
        known = before.get(key)
        if parameter.get("required") and not (known and known.get("required")):
            yield f"{name} is now required"
        if known:
            was, now = _style(known), _style(parameter)
            if was != now:
                yield f"{name}: is written in another way: {was}, now {now}"
            yield from requests.misfits(known.get("schema", {}), parameter.get("schema", {}), name)
            yield from undecided(known, parameter, _PARAMETER, name)


def _style(parameter: Schema) -> str:
    """How several values of a parameter are written, with OpenAPI's defaults."""
    style = parameter.get("style", "form" if parameter["in"] in ("query", "cookie") else "simple")
    return f"{style}, {'one by one' if parameter.get('explode', style == 'form') else 'in one'}"


def _body(old: Schema | None, new: Schema | None, requests: Fit) -> Iterator[str]:
    if new is None:
        if old is not None:
            yield "takes no body any more"
        return
    if new.get("required") and not (old and old.get("required")):
        yield "now requires a body"
    if old is None:
        return
    for media_type in sorted(old["content"].keys() - new["content"].keys()):
        yield f"no longer reads {media_type}"
    for media_type in sorted(old["content"].keys() & new["content"].keys()):
        before, after = (each["content"][media_type] for each in (old, new))
        yield from requests.misfits(before.get("schema", {}), after.get("schema", {}), "body")
        yield from undecided(before, after, {"schema"}, f"{media_type} body")


def _contents(status: str, old: Schema, new: Schema, responses: Fit) -> Iterator[str]:
    for media_type in sorted(old.keys() - new.keys()):
        yield f"{status} is no longer sent as {media_type}"
    for media_type in sorted(old.keys() & new.keys()):
        before, after = old[media_type], new[media_type]
        yield from responses.misfits(after.get("schema", {}), before.get("schema", {}), f"{status} response")
        yield from undecided(before, after, {"schema"}, f"{status} response")
